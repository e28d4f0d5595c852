"""Adapters to and from the layouts of other programs, one a file."""
