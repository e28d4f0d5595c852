"""Measured numbers as a table with units, and curves of those that change over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hvr_nb.drawing import pictures, plots
from hvr_nb.metrics.quantities import judged_table
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
    """An HTML table of measured numbers: verdict, name, value, unit, meaning; (T,) as mean and range.

    Figures without a verdict are folded away below those with one.
    """
    rows = judged_table(numbers)
    told = [row for row in rows if row.verdict] or rows
    return fill_template("numbers.html", rows=told, more=rows[len(told) :], title=title)
