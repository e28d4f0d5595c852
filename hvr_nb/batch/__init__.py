"""Notebooks run by papermill: one notebook, the chain of one video, many videos.

- ``run_chain``: run the notebooks of one video; what has not changed is not run again.
- ``run_videos``: run the chain on every video; a failing one does not stop the others.
- ``dask_executor``: an executor for ``run_videos`` on a Dask cluster.
- ``slurm_executor``: an executor for ``run_videos`` that makes a SLURM job array.
- ``summary``: a table with a line for every video: done, unchanged, or why it failed.
- ``run_notebook``: run one notebook and keep the executed copy.
- ``removable``: what of a clip its notebooks can write again.
- ``clean_clip``: remove it; what somebody made stays.
- ``NotebookFailed``: the error of a notebook that did not run to its end.
- ``read_parameters``: what a notebook's parameters cell declares.
- ``check_parameters``: given values, checked against what the notebook declares.
- ``check_values``: the same from inside a notebook, run by hand or by plain papermill.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "backends": ["dask_executor", "slurm_executor"],
        "chain": ["run_chain"],
        "clean": ["clean_clip", "removable"],
        "given": ["check_values"],
        "notebook": ["NotebookFailed", "run_notebook"],
        "parameters": ["check_parameters", "read_parameters"],
        "videos": ["run_videos", "summary"],
    },
)
