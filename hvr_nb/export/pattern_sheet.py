"""A garment's panels as an SVG sheet in millimetres (docs/surface.md, 13)."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np

from hvr_nb.surface.garments.pattern import Panel

MARGIN, GAP, WIDEST = 20.0, 25.0, 1400.0  # millimetres: round the sheet, between panels, longest row
HEAD = 26.0  # millimetres above the panels, for the title
SAME = 1e-6  # metres: middles of edges nearer than that are the same edge of two panels


def pattern_sheet(title: str, panels: list[Panel]) -> str:
    """SVG text: the panels in true size, seams numbered alike on both sides, and how much each was stretched.

    One unit of the drawing is one millimetre. Seams are drawn full, the garment's own ends dashed.
    """
    seam = _seams(panels)
    places, width, height = _rows(panels)
    body = [
        "<style>path{fill:none;stroke:#222;stroke-width:0.7}.end{stroke-dasharray:5 3}"
        "text{font-family:sans-serif;font-size:9px;text-anchor:middle}.seam{font-size:7px;fill:#a33}</style>",
        f'<text x="{width / 2:.1f}" y="16" style="font-size:13px">{escape(title)}</text>',
    ]
    for number, (panel, place) in enumerate(zip(panels, places, strict=True)):
        xy = _millimetres(panel) + place
        body.append(f'<g id="{escape(panel.name.replace(" ", "_"))}">')
        loop, kinds = xy[panel.border], seam[number]
        for kind, first, last in _runs(kinds):
            path = loop[(first + np.arange(last - first + 1)) % len(loop)]
            dashed = ' class="end"' if kind < 0 else ""
            points = " L ".join(f"{x:.2f} {y:.2f}" for x, y in path)
            body.append(f'<path{dashed} d="M {points}"/>')
            if kind >= 0:
                x, y = path[len(path) // 2]
                body.append(f'<text class="seam" x="{x:.1f}" y="{y:.1f}">{kind + 1}</text>')
        x, y = xy.mean(0)
        s = panel.stretch
        body.append(f'<text x="{x:.1f}" y="{y:.1f}">{escape(panel.name)}</text>')
        body.append(
            f'<text x="{x:.1f}" y="{y + 11:.1f}" style="font-size:7px">stretch {s.mean_pct:.1f} % mean, '
            f"{s.p95_pct:.1f} % p95, area {s.area_pct:+.1f} %</text></g>"
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.1f}mm" height="{height:.1f}mm" '
        f'viewBox="0 0 {width:.1f} {height:.1f}">\n' + "\n".join(body) + "\n</svg>\n"
    )


def _millimetres(panel: Panel) -> np.ndarray:
    """(V, 2) places of a panel on the sheet from its upper left corner, y down."""
    xy = 1000 * panel.flat * [1, -1]
    return xy - xy.min(0)


def _rows(panels: list[Panel]) -> tuple[list[np.ndarray], float, float]:
    """Upper left corners of the panels, placed in rows, and the sheet's width and height; millimetres."""
    places, x, y, row, width = [], MARGIN, MARGIN + HEAD, 0.0, 0.0
    for panel in panels:
        wide, high = np.ptp(_millimetres(panel), axis=0)
        if x > MARGIN and x + wide > WIDEST:
            x, y, row = MARGIN, y + row + GAP, 0.0
        places.append(np.array([x, y]))
        x, row = x + wide + GAP, max(row, high)
        width = max(width, x - GAP + MARGIN)
    return places, width, y + row + MARGIN


def _seams(panels: list[Panel]) -> list[np.ndarray]:
    """For every edge of each panel's border the number of its seam, -1 where the garment ends."""
    edges = []
    for number, panel in enumerate(panels):
        a = panel.vertices[panel.border]
        middle = np.rint((a + np.roll(a, -1, 0)) / 2 / SAME).astype(np.int64)
        edges += [(tuple(m), number, k) for k, m in enumerate(middle.tolist())]
    owners: dict[tuple, list[tuple[int, int]]] = {}
    for key, number, k in edges:
        owners.setdefault(key, []).append((number, k))
    partner = [np.full(len(panel.border), -1) for panel in panels]
    for both in owners.values():
        if len(both) == 2:
            (a, i), (b, j) = both
            partner[a][i], partner[b][j] = b, a
    out, names = [], {}
    for number, partners in enumerate(partner):
        kinds = np.full(len(partners), -1)
        for k, other in enumerate(partners):
            if other >= 0:
                key = min(number, other), max(number, other)
                kinds[k] = names.setdefault(key, len(names))
        out.append(kinds)
    return out


def _runs(kinds: np.ndarray) -> list[tuple[int, int, int]]:
    """Runs of equal ``kinds`` (N,) round a closed border: kind, first vertex, and last one (may exceed N)."""
    starts = np.flatnonzero(kinds != np.roll(kinds, 1))
    if not len(starts):
        return [(int(kinds[0]), 0, len(kinds))]
    ends = np.append(starts[1:], starts[0] + len(kinds))
    return [(int(kinds[a]), int(a), int(b)) for a, b in zip(starts, ends, strict=True)]
