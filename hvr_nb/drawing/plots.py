"""Plots over time drawn with matplotlib, returned as pictures (H, W, 3) uint8 RGB."""

from __future__ import annotations

import numpy as np

from hvr_nb.metrics.quantities import quantity
from hvr_nb.types import BODY25_NAMES, Keypoints, Tracks


def plot_series(
    series: dict[str, np.ndarray], *, steps: np.ndarray | None = None, title: str = "", width: int = 1200
) -> np.ndarray:
    """Curves over the frames, or over ``steps``; each has its own panel, because units differ.

    Args:
        series: name -> (T,) values; NaN leaves a gap. steps: (T,) values of the horizontal axis.
    """
    figure, panels = _figure(width, 150 * len(series) + 50, rows=len(series))
    below = "frame" if steps is None else "step"
    for axes, (name, values) in zip(panels, series.items(), strict=True):
        values = np.asarray(values, float)
        axes.plot(np.arange(len(values)) if steps is None else steps, values, linewidth=1.5, color="#2a6fdb")
        unit = quantity(name).unit
        axes.set_ylabel(f"{name}\n{f'({unit})' if unit else ''}", fontsize=8)
        axes.grid(alpha=0.25)
        axes.margins(x=0)
    panels[0].set_title(title, fontsize=10, loc="left", fontweight="bold")
    panels[-1].set_xlabel(below, fontsize=8)
    return _pixels(figure)


def plot_confidence(keypoints: Keypoints, *, width: int = 1200, height: int = 320) -> np.ndarray:
    """(height, width, 3) uint8: confidence of every joint and frame; interpolated ones are crossed out.

    Joints that no frame has, such as BlazePose's small toes, have no row and are named below.
    """
    confidence, names = keypoints.points[..., 2], [n.replace("_", " ") for n in BODY25_NAMES]
    measured = (confidence > 0).any(0) | ~(confidence > 0).any()
    rows = np.flatnonzero(measured)
    figure, (axes,) = _figure(width, height)
    shown = axes.imshow(
        confidence[:, rows].T, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest"
    )
    frame, row = np.nonzero(keypoints.filled[:, rows])
    axes.plot(frame, row, "x", color="red", markersize=3, markeredgewidth=0.7)
    missing = np.flatnonzero(~keypoints.found)
    axes.vlines(missing, -0.5, len(rows) - 0.5, color="black", linewidth=0.5, alpha=0.4)
    axes.set_yticks(range(len(rows)), [names[k] for k in rows], fontsize=6)
    never = ", ".join(names[k] for k in np.flatnonzero(~measured))
    axes.set_xlabel(
        "frame (red cross: interpolated)" + (f"; never measured: {never}" if never else ""), fontsize=8
    )
    axes.set_title("confidence of each joint", fontsize=10, loc="left", fontweight="bold")
    figure.colorbar(shown, ax=axes, pad=0.01)
    return _pixels(figure)


def plot_tracks(tracks: Tracks, colours: np.ndarray, *, width: int = 1200) -> np.ndarray:
    """A bar for each person over the frames in which it is seen; colours (P, 3) uint8."""
    figure, (axes,) = _figure(width, 70 + 26 * len(tracks.boxes))
    for person, seen in enumerate(tracks.seen):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], seen, [0]])))
        bars = [(start - 0.5, stop - start) for start, stop in edges.reshape(-1, 2)]
        chosen = person == tracks.chosen
        axes.broken_barh(
            bars, (person - 0.35, 0.7), color=colours[person] / 255, alpha=1.0 if chosen else 0.55
        )
    names = [f"person {k}" + (" (chosen)" if k == tracks.chosen else "") for k in range(len(tracks.boxes))]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlim=(-0.5, tracks.boxes.shape[1] - 0.5), ylim=(len(names) - 0.5, -0.5))
    axes.set_xlabel("frame in which somebody is seen", fontsize=8)
    return _pixels(figure)


def plot_curves(
    curves: dict[str, tuple[np.ndarray, np.ndarray]],
    *,
    x: str,
    y: str,
    title: str = "",
    marks: tuple[float, ...] = (),
    width: int = 900,
    height: int = 420,
) -> np.ndarray:
    """Several curves in one panel.

    Args:
        curves: name -> (N,) positions and (N,) values. x, y: labels of the axes, with units.
        marks: heights of dashed horizontal lines.
    """
    figure, (axes,) = _figure(width, height)
    for name, (along, values) in curves.items():
        axes.plot(along, values, marker="o", markersize=3, linewidth=1.5, label=name)
    for mark in marks:
        axes.axhline(mark, color="#888888", linewidth=0.8, linestyle="--")
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.set_title(title, fontsize=10, loc="left", fontweight="bold")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=9)
    return _pixels(figure)


def plot_colour_bar(label: str, high: float, *, grey: str = "", width: int = 900) -> np.ndarray:
    """(H, width, 3) uint8: a bar of the colours from 0 to ``high`` with ticks.

    Args:
        label: what they mean, with the unit. grey: what grey means, if it is used.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure, (axes,) = _figure(width, 66)
    figure.colorbar(ScalarMappable(Normalize(0, high), "viridis"), cax=axes, orientation="horizontal")
    axes.set_xlabel(f"{label}; grey: {grey}" if grey else label, fontsize=9)
    axes.tick_params(labelsize=8)
    return _pixels(figure)


def _figure(width: int, height: int, *, rows: int = 1):
    """A figure with ``rows`` axes, made outside pyplot so that the state of a notebook does not change."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])


def _pixels(figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
