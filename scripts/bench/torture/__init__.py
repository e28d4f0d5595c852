"""Kills, full disks, wrong clocks and damaged files: what the package makes of them."""
