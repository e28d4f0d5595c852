"""Formats of other programs: `joints2d`, `motion`, `skeletons`, `models`, `datasets` (docs/formats.md)."""
