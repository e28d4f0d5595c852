"""HTML pages from templates in ``assets/``: sections of pictures, tables with units, plots."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hvr_nb.drawing import pictures
from hvr_nb.drawing.plots import unit_of
from hvr_nb.report.meanings import meaning_of
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.places import ASSETS

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
    badge = f'<div class="badge">{SYNTHETIC}</div>' if synthetic else ""
    lead = f'<p class="soft">{html.escape(intro)}</p>{badge}'
    body = "\n".join(_section(section) for section in sections)
    page = fill("report.html", title=html.escape(title), intro=lead, sections=body)
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def fill(template: str, **values: str) -> str:
    """A template of ``assets/`` with ``{{name}}`` replaced; the common style is put in too."""
    values["style"] = (ASSETS / "page.css").read_text(encoding="utf-8")
    text = (ASSETS / template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match.group(1)], text)


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    if section.text:
        parts.append(f"<p>{html.escape(section.text)}</p>")
    if section.pictures:
        figures = "".join(_figure(caption, image) for caption, image in section.pictures.items())
        parts.append(f'<div class="pictures">{figures}</div>')
    if section.numbers:
        parts.append(_table(section.numbers))
    parts += [svg_plot(name, values) for name, values in section.series.items()]
    if section.facts:
        rows = "".join(
            f"<tr><th>{html.escape(str(k))}</th><td><code>{html.escape(str(v))}</code></td></tr>"
            for k, v in section.facts.items()
        )
        parts.append(f'<div class="wide"><table>{rows}</table></div>')
    if section.links:
        links = [f'<a href="{html.escape(to)}">{html.escape(text)}</a>' for text, to in section.links.items()]
        parts.append(f"<p>{' &middot; '.join(links)}</p>")
    return f"<section>{''.join(parts)}</section>"


def _figure(caption: str, image: np.ndarray) -> str:
    data = base64.b64encode(pictures.encode_jpeg(image, quality=88)).decode()
    text = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img alt="{html.escape(caption)}" src="data:image/jpeg;base64,{data}">{text}</figure>'


def _table(numbers: Mapping[str, object]) -> str:
    rows = "".join(
        f'<tr><td>{html.escape(name)}</td><td class="number">{html.escape(_written(value))}</td>'
        f'<td>{unit_of(name)}</td><td class="meaning">{html.escape(meaning_of(name))}</td></tr>'
        for name, value in numbers.items()
    )
    head = "<tr><th>quantity</th><th></th><th>unit</th><th>what it says</th></tr>"
    return f'<div class="wide"><table>{head}{rows}</table></div>'


def _written(value: object) -> str:
    if isinstance(value, bool | str) or value is None:
        return str(value)
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0f}"


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
    label = html.escape(f"{name}{f' ({unit})' if unit else ''}")
    return (
        f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{label} per frame">'
        f'<text class="name" x="{left}" y="13">{label}</text>'
        f'<path class="axis" d="M{left} {top}V{bottom}H{right}M{left} {top}H{right}"/>'
        f'<text x="{left - 6}" y="{top + 4}" text-anchor="end">{hi:.3g}</text>'
        f'<text x="{left - 6}" y="{bottom + 4}" text-anchor="end">{lo:.3g}</text>'
        f'<text x="{left}" y="{height - 5}">frame 0</text>'
        f'<text x="{right}" y="{height - 5}" text-anchor="end">{len(y) - 1}</text>'
        f'<path class="curve" d="{"".join(path)}"/></svg>'
    )
