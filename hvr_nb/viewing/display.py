"""Showing things: ``show(x)`` and ``slider({...})``; the only package that imports k3d and ipywidgets.

In a live session the picture is interactive: a frame slider beside a k3d scene. In a batch run
(``HVR_NB_BATCH=1``, set by ``hvr_nb.batch``) and outside Jupyter it is a JPEG strip and an iframe to
an offline HTML snapshot, because widgets do not survive being saved (docs/formats.md, 14).
"""

from __future__ import annotations

import os

import numpy as np

from hvr_nb.types import HvrError
from hvr_nb.viewing.numbers import show_numbers
from hvr_nb.viewing.saved import show_saved
from hvr_nb.viewing.views import View, as_view, side_by_side


def is_batch() -> bool:
    """True in a batch run and wherever no Jupyter kernel could drive a widget."""
    if os.environ.get("HVR_NB_BATCH") == "1":
        return True
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is None


def show(x, *, over: np.ndarray | None = None, beside: np.ndarray | None = None, **options) -> None:
    """Show a value of the workbook; ends a cell.

    Args:
        x: frames (T, H, W, 3), an image or a list of images, Tracks, Keypoints, Masks, Body, Canonical, Mesh,
            a list of Mesh (one a frame), Joints3D, a dictionary of label -> frames, or a dictionary of
            measured numbers (then ``plot`` names those to draw as curves).
        over: (T, H, W, 3) uint8 frames to draw it over (Tracks, Keypoints, Masks, Body, Mesh).
        beside: (T, H, W, 3) frames or an image to put next to images ``x``.
        options: ``title``, ``fps`` (frames per second, 30), ``captions`` (one a picture),
            ``camera`` (Mesh over an image), ``model`` (Body; default ``load_body_model()``),
            ``color`` (Canonical: "parts" or "weights"), ``plot`` (names of a dictionary of numbers).

    Raises:
        HvrError: the value cannot be shown or does not fit the frames.
    """
    if isinstance(x, dict) and all(np.ndim(value) < 2 for value in x.values()):
        show_numbers(x, **options)
        return
    if beside is not None:
        x = {"input": beside, options.pop("label", "result"): x}
    _display(as_view(x, over=over, **options))


def slider(images: dict[str, np.ndarray], *, fps: float = 30.0, title: str = "") -> None:
    """Several clips of the same length side by side with one frame slider; a strip in a batch run.

    Args:
        images: label -> (T, H, W, 3) uint8 frames, e.g. input, body overlay, render.
        fps: frames per second of the player.
    """
    if not images:
        raise HvrError("there is nothing to show: give a dictionary of label -> frames")
    _display(side_by_side(images, fps=fps, title=title))


def _display(view: View) -> None:
    if is_batch():
        show_saved(view)
    else:
        from hvr_nb.viewing.live import show_live

        show_live(view)
