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
from hvr_nb.types import Canonical

SURE = 4.0  # logits are cut at plus and minus this: beyond, a network only says how sure it is
SOFT = 0.01  # metres over which the body's own occupancy goes from inside to outside
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


def carry_band(band: CanonicalBand, faces: np.ndarray, skin: np.ndarray, world: np.ndarray):
    """The band's points in one frame.

    Args:
        faces: (F, 3) of the skin. skin: (V, 3) posed skin, metres. world: (24, 3, 4) rest pose to world.

    Returns:
        (N, 3) world metres; (N,) bool, whether the skin that a point is bound to is the nearest there. Beside
        a thigh the points around a hand are not the hand's.
    """
    points = carried(band.binding, faces, skin, world)
    away = nearest_surface(points, skin, faces)[2]
    own = band.binding.distance
    same_side = ((away < 0) == (own < 0)) | (np.abs(own) < NEARER)
    return points, same_side & (np.abs(away) > np.abs(own) - NEARER)


def to_canonical(points: np.ndarray, canonical: Canonical, skin: np.ndarray, world: np.ndarray):
    """World points (N, 3) of a frame in the big pose (N, 3), by the nearest skin, and how far off it (N,).

    Args:
        skin: (V, 3) posed skin. world: (24, 3, 4) rest pose to world. Metres; distances negative inside.
    """
    face, bary, away = nearest_surface(points, skin, canonical.faces)
    weights = on_surface(canonical.weights, canonical.faces, face, bary)
    offset = points - on_surface(skin, canonical.faces, face, bary)
    rest = np.linalg.solve(blend_joints(weights, world)[:, :, :3], offset[..., None])
    foot = on_surface(canonical.vertices, canonical.faces, face, bary)
    return foot + (blend_joints(weights, canonical.A_big)[:, :, :3] @ rest)[..., 0], away


def logit(occupancy: np.ndarray) -> np.ndarray:
    """(N,) logits of occupancies (N,), cut at ``SURE``."""
    p = np.clip(occupancy, 1e-6, 1 - 1e-6)
    return np.clip(np.log(p / (1 - p)), -SURE, SURE).astype(np.float32)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """(N,) occupancies of logits (N,)."""
    return 1 / (1 + np.exp(-logits))


def body_occupancy(away: np.ndarray) -> np.ndarray:
    """(N,) occupancy of the bare body at signed distances (N,), metres."""
    return sigmoid(-np.clip(away / SOFT, -30, 30))


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
    """(X, Y, Z) occupancy in the big pose by the mean of logits (N,); the body's where no frame tells."""
    known = np.stack([~np.isnan(x) for x in logits]).sum(0)
    total = np.sum([np.nan_to_num(x.astype(np.float32)) for x in logits], axis=0)
    bare = logit(body_occupancy(band.binding.distance))
    grid = np.zeros(band.shape, np.float32)
    inner = np.where(known > 0, total / np.maximum(known, 1), bare)
    grid.ravel()[band.which] = sigmoid(inner)
    return grid
