"""HTML pages from templates in ``assets/``: sections of pictures, tables with units, plots."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hvr_nb.drawing import pictures
from hvr_nb.drawing.plots import unit_of
from hvr_nb.report.meanings import meaning_of
from hvr_nb.store.atomic_files import atomic
from hvr_nb.viewing.numbers import written
from hvr_nb.viewing.templates import fill_template

SYNTHETIC = "synthetic subject: this person was drawn by this project and does not exist"


@dataclass(frozen=True)
class Section:
    """A part of a report; what is empty is left out."""

    title: str
    text: str = ""  # a sentence or two
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)  # caption -> (H, W, 3) uint8 RGB
    numbers: Mapping[str, object] = field(default_factory=dict)  # name -> scalar, units from the name
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)  # name -> (T,) values per frame
    facts: Mapping[str, object] = field(default_factory=dict)  # name -> text
    links: Mapping[str, str] = field(default_factory=dict)  # text -> relative path


def write_report(
    path: str | Path, sections: Sequence[Section], *, title: str, intro: str = "", synthetic: bool = False
) -> Path:
    """Write a report as one HTML file with its pictures inside; it loads nothing from elsewhere.

    Args:
        path: the .html file. intro: a line below the title.
        synthetic: say at the top that the person is drawn, not filmed.
    """
    path = Path(path)
    page = fill_template(
        "report.html",
        title=title,
        intro=intro,
        badge=SYNTHETIC if synthetic else "",
        sections=sections,
        jpeg=_jpeg,
        rows_of=_rows,
        plot=svg_plot,
    )
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def _jpeg(image: np.ndarray) -> str:
    return base64.b64encode(pictures.encode_jpeg(image, quality=88)).decode()


def _rows(numbers: Mapping[str, object]) -> list[dict[str, str]]:
    return [
        {"name": name, "value": written(value), "unit": unit_of(name), "meaning": meaning_of(name)}
        for name, value in numbers.items()
    ]


def svg_plot(name: str, values: Sequence[float], *, width: int = 1100, height: int = 130) -> str:
    """A curve of (T,) values over frames as inline SVG; NaN leaves a gap; colours follow the page."""
    y = np.asarray(values, float)
    known = y[np.isfinite(y)]
    if not len(known):
        return ""
    lo, hi = float(known.min()), float(known.max())
    hi = hi if hi > lo else lo + 1.0
    left, right, top, bottom = 56, width - 8, 22, height - 20
    xs = left + (right - left) * np.arange(len(y)) / max(len(y) - 1, 1)
    ys = bottom - (bottom - top) * (y - lo) / (hi - lo)
    path, pen = [], "M"
    for px, py in zip(xs, ys, strict=True):
        if np.isfinite(py):
            path.append(f"{pen}{px:.1f} {py:.1f}")
        pen = "L" if np.isfinite(py) else "M"
    unit = unit_of(name)
    return fill_template(
        "plot.svg",
        label=f"{name} ({unit})" if unit else name,
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        high=f"{hi:.3g}",
        low=f"{lo:.3g}",
        last=len(y) - 1,
        path="".join(path),
    )
