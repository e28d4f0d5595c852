"""Plots over time drawn with matplotlib, returned as pictures (H, W, 3) uint8 RGB."""

from __future__ import annotations

import numpy as np

from hvr_nb.types import BODY25_NAMES, Keypoints


def plot_lines(series: dict[str, np.ndarray], *, unit: str, title: str = "", width: int = 1200,
               height: int = 240, limits: tuple[float, float] | None = None) -> np.ndarray:  # fmt: skip
    """Curves over the frames.

    Args:
        series: name -> (T,) values; NaN leaves a gap. unit: what the values are in.
        limits: lowest and highest value of the axis; None fits the data.
    """
    figure, axes = _figure(width, height)
    for name, values in series.items():
        axes.plot(np.arange(len(values)), values, linewidth=1.6, label=name)
    if limits:
        axes.set_ylim(*limits)
    axes.set_ylabel(unit)
    axes.set_xlabel("frame")
    axes.set_title(title, fontsize=10, loc="left", fontweight="bold")
    axes.grid(alpha=0.25)
    axes.margins(x=0)
    if len(series) > 1:
        axes.legend(fontsize=8, ncols=min(len(series), 6), loc="lower right")
    return _pixels(figure)


def plot_confidence(keypoints: Keypoints, *, width: int = 1200, height: int = 320) -> np.ndarray:
    """Confidence of every joint (rows) in every frame (columns); interpolated points are crossed out."""
    points, filled = keypoints.points, keypoints.filled
    figure, axes = _figure(width, height)
    shown = axes.imshow(points[..., 2].T, aspect="auto", cmap="viridis", vmin=0, vmax=1,
                        interpolation="nearest")  # fmt: skip
    frame, joint = np.nonzero(filled)
    axes.plot(frame, joint, "x", color="red", markersize=3, markeredgewidth=0.7)
    missing = np.flatnonzero(~keypoints.found)
    axes.vlines(missing, -0.5, len(BODY25_NAMES) - 0.5, color="black", linewidth=0.5, alpha=0.4)
    axes.set_yticks(range(len(BODY25_NAMES)), [n.replace("_", " ") for n in BODY25_NAMES], fontsize=6)
    axes.set_xlabel("frame (red cross: interpolated, not measured)", fontsize=8)
    axes.set_title("confidence of each joint", fontsize=10, loc="left", fontweight="bold")
    figure.colorbar(shown, ax=axes, pad=0.01)
    return _pixels(figure)


def _figure(width: int, height: int):
    """A figure outside pyplot, so that no notebook state is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _pixels(figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
