"""The command line: `python -m hvr_nb`."""
