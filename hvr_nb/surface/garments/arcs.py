"""The visible arcs of a garment's borders in the frames, without clicks (docs/surface.md, 14).

The contour of a garment's label is a border of the garment only where what lies beyond it in the picture
lies beyond it on the surface too. Elsewhere it is an occluding contour: a sleeve before the trousers, a hand
before the shirt. The surface under the pixels on both sides tells which, and of which border.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.measure import find_contours

from hvr_nb.geometry.outline_distance import lookup
from hvr_nb.geometry.raster import rasterize
from hvr_nb.types import Camera

ASIDE = 2.0  # pixels from the contour to the places on both sides that are looked up
WITHIN, BEYOND = 0.05, 0.12  # metres along the surface to the border, inside and outside of the garment


@dataclass(frozen=True)
class Arc:
    """What one frame shows of one border: K points of a contour, not in order."""

    frame: int  # number in the film
    pixels: np.ndarray  # (K, 2)
    normal: np.ndarray  # (K, 2) unit, square to the contour


def vertex_picture(places: np.ndarray, faces: np.ndarray, camera: Camera) -> np.ndarray:
    """(H, W) int: the vertex nearest to what a pixel shows of a posed mesh (V, 3), (F, 3); -1 for nothing."""
    _, face, bary = rasterize(places, faces, camera)
    corner = faces[face, bary.argmax(-1)]
    return np.where(face >= 0, corner, -1)


def border_arcs(
    frame: int, picture: np.ndarray, kind: int, shown: np.ndarray, away: Mapping[str, np.ndarray]
) -> dict[str, Arc]:
    """The arcs of a garment's borders in one frame, by border.

    Args:
        frame: its number. picture: (H, W) int8 of ``votes.kinds_of``. kind: of the garment.
        shown: (H, W) of ``vertex_picture``. away: metres (V,) along the surface to each border.
    """
    cloth = np.pad((picture == kind).astype(np.float32), 1)
    if not cloth.any():
        return {}
    slope = np.stack(np.gradient(gaussian_filter(cloth, 1.5))[::-1], -1)[1:-1, 1:-1].astype(np.float32)
    lines = [line[:, ::-1] - 0.5 for line in find_contours(cloth, 0.5)]  # padding and pixel centres at + 0.5
    pixels = np.concatenate(lines)
    normal = -lookup(slope, pixels)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    inside, outside = (_at(shown, pixels + side * ASIDE * normal) for side in (-1, 1))
    beside = _at(picture, pixels + ASIDE * normal)
    known = (inside >= 0) & (outside >= 0) & (beside >= 0) & (beside != kind)
    names = list(away)
    reach = np.stack([away[name] for name in names])
    nearest = reach[:, inside].argmin(0)
    out = {}
    for k, name in enumerate(names):
        mine = known & (nearest == k) & (reach[k, inside] < WITHIN) & (reach[k, outside] < BEYOND)
        if mine.any():
            out[name] = Arc(frame, pixels[mine], normal[mine])
    return out


def drawn_arc(frame: int, line: np.ndarray) -> Arc:
    """A line (N, 2), pixels, that somebody drew along a border in one frame, with a point every pixel."""
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    at = np.linspace(0, along[-1], max(2, round(along[-1]) + 1))
    pixels = np.stack([np.interp(at, along, column) for column in line.T], 1)
    way = np.gradient(pixels, axis=0)
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    return Arc(frame, pixels, way[:, ::-1] * [1, -1])


def _at(picture: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N,) values of a picture (H, W) at pixels (N, 2), -1 outside of it."""
    col, row = np.floor(pixels).astype(int).T
    height, width = picture.shape
    inside = (col >= 0) & (col < width) & (row >= 0) & (row < height)
    return np.where(inside, picture[row.clip(0, height - 1), col.clip(0, width - 1)], -1)
