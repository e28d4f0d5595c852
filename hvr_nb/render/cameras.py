"""Cameras to render from: a turntable and a portrait; and the frame that shows the whole body."""

from __future__ import annotations

import numpy as np

from hvr_nb.geometry.camera import camera_centre, look_at, orbit, project
from hvr_nb.types import Body, Camera


def vertical_axis(joints: np.ndarray) -> np.ndarray:
    """(3,) the person's own up direction: from the ankles to the neck, mean over the clip.

    Where the person does not stand (mean direction over 45 degrees off), world Y is returned.

    Args:
        joints: (T, 24, 3) SMPL joints, metres.
    """
    up = (joints[:, 12] - joints[:, [7, 8]].mean(1)).mean(0)
    up /= np.linalg.norm(up)
    return up if up[1] > np.cos(np.pi / 4) else np.array([0.0, 1.0, 0.0])


def turntable(camera: Camera, joints: np.ndarray, *, views: int, frame: int = 0) -> list[Camera]:
    """Cameras on a circle about the person's own vertical axis, starting at ``camera``.

    Args:
        camera: the clip's camera. joints: (T, 24, 3) SMPL joints, metres.
        views: how many. frame: the frame whose mean joint is the centre.
    """
    centre, axis = joints[frame].mean(0), vertical_axis(joints)
    return [orbit(camera, centre, 2 * np.pi * k / views, axis=axis) for k in range(views)]


def whole_frame(body: Body, joints: np.ndarray, *, border: float = 0.03) -> int:
    """Index of the first frame whose person is wholly in the picture; else of the one with most joints in it.

    Args:
        joints: (T, 24, 3) SMPL joints, metres. border: joints this close to the edge (as a share of
            the picture) are not counted as in it.
    """
    camera = body.camera
    points = np.stack([project(frame, camera) for frame in joints])
    size = np.array([camera.width, camera.height])
    inside = ((points > border * size) & (points < (1 - border) * size)).all(-1).sum(1)
    return int(np.argmax(np.where(body.valid, inside, -1)))


def portrait(camera: Camera, joints: np.ndarray, *, least: int = 256) -> Camera:
    """A camera in the place of ``camera`` turned to a person, with a square picture that fits them.

    Args:
        joints: (..., 3) all joints to be seen, metres.
        least: side of the picture, pixels, for a person who is filmed smaller.
    """
    points = joints.reshape(-1, 3)
    middle = points.mean(0)
    eye = camera_centre(camera)
    radius = (
        np.linalg.norm(points - middle, axis=1).max() + 0.25
    )  # skull, hands and clothes reach beyond the joints
    filmed = 2 * radius * camera.K[1, 1] / np.linalg.norm(middle - eye)
    side = int(np.clip(2 * np.ceil(filmed / 2), least, max(camera.width, camera.height, least)))
    focal = camera.K[1, 1] * side / filmed
    K = np.array([[focal, 0, side / 2], [0, focal, side / 2], [0, 0, 1.0]])
    return look_at(eye, middle, Camera(K, side, side), up=-camera.R[1])
