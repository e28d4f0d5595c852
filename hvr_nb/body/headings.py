"""Which way a person faces, and how much of a turn a clip shows."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.types import Body

FULL_TURN = 270.0  # degrees of themselves from which on somebody is taken to turn right round


def headings(body: Body) -> np.ndarray:
    """Degrees (N,), -180 to 180, by which the pelvis is turned from facing the camera, in the valid frames."""
    ahead = Rotation.from_rotvec(body.global_orient[body.valid]).apply([0.0, 0.0, 1.0]) @ body.camera.R.T
    return np.degrees(np.arctan2(ahead[:, 0], -ahead[:, 2]))


def turn_shown(body: Body) -> float:
    """Degrees of themselves that a person shows to the camera: 360 less the widest gap between headings."""
    angles = np.sort(headings(body))
    if not len(angles):
        return 0.0
    return float(360 - np.diff(np.r_[angles, angles[0] + 360]).max())
