"""What silhouettes show that the body does not explain, frame by frame (docs/surface.md, 3).

Cloth that stands off the body lies inside the mask, far from the silhouette of the body. A skirt may fit as
tightly as trousers, yet it covers the gap between the legs, however narrow that is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvr_nb.geometry.outline_distance import signed_distance
from hvr_nb.geometry.raster import rasterize
from hvr_nb.types import Camera, Canonical

LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))  # SMPL joints of the left and the right leg
MISPLACED = 0.015  # metres, largest error of a pose that is made allowance for
NARROW = 2  # pixels; narrower gaps between the legs are not looked at
FILLED = 0.85  # share of a gap inside the mask from which on it counts as covered
COVERED = 0.65  # share of the gaps above the hem, by width, that a skirt covers
STATIONS = np.linspace(0, 2, 21)  # along the leg: 0 hip, 1 knee, 2 ankle
ABOVE = 0.35  # of a station: how far above the hem gaps are looked at
BARE = 0.1  # share of cloth under which legs count as bare
HALF = 0.5  # station below which a skirt ends, for masks without labels; seats of trousers end above


@dataclass(frozen=True)
class MaskView:
    """One frame: what its mask holds beside the silhouette of the body."""

    off: np.ndarray  # (H, W) float32, metres off the body's silhouette inside the mask; 0 elsewhere
    slack: float  # pixels by which the body itself reaches out of the mask, an error of its pose
    gaps: np.ndarray  # (G, 3) gaps between the legs: station, width in metres, share inside the mask
    cloth: np.ndarray  # (S, 2) pixels of the legs at each of STATIONS: number, and how many are cloth


def leg_places(canonical: Canonical) -> tuple[np.ndarray, np.ndarray]:
    """Which leg a vertex of the body belongs to (V,): 0 none, 1 left, 2 right; and its station (V,)."""
    strongest, (left, right) = canonical.weights.argmax(1), LEGS
    side = np.isin(strongest, left) + 2 * np.isin(strongest, right)
    height = canonical.rest_joints[:, 1]
    ends = [-(height[a] + height[b]) / 2 for a, b in zip(left[:3], right[:3], strict=True)]
    return side, np.interp(-canonical.rest_vertices[:, 1], ends, [0, 1, 2])


def view_of(
    vertices: np.ndarray,
    canonical: Canonical,
    legs: tuple[np.ndarray, np.ndarray],
    camera: Camera,
    mask: np.ndarray,
    cloth: np.ndarray | None,
) -> MaskView:
    """Compare the body in one frame with its mask.

    Args:
        vertices: (V, 3) world metres. legs: of ``leg_places``. mask: (H, W) ``signed_distance`` of the mask.
        cloth: (H, W) bool, pixels that labels call cloth; None without labels.
    """
    depth, face, _ = rasterize(vertices, canonical.faces, camera)
    drawn = face >= 0
    metres = float(np.median(depth[drawn])) / camera.K[0, 0] if drawn.any() else np.inf
    body = signed_distance((drawn * 255).astype(np.uint8)).astype(np.float32)
    off = np.where((mask < -1) & (body > 0), body * metres, 0).astype(np.float32)
    edge = drawn & (body > -1.5)
    slack = float(np.percentile(mask[edge], 90)) if edge.any() else 0.0
    slack = max(min(slack, MISPLACED / metres), 0.5)
    corner = canonical.faces[:, 0]
    side = np.where(drawn, legs[0][corner][face], -1)
    station = np.where(side > 0, legs[1][corner][face], np.nan)
    gaps = _gaps(side, station, mask < 0, metres)
    seen = (side > 0) & (mask < 0)
    number = np.round(station[seen] * (len(STATIONS) - 1) / 2).astype(int)
    count = np.bincount(number, minlength=len(STATIONS))
    dressed = count if cloth is None else np.bincount(number, cloth[seen], len(STATIONS))
    return MaskView(off, slack, gaps, np.stack([count, dressed], 1))


def views_of(
    posed: np.ndarray,
    canonical: Canonical,
    camera: Camera,
    distances: list[np.ndarray],
    cloth: np.ndarray | None,
) -> list[MaskView]:
    """``view_of`` of T frames: posed (T, V, 3), distances (T,), cloth (T, H, W) or None."""
    legs, labels = leg_places(canonical), [None] * len(distances) if cloth is None else cloth
    return [
        view_of(vertices, canonical, legs, camera, mask, worn)
        for vertices, mask, worn in zip(posed, distances, labels, strict=True)
    ]


def _gaps(side, station, inside, metres: float) -> np.ndarray:
    """(G, 3) station, width in metres and share inside the mask of the gaps between the legs.

    Args:
        side: (H, W) -1 background, 0 body, 1 left leg, 2 right leg. station: (H, W). inside: (H, W) bool.
    """
    height, width = side.shape
    row, col = np.arange(height)[:, None], np.arange(width)
    left = np.maximum.accumulate(np.where(side >= 0, col, -1), axis=1)
    right = np.minimum.accumulate(np.where(side >= 0, col, width)[:, ::-1], axis=1)[:, ::-1]
    between = (side < 0) & (left >= 0) & (right < width)
    between &= side[row, left] * side[row, np.minimum(right, width - 1)] == 2
    y, x = np.nonzero(between)
    first, run = np.unique(y * width + left[y, x], return_inverse=True)
    size = np.bincount(run, minlength=len(first))
    filled = np.bincount(run, inside[y, x], len(first)) / np.maximum(size, 1)
    start = first // width, first % width
    end = start[0], np.minimum(start[1] + size + 1, width - 1)
    gaps = np.stack([(station[start] + station[end]) / 2, size * metres, filled], 1)
    return gaps[size >= NARROW]


def hem_of_skirt(views: list[MaskView], *, labels: bool) -> float | None:
    """The station at which cloth that spans both legs ends; None where each leg has its own.

    Legs of trousers part above their hem and show the background between them, a skirt does so in no view.
    Gaps count by their width, so legs that are close together say little.

    Args:
        labels: whether the views know which pixels are cloth; otherwise the hem is where gaps open.
    """
    gaps = np.concatenate([v.gaps for v in views])
    if len(gaps) < 2:
        return None
    number = np.round(gaps[:, 0] * (len(STATIONS) - 1) / 2).astype(int)
    wide = np.bincount(number, gaps[:, 1], len(STATIONS))
    full = np.bincount(number, gaps[:, 1] * (gaps[:, 2] >= FILLED), len(STATIONS))
    if labels:
        count, dressed = np.sum([v.cloth for v in views], axis=0).T
        share = dressed / np.maximum(count, 1)
        last = np.flatnonzero(share >= max(0.5 * share.max(), BARE))
    else:
        last = np.flatnonzero((wide > 0) & (full >= COVERED * wide))
        last = last[STATIONS[last] >= HALF]
    if not len(last):
        return None
    hem = STATIONS[last[-1]]
    near = (hem - ABOVE < STATIONS) & (hem >= STATIONS) & (wide > 0)
    return float(hem) if near.any() and full[near].sum() >= COVERED * wide[near].sum() else None
