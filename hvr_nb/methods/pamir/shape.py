"""The mesh of a frame, and the mean surface in the big pose, from occupancies."""

from __future__ import annotations

import numpy as np

from hvr_nb.canonical.binding import Skin
from hvr_nb.methods.pamir.film import Occupancy, PersonFilm
from hvr_nb.methods.pamir.fuse import (
    CanonicalBand,
    carry_band,
    corrected,
    logit,
    mean_logits,
    sigmoid,
    to_canonical,
)
from hvr_nb.methods.pamir.octree import OccupancyGrid, band_occupancy, surface_mesh
from hvr_nb.types import HvrError


def band_logits(film: PersonFilm, band: CanonicalBand, frame: int, occupancy: Occupancy) -> np.ndarray:
    """(N,) float16 logits of a frame at the band's points, NaN where they are not the frame's to tell."""
    points, own = carry_band(band, film.canonical.faces, *_pose(film, frame))
    out = np.full(len(points), np.nan, np.float16)
    out[own] = logit(occupancy(points[own]))
    return out


def frame_surface(
    film: PersonFilm,
    frame: int,
    occupancy: Occupancy,
    *,
    resolution: int,
    reach: float,
    band: CanonicalBand | None = None,
    grid: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The mesh of a frame: vertices (V, 3) in the world, metres; faces (F, 3).

    Args:
        occupancy: of world points. resolution: cells along the cube. reach: metres around the body.
        grid: (X, Y, Z) correction of ``hvr_nb.methods.pamir.fuse`` on ``band``; None: the frame alone.

    Raises:
        HvrError: nothing is occupied.
    """
    crops, scale = film.crops, film.crops.scale

    def ask(cube: np.ndarray) -> np.ndarray:
        points = crops.to_world(cube, frame)
        told = occupancy(points)
        if grid is not None:
            there, _ = to_canonical(points, film.canonical, *_pose(film, frame))
            told = sigmoid(logit(told) + corrected(there, grid, band))
            told = np.minimum(told, film.covered(points, frame))
        return told

    def away(cube: np.ndarray) -> np.ndarray:
        return scale * film.away(crops.to_world(cube, frame), frame)

    body = crops.to_cube(film.skin.vertices[frame], frame)
    low, high = body.min(0) - reach * scale, body.max(0) + reach * scale
    found = band_occupancy(ask, away, low, high, cell=1 / resolution, band=reach * scale)
    vertices, faces = surface_mesh(found)
    if not len(faces):
        raise HvrError(
            f"the mask of frame {frame} shows nobody where the body stands; look at 02_masks and 03_body"
        )
    return crops.to_world(vertices, frame), faces


def mean_surface(band: CanonicalBand, logits: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The surface of all frames' mean occupancy in the big pose: vertices (V, 3) metres, faces (F, 3)."""
    return surface_mesh(OccupancyGrid(mean_logits(band, logits), band.low, band.cell, 0))


def _pose(film: PersonFilm, frame: int) -> tuple[np.ndarray, np.ndarray]:
    skin: Skin = film.skin
    return skin.vertices[frame], skin.world[frame]
