"""Blend weights of loose cloth: a smooth field instead of the weights of the nearest skin (docs/body.md, 10).

A point becomes loose from 2 to 5 cm off the skin. Loose points are skinned with diffused harmonic weights
at their own position in the big pose, so that a skirt neither tears nor folds where the nearest leg changes.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from hvr_nb.geometry.functions import smoothstep

NEAR, FAR = 0.02, 0.05  # metres off the skin between which a point becomes loose


def looseness(distance: np.ndarray) -> np.ndarray:
    """(...,) looseness 0..1 at signed distances (...,) from the skin, metres."""
    return smoothstep(distance, NEAR, FAR)


def blend_joints(weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Joint transforms (24, 3, 4) blended by weights (N, 24): (N, 3, 4)."""
    return (weights @ transforms.reshape(24, 12)).reshape(-1, 3, 4)


def carry_points(blended: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 3) moved by transforms (N, 3, 4)."""
    return np.einsum("nij,nj->ni", blended[:, :, :3], points) + blended[:, :, 3]


def carry_back(blended: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The points (N, 3) that transforms (N, 3, 4) move to ``points``: the inverse of ``carry_points``."""
    return np.linalg.solve(blended[:, :, :3], (points - blended[:, :, 3])[..., None])[..., 0]


def weights_at(points: np.ndarray, canonical) -> np.ndarray:
    """(N, 24) smooth blend weights at big-pose points (N, 3)."""
    out = np.empty((len(points), 24))
    where = ((points - canonical.origin) / canonical.spacing).T
    for joint in range(24):
        out[:, joint] = map_coordinates(canonical.loose_weights[..., joint], where, order=1, mode="nearest")
    return out
