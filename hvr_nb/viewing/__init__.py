"""Showing things: the only home of k3d and ipywidgets.

- ``is_batch``: True in a batch run and wherever no Jupyter kernel could drive a widget.
- ``show``: Show a value of the workbook.
- ``show_page``: Display a page that was written, with a link to open it alone.
- ``start_panel``: The first screen: pick a film, look at it, run all notebooks.
- ``slider``: Several clips of the same length side by side with one frame slider.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "display": ["is_batch", "show", "slider"],
        "page": ["show_page"],
        "start": ["start_panel"],
    },
)
