"""Curves as inline SVG: ticks on both axes, seconds below, a mark; colours follow the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hvr_nb.viewing.templates import fill_template

WIDTH, HEIGHT = 440, 170  # of the drawing; small, so that its text can be read on a phone
LEFT, RIGHT, TOP, BOTTOM = 52, 430, 30, 132


@dataclass(frozen=True)
class Curve:
    """Values over time."""

    label: str
    values: Sequence[float]  # (T,); NaN leaves a gap
    times: Sequence[float]  # (T,) seconds, rising
    unit: str = ""
    mark: int = -1  # a place to mark, e.g. the worst frame; -1: none
    along: str = "seconds"  # what the horizontal axis shows


def svg_curve(curve: Curve) -> str:
    """A curve as an SVG element with a description in words; "" where nothing is known."""
    y, x = np.asarray(curve.values, float), np.asarray(curve.times, float)
    known = np.isfinite(y)
    if not known.any():
        return ""
    y_ticks, x_ticks = _ticks(y[known], 4), _ticks(x, 6)
    low, high = min(y[known].min(), y_ticks[0]), max(y[known].max(), y_ticks[-1])
    first, last = x.min(), max(x.max(), x.min() + 1e-9)
    across = LEFT + (RIGHT - LEFT) * (x - first) / (last - first)
    down = BOTTOM - (BOTTOM - TOP) * (y - low) / (high - low)
    path, pen = [], "M"
    for px, py in zip(across, down, strict=True):
        if np.isfinite(py):
            path.append(f"{pen}{px:.1f} {py:.1f}")
        pen = "L" if np.isfinite(py) else "M"
    least, most = y[known].min(), y[known].max()
    words = f"{curve.label} over {curve.along}, {least:.3g} to {most:.3g} {curve.unit}".strip()
    marked = 0 <= curve.mark < len(y) and known[curve.mark]
    return fill_template(
        "plot.svg",
        words=words + (f"; marked at {x[curve.mark]:.2f}" if marked else ""),
        label=f"{curve.label} ({curve.unit})" if curve.unit else curve.label,
        along=curve.along,
        rows=[(f"{t:.6g}", BOTTOM - (BOTTOM - TOP) * (t - low) / (high - low)) for t in y_ticks],
        columns=[
            (f"{t:.6g}", LEFT + (RIGHT - LEFT) * (t - first) / (last - first))
            for t in x_ticks
            if first <= t <= last
        ],
        path="".join(path),
        dot=(across[curve.mark], down[curve.mark], f"{y[curve.mark]:.3g}") if marked else (),
    )


def _ticks(values: np.ndarray, most: int) -> np.ndarray:
    """Round numbers around the values."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(values.min()), float(values.max())
    if high <= low:
        low, high = low - max(abs(low), 1) * 0.05, high + max(abs(high), 1) * 0.05
    return MaxNLocator(most).tick_values(low, high)
