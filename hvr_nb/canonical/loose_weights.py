"""Cloth that stands off the body: skinning by a smooth field of weights instead of the nearest skin.

From 2 to 5 cm off the skin a point is ever looser; what is loose is carried by the blend of joint transforms
with the diffused harmonic weights at its own place in the big pose, so that a skirt neither tears nor folds
where the nearest leg changes (specs/surface.md C2).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from hvr_nb.geometry.functions import smoothstep

NEAR, FAR = 0.02, 0.05  # metres off the skin between which a point becomes loose


def looseness(distance: np.ndarray) -> np.ndarray:
    """(...,) share 0..1 of the smooth field at signed distances from the skin, metres."""
    return smoothstep(distance, NEAR, FAR)


def blend_joints(weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Joint transforms (24, 3, 4) blended by weights (N, 24): (N, 3, 4)."""
    return (weights @ transforms.reshape(24, 12)).reshape(-1, 3, 4)


def carry_points(blended: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, 3, 4) transforms of (N, 3) points."""
    return np.einsum("nij,nj->ni", blended[:, :, :3], points) + blended[:, :, 3]


def carry_back(blended: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The points (N, 3) that (N, 3, 4) transforms carry to ``points``."""
    return np.linalg.solve(blended[:, :, :3], (points - blended[:, :, 3])[..., None])[..., 0]


def weights_at(points: np.ndarray, canonical) -> np.ndarray:
    """(N, 24) smooth skin weights at big-pose points (N, 3)."""
    out = np.empty((len(points), 24))
    where = ((points - canonical.origin) / canonical.spacing).T
    for joint in range(24):
        out[:, joint] = map_coordinates(canonical.loose_weights[..., joint], where, order=1, mode="nearest")
    return out
