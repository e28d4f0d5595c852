"""Other programs' layouts, one a file: `joints2d`, `motion`, `skeletons`, `models`, `datasets`."""
