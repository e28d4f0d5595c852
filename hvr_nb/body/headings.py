"""Headings: which way a person faces, and how much of a full turn a clip shows."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.types import Body

FULL_TURN = 270.0  # degrees of ``turn_shown`` from which a person counts as turning right round


def headings(body: Body) -> np.ndarray:
    """Headings of the pelvis in the N valid frames: (N,) degrees, -180 to 180, 0 facing the camera."""
    ahead = Rotation.from_rotvec(body.global_orient[body.valid]).apply([0.0, 0.0, 1.0]) @ body.camera.R.T
    return np.degrees(np.arctan2(ahead[:, 0], -ahead[:, 2]))


def turn_shown(body: Body) -> float:
    """Degrees of a full turn that a person shows to the camera: 360 minus the widest gap between headings."""
    return turn_of(headings(body))


def turn_of(angles: np.ndarray) -> float:
    """360 degrees minus the widest gap between headings (N,), degrees."""
    angles = np.sort(angles)
    if not len(angles):
        return 0.0
    return float(360 - np.diff(np.r_[angles, angles[0] + 360]).max())
