"""Levelling: the up direction of a person who turns right round (docs/fit.md, 9).

A single camera does not know which way is down. A body is therefore fitted in a world that has the
camera's axes, and before a camera that looks down everybody seems to lean. A standing person keeps the
trunk above the feet, and a person who turns right round leans equally often to all sides. So the mean
over all headings of the direction from the feet to the trunk is up.
"""

from __future__ import annotations

import numpy as np

from hvr_nb.body.headings import FULL_TURN, headings, turn_shown
from hvr_nb.body.kinematics import pose_body, rig_of
from hvr_nb.body.model import BodyModel
from hvr_nb.body.worlds import rest_pelvis, turned
from hvr_nb.lift.floor import PITCH, ROLL, Floor
from hvr_nb.types import Body

SECTORS = 12  # sectors of headings; each counts the same, however long the person faces that way
FEWEST = 8  # sectors that must have frames
ERROR = np.tan(np.radians([1.0, 3.0]))  # of the mean direction: sideways, in depth
TRUNK, ANKLES = (0, 12), (7, 8)


def level_body(body: Body, model: BodyModel) -> Body:
    """The same body and camera in a world whose Y axis is up; the camera sees the same picture.

    The direction that the body shows is weighed against the prior that cameras are held about level
    (``floor.PITCH`` and ``floor.ROLL``). A person who does not turn right round (``FULL_TURN``) says
    nothing about the camera, and the body is returned unchanged.
    """
    turn = tilt(body, model)
    return body if turn is None else turned(body, turn, rest_pelvis(model, body.betas))


def tilt(body: Body, model: BodyModel) -> np.ndarray | None:
    """The rotation (3, 3) from the world of ``body`` to a level one; None where it is not known."""
    if turn_shown(body) < FULL_TURN:
        return None
    seen = body.frame(np.flatnonzero(body.valid))
    R = body.camera.R
    joints = pose_body(rig_of(model), seen).joints @ R.T
    axis = joints[:, TRUNK].mean(1) - joints[:, ANKLES].mean(1)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    sector = np.floor(headings(seen) / (360 / SECTORS))
    found = np.unique(sector)
    if len(found) < FEWEST:
        return None
    up = np.mean([axis[sector == s].mean(0) for s in found], 0)  # camera axes: x right, y down, z away
    trusted = np.array([ROLL, PITCH]) ** 2 / (np.array([ROLL, PITCH]) ** 2 + ERROR**2)
    roll, pitch = trusted * np.arctan2(up[[0, 2]], -up[1])
    slanted = np.array([np.tan(roll), -1.0, np.tan(pitch)]) @ R
    return Floor(slanted / np.linalg.norm(slanted), 0.0).level()[0]
