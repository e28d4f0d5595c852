"""HTML pages from templates in ``assets/``: headline, pictures, tables with verdicts, curves."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hvr_nb.drawing import pictures
from hvr_nb.metrics.quantities import BAD, GOOD, LOOK, Judged, judged_table, worst_verdict
from hvr_nb.report.curves import Curve, svg_curve
from hvr_nb.store.atomic_files import atomic
from hvr_nb.viewing.templates import fill_template

SYNTHETIC = "synthetic subject: this person was drawn by this project and does not exist"
SAID = {
    GOOD: "Good: every figure that can be judged is as it should be.",
    LOOK: "Look: worth a look",
    BAD: "Bad: something is wrong",
    "": "No figure can be judged yet.",
}


@dataclass(frozen=True)
class Section:
    """A part of a report; what is empty is left out."""

    title: str
    text: str = ""  # a sentence or two
    points: Sequence[str] = ()  # sentences, one a line
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)  # caption -> (H, W, 3) uint8 RGB
    numbers: Mapping[str, object] = field(default_factory=dict)  # name -> value, see metrics.quantities
    curves: Sequence[Curve] = ()
    facts: Mapping[str, object] = field(default_factory=dict)  # name -> text
    links: Mapping[str, str] = field(default_factory=dict)  # text -> relative path

    @property
    def rows(self) -> list[Judged]:
        """Its numbers as rows of a table, those with a verdict first."""
        return judged_table(self.numbers)

    @property
    def anchor(self) -> str:
        """Its name in the address of the page."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


@dataclass(frozen=True)
class Headline:
    """What a reader sees first: figures with traffic lights, and the worst frame."""

    numbers: Mapping[str, object]  # name -> value
    doubts: Sequence[str] = ()  # sentences
    worst: str = ""  # which frame is worst, one sentence
    picture: np.ndarray | None = None  # (H, W, 3) uint8 RGB of that frame

    @property
    def tiles(self) -> list[Judged]:
        """The figures that have a verdict."""
        return [row for row in judged_table(self.numbers) if row.verdict]

    @property
    def verdict(self) -> str:
        """The worst of the verdicts; a doubt counts as "look"."""
        return worst_verdict([row.verdict for row in self.tiles] + [LOOK] * bool(self.doubts))

    @property
    def said(self) -> str:
        """The verdict as a sentence that names what is not good."""
        named = [row.label for row in self.tiles if row.verdict in (LOOK, BAD)]
        named += ["what is doubted"] * bool(self.doubts)
        return SAID[self.verdict] + (f": {', '.join(named)}." if named else "")


def write_report(
    path: str | Path,
    sections: Sequence[Section],
    *,
    title: str,
    intro: str = "",
    headline: Headline | None = None,
    synthetic: bool = False,
) -> Path:
    """Write a report as one HTML file with its pictures inside; it loads nothing from elsewhere.

    Args:
        path: the .html file. intro: a line below the title. headline: what to show first.
        synthetic: say at the top that the person is drawn, not filmed.
    """
    path = Path(path)
    page = fill_template(
        "report.html",
        title=title,
        intro=intro,
        headline=headline,
        badge=SYNTHETIC if synthetic else "",
        sections=sections,
        jpeg=jpeg_data,
        plot=svg_curve,
    )
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def jpeg_data(image: np.ndarray, *, quality: int = 88) -> str:
    """A picture (H, W, 3) as the base64 text of a JPEG file."""
    return base64.b64encode(pictures.encode_jpeg(image, quality=quality)).decode()
