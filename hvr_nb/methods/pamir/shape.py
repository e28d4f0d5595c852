"""The mesh of a frame, and the mean surface in the big pose, from occupancies."""

from __future__ import annotations

import numpy as np

from hvr_nb.canonical.binding import Skin
from hvr_nb.methods.pamir.film import FrameOccupancy, PersonFilm
from hvr_nb.methods.pamir.fuse import (
    CanonicalBand,
    between_coarse,
    carry_band,
    corrected,
    mean_logits,
    on_every_second_node,
    to_canonical,
)
from hvr_nb.methods.pamir.logits import SURE, cut_logits
from hvr_nb.methods.pamir.octree import LogitGrid, sample_band, surface_mesh
from hvr_nb.types import HvrError


def band_logits(film: PersonFilm, band: CanonicalBand, frame: int, occupancy: FrameOccupancy) -> np.ndarray:
    """(N,) float16 logits of a frame at the band's points, NaN where they are not the frame's to tell.

    Every second node is asked first; what lies between nodes that are all sure of the same is not asked.
    """
    points, own, near = carry_band(band, film.canonical.faces, *_pose(film, frame))
    out = np.full(len(points), np.nan, np.float16)

    def ask(which: np.ndarray) -> None:
        some = points[which]
        out[which] = occupancy.masked(occupancy(some, tuple(x[which] for x in near)), some)

    coarse = on_every_second_node(band)
    ask(own & coarse)
    between = between_coarse(band, np.nan_to_num(out.astype(np.float32)))
    sure = np.abs(between) > SURE - 1e-3
    out[own & ~coarse & sure] = between[own & ~coarse & sure]
    ask(own & ~coarse & ~sure)
    return out


def frame_surface(
    film: PersonFilm,
    frame: int,
    occupancy: FrameOccupancy,
    *,
    resolution: int,
    reach: float,
    band: CanonicalBand | None = None,
    grid: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The mesh of a frame: vertices (V, 3) in the world, metres; faces (F, 3).

    Args:
        resolution: cells along the cube. reach: metres around the body.
        grid: (X, Y, Z) correction of ``hvr_nb.methods.pamir.fuse`` on ``band``; None: the frame alone.

    Raises:
        HvrError: nothing is occupied.
    """
    crops, scale = film.crops, film.crops.scale

    def ask(cube: np.ndarray) -> np.ndarray:
        points = crops.to_world(cube, frame)
        near = film.near(points, frame)
        told = occupancy(points, near)
        if grid is not None:
            there = to_canonical(points, near, film.canonical, *_pose(film, frame))
            told = cut_logits(told + corrected(there, grid, band))
        return occupancy.masked(told, points)

    def away(cube: np.ndarray) -> np.ndarray:
        return scale * film.near(crops.to_world(cube, frame), frame)[2]

    body, wide = crops.to_cube(film.skin.vertices[frame], frame), reach * scale
    found = sample_band(ask, away, body.min(0) - wide, body.max(0) + wide, cell=1 / resolution, band=wide)
    vertices, faces = surface_mesh(found)
    if not len(faces):
        raise HvrError(
            f"the mask of frame {frame} shows nobody where the body stands; look at 02_masks and 03_body"
        )
    return crops.to_world(vertices, frame), faces


def mean_surface(band: CanonicalBand, logits: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The surface of all frames' mean logits in the big pose: vertices (V, 3) metres, faces (F, 3)."""
    return surface_mesh(LogitGrid(mean_logits(band, logits), band.low, band.cell, 0))


def _pose(film: PersonFilm, frame: int) -> tuple[np.ndarray, np.ndarray]:
    skin: Skin = film.skin
    return skin.vertices[frame], skin.world[frame]
