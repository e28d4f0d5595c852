"""Formats of other programs: `joints2d`, `bodies`, `motion`, `skeletons`, `models`, `datasets`."""
