"""Coherence: the occupancies of neighbouring frames, brought together in the big pose.

A network that sees one frame at a time answers a little differently in each, and the surface flickers. Every
frame's occupancy is therefore also asked at fixed points of the big pose, carried into the frame with the
skin. There the answers of neighbouring frames can be averaged, as logits. What the average differs from a
frame's own answer is a smooth correction, which is carried back into that frame; its own detail stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from hvr_nb.canonical.big_pose import sample_field
from hvr_nb.canonical.binding import Binding, bind, carried
from hvr_nb.canonical.loose_weights import blend_joints
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.methods.pamir.film import Near
from hvr_nb.methods.pamir.logits import SURE, logits_off
from hvr_nb.methods.pamir.octree import doubled
from hvr_nb.types import Canonical

NEARER = 0.012  # metres; a carried point that much nearer to other skin belongs to that


@dataclass(frozen=True)
class CanonicalBand:
    """N points of the big pose inside and around the skin, nodes of a grid, bound to it."""

    low: np.ndarray  # (3,) position of node (0, 0, 0), metres
    cell: float  # distance of nodes, metres
    shape: tuple[int, int, int]  # nodes along each axis
    which: np.ndarray  # (N,) flat numbers of the nodes
    binding: Binding  # of the N points


def canonical_band(canonical: Canonical, *, cell: float, reach: float) -> CanonicalBand:
    """The nodes of a grid of ``cell`` metres inside the big-pose skin and up to ``reach`` metres off it."""
    low = canonical.vertices.min(0) - reach
    shape = tuple(np.ceil((canonical.vertices.max(0) + reach - low) / cell).astype(int) + 1)
    nodes = low + cell * np.indices(shape).reshape(3, -1).T
    away = sample_field(canonical, canonical.field_distance, nodes)
    which = np.flatnonzero(away <= reach)
    return CanonicalBand(low, cell, shape, which, bind(nodes[which], canonical))


def on_every_second_node(band: CanonicalBand) -> np.ndarray:
    """(N,) bool, the points of the band whose node is even along each axis."""
    return (np.stack(np.unravel_index(band.which, band.shape)) % 2 == 0).all(0)


def between_coarse(band: CanonicalBand, values: np.ndarray) -> np.ndarray:
    """(N,) what values (N,) of every second node are in between, linear; 0 where there is no point."""
    grid = np.zeros(band.shape, np.float32)
    grid.ravel()[band.which] = values
    grid = np.pad(grid[::2, ::2, ::2], ((0, 1),) * 3)
    return doubled(grid)[tuple(slice(0, n) for n in band.shape)].ravel()[band.which]


def carry_band(band: CanonicalBand, faces: np.ndarray, skin: np.ndarray, world: np.ndarray):
    """The band's points in one frame.

    Args:
        faces: (F, 3) of the skin. skin: (V, 3) posed skin, metres. world: (24, 3, 4) rest pose to world.

    Returns:
        (N, 3) world metres; (N,) bool, whether the skin that a point is bound to is the nearest there. Beside
        a thigh the points around a hand are not the hand's. And the skin nearest to the points.
    """
    points = carried(band.binding, faces, skin, world)
    near = nearest_surface(points, skin, faces)
    away, own = near[2], band.binding.distance
    same_side = ((away < 0) == (own < 0)) | (np.abs(own) < NEARER)
    return points, same_side & (np.abs(away) > np.abs(own) - NEARER), near


def to_canonical(points: np.ndarray, near: Near, canonical: Canonical, skin: np.ndarray, world: np.ndarray):
    """World points (N, 3) of a frame in the big pose (N, 3), by the nearest skin.

    Args:
        near: the skin nearest to the points. skin: (V, 3) posed skin. world: (24, 3, 4) rest pose to world.
    """
    face, bary, _ = near
    weights = on_surface(canonical.weights, canonical.faces, face, bary)
    offset = points - on_surface(skin, canonical.faces, face, bary)
    rest = np.linalg.solve(blend_joints(weights, world)[:, :, :3], offset[..., None])
    foot = on_surface(canonical.vertices, canonical.faces, face, bary)
    return foot + (blend_joints(weights, canonical.A_big)[:, :, :3] @ rest)[..., 0]


def neighbour_weights(count: int, frame: int, used: np.ndarray, sigma: float) -> dict[int, float]:
    """Frame -> weight of the frames that are averaged for one frame.

    Args:
        count: of frames. used: (M,) frames that may be used.
        sigma: standard deviation of the Gaussian, frames. Where it is 0, a frame is left alone; one that may
            not be used takes its nearest neighbours then.
    """
    away = np.abs(np.asarray(used) - frame)
    sigma = max(sigma, 1.0) if frame not in used else sigma
    if not sigma:
        return {frame: 1.0}
    near = np.asarray(used)[away <= max(np.ceil(2 * sigma), away.min(initial=count))]
    return {int(k): float(np.exp(-0.5 * ((k - frame) / sigma) ** 2) + 1e-9) for k in near}


def logit_correction(
    band: CanonicalBand, own: np.ndarray, logits: Mapping[int, np.ndarray], weights: Mapping[int, float]
) -> np.ndarray:
    """(X, Y, Z) float32 what the weighted mean of frames differs from a frame's own logits.

    Args:
        own: (N,) logits of the frame at the band's points; NaN where they are not the frame's to tell.
        logits: the same by frame. weights: of the frames to average.
    """
    total, mass = np.zeros(len(own), np.float32), np.zeros(len(own), np.float32)
    for frame, weight in weights.items():
        known = ~np.isnan(logits[frame])
        total[known] += weight * logits[frame][known].astype(np.float32)
        mass += weight * known
    told = (mass > 0) & ~np.isnan(own)
    grid = np.zeros(band.shape, np.float32)
    grid.ravel()[band.which[told]] = total[told] / mass[told] - own[told]
    return grid


def corrected(points: np.ndarray, grid: np.ndarray, band: CanonicalBand) -> np.ndarray:
    """(N,) values of a correction (X, Y, Z) at big-pose points (N, 3)."""
    return map_coordinates(grid, ((points - band.low) / band.cell).T, order=1, mode="constant")


def mean_logits(band: CanonicalBand, logits: list[np.ndarray]) -> np.ndarray:
    """(X, Y, Z) logits in the big pose, the mean of frames' (N,); the body's where no frame tells."""
    known = np.stack([~np.isnan(x) for x in logits]).sum(0)
    total = np.sum([np.nan_to_num(x.astype(np.float32)) for x in logits], axis=0)
    bare = logits_off(band.binding.distance)
    grid = np.full(band.shape, -SURE, np.float32)
    grid.ravel()[band.which] = np.where(known > 0, total / np.maximum(known, 1), bare)
    return grid
