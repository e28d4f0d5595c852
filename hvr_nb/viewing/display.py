"""Showing a value: ``show(x)`` and ``slider({...})`` end a cell (docs/viewing.md).

What is displayed is kept by the notebook and needs no kernel. Where the workbook's own JupyterLab runs
(``HVR_NB_LIVE=1``, set by ``make lab``, whose server leaves widgets out of what it saves) a 3D scene is a k3d
widget as well.
"""

from __future__ import annotations

import os

import numpy as np

from hvr_nb.types import HvrError
from hvr_nb.viewing.numbers import show_numbers
from hvr_nb.viewing.saved import show_saved
from hvr_nb.viewing.views import View, as_view, side_by_side


def show(x, *, over: np.ndarray | None = None, beside: np.ndarray | None = None, **options) -> None:
    """Show a value of the workbook; ends a cell.

    Args:
        x: frames (T, H, W, 3), an image or a list of images, Tracks, Keypoints, Masks, Body, Canonical, Mesh,
            a list of Mesh (one a frame), Joints3D, a ``Scene``, a dictionary of label -> frames, or a
            dictionary of measured numbers (then ``plot`` names those to draw as curves).
        over: (T, H, W, 3) uint8 frames to draw it over (Tracks, Keypoints, Masks, Body, Mesh), or to show
            beside it (Scene).
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


def slider(images: dict[str, np.ndarray], *, fps: float = 30.0, title: str = "", **options) -> None:
    """Several clips of the same length in step, with a frame slider.

    Args:
        images: label -> (T, H, W, 3) uint8 frames, e.g. input, body overlay, render.
        fps: frames per second of the player.
        options: of ``hvr_nb.viewing.views.side_by_side``: ``names``, ``captions``, ``compare``, ``curves``,
            ``scene``.
    """
    if not images:
        raise HvrError("there is nothing to show: give a dictionary of label -> frames")
    _display(side_by_side(images, fps=fps, title=title, **options))


def _display(view: View) -> None:
    if view.scene is not None and is_live():
        from hvr_nb.viewing.live import show_live

        show_live(view)
    else:
        show_saved(view)


def is_live() -> bool:
    """Whether a kernel drives widgets and the server keeps them out of what it saves."""
    if os.environ.get("HVR_NB_LIVE") != "1" or os.environ.get("HVR_NB_BATCH") == "1":
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
