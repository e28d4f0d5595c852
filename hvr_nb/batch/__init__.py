"""Notebooks in batch: one notebook, the chain of one video, many videos.

The only package that imports papermill. papermill's own status lies about killed kernels and
time-outs, so a stage counts as finished only by a marker of ours, written last (specs/notebooks.md 1c).
"""

from hvr_nb.batch.chain import run_chain
from hvr_nb.batch.notebook import NotebookFailed, run_notebook
from hvr_nb.batch.parameters import check_parameters, read_parameters
from hvr_nb.batch.videos import run_videos, summary

__all__ = ["NotebookFailed", "check_parameters", "read_parameters", "run_chain", "run_notebook", "run_videos",
           "summary"]  # fmt: skip
