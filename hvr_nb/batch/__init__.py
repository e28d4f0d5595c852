"""Notebooks run by papermill: one notebook, the chain of one video, many videos.

- ``run_chain``: Run the notebooks of one video.
- ``NotebookFailed``: A notebook did not run to its end.
- ``run_notebook``: Run a notebook and keep the executed copy.
- ``check_parameters``: The values of ``params`` as the notebook's types.
- ``read_parameters``: What the cell tagged ``parameters`` declares, by name, in order.
- ``run_videos``: Run the chain on every video.
- ``summary``: A table of what became of every video, one line each.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "chain": ["run_chain"],
        "notebook": ["NotebookFailed", "run_notebook"],
        "parameters": ["check_parameters", "read_parameters"],
        "videos": ["run_videos", "summary"],
    },
)
