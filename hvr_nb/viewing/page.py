"""A written page inside a notebook: player, report, or the page of many clips."""

from __future__ import annotations

import html
import os
from pathlib import Path


def show_page(path: str | Path, *, height: int = 560) -> None:
    """Display a page that was written, with a link to open it alone.

    Args:
        path: the .html file. height: of the frame, pixels.
    """
    from IPython.display import HTML, display

    display(HTML(page_html(path, height=height)))


def page_html(path: str | Path, *, height: int) -> str:
    """A frame with a page and a link to it, by the path from the notebook that shows it."""
    base = Path(os.environ.get("HVR_NB_RUN_DIR", ".")).absolute()
    to = html.escape(os.path.relpath(Path(path).absolute(), base))
    name = html.escape(Path(path).name)
    return (
        f'<p><a href="{to}" target="_blank">open {name} alone</a></p>'
        f'<iframe src="{to}" title="{name}" style="width: 100%; height: {height}px; border: 0"></iframe>'
    )
