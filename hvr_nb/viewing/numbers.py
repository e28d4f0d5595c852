"""Measured numbers as a table with units, and curves of those that change over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hvr_nb.drawing import pictures, plots
from hvr_nb.types import HvrError
from hvr_nb.viewing.templates import fill_template


def show_numbers(numbers: Mapping[str, object], *, plot: Sequence[str] = (), title: str = "") -> None:
    """Display a table of ``numbers`` (scalars, or (T,) series as mean and range) and plots of ``plot``."""
    from IPython.display import HTML, Image, display

    missing = [name for name in plot if name not in numbers]
    if missing:
        raise HvrError(f"there is no {missing[0]!r} to plot; there are {', '.join(numbers)}")
    display(HTML(table(numbers, title=title)))
    if plot:
        steps = np.asarray(numbers["step"]) if "step" in numbers else None
        picture = plots.plot_series({name: numbers[name] for name in plot}, steps=steps)
        display(Image(data=pictures.encode_jpeg(picture, quality=90), format="jpeg"))


def table(numbers: Mapping[str, object], *, title: str = "") -> str:
    """An HTML table: name, value, unit; a series (T,) as mean and range."""
    rows = [
        {"name": name.replace("_", " "), "value": written(value), "unit": plots.unit_of(name)}
        for name, value in numbers.items()
    ]
    return fill_template("numbers.html", rows=rows, title=title, explained=False)


def written(value: object) -> str:
    """A value in words: four digits, a series as mean and range."""
    if isinstance(value, str | bool) or value is None:
        return str(value)
    array = np.asarray(value, float).ravel()
    known = array[np.isfinite(array)]
    if np.ndim(value) == 0:
        return f"{array[0]:.4g}" if abs(array[0]) < 1e5 else f"{array[0]:.0f}"
    if not len(known):
        return "no values"
    return f"mean {known.mean():.4g}, {known.min():.4g} to {known.max():.4g}, {len(array)} values"
