"""Cameras and normal maps of SelfRecon and REC-MV data folders (docs/formats.md, 7).

Their camera axes are PyTorch3D's (x left, y up, z forward), points are rows, pixel centres are at integers:
``x_cam = x_world R + T``, ``u = cx - fx x / z``, ``v = cy - fy y / z``. Here they are OpenCV's, with columns
and pixel centres at +0.5. With the usual ``quat`` (0, 0, 0, 1), half a turn about z, their world has
OpenCV's camera axes: y down, z forward.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.types import Camera, HvrError

FLIP = np.diag([-1.0, -1.0, 1.0])  # PyTorch3D's camera axes to OpenCV's and back
NAMES = ("fx", "fy", "cx", "cy", "quat", "T")


def camera_from_values(values: dict, path: Path, *, width: int, height: int) -> Camera:
    """The camera of ``camera.npz`` in their world.

    Args:
        values: its content: fx, fy, cx, cy in pixels, quat (4,) w x y z, T (3,) metres.
        path: for messages. width, height: of the pictures, pixels.

    Raises:
        HvrError: a value is missing, not a number or out of range.
    """
    missing = [name for name in NAMES if name not in values]
    if missing:
        raise HvrError(f"{path} has no {', '.join(missing)}; it needs {', '.join(NAMES)}")
    try:
        fx, fy, cx, cy = (float(np.asarray(values[name], float).reshape(())) for name in NAMES[:4])
        quat, t = (np.asarray(values[name], float).reshape(size) for name, size in (("quat", 4), ("T", 3)))
    except (TypeError, ValueError) as error:
        raise HvrError(
            f"{path}: fx, fy, cx, cy must be numbers, quat four and T three of them ({error})"
        ) from error
    if not np.isfinite([fx, fy, cx, cy, *quat, *t]).all() or min(fx, fy) <= 0 or not np.linalg.norm(quat) > 0:
        raise HvrError(
            f"{path}: fx {fx:g}, fy {fy:g}, quat {quat}, T {t} are not a camera; focal lengths must be "
            "positive, in pixels, and quat is (w, x, y, z)"
        )
    K = np.array([[fx, 0, cx + 0.5], [0, fy, cy + 0.5], [0, 0, 1]])
    rows = Rotation.from_quat(np.roll(quat, -1)).as_matrix()
    return Camera(K=K, width=width, height=height, R=FLIP @ rows.T, t=FLIP @ t, source="given")


def values_from_camera(camera: Camera) -> dict[str, np.ndarray]:
    """The content of ``camera.npz`` for a camera: numbers, quat (4,), T (3,); without lens distortion."""
    x, y, z, w = Rotation.from_matrix((FLIP @ camera.R).T).as_quat()
    quat = np.array([w, x, y, z])
    (fx, _, cx), (_, fy, cy), _ = camera.K
    return {
        "fx": np.float64(fx),
        "fy": np.float64(fy),
        "cx": np.float64(cx - 0.5),
        "cy": np.float64(cy - 0.5),
        "quat": quat * (1.0 if quat[np.abs(quat).argmax()] > 0 else -1.0),
        "T": FLIP @ camera.t,
    }


def normals_from_picture(picture: np.ndarray) -> np.ndarray:
    """Unit normals (H, W, 3) float32 in OpenCV camera axes of a normal map (H, W, 3) uint8; 0 where unknown.

    Theirs are ``(n + 1) / 2 * 255`` with x right, y up and z towards the camera. The black background (length
    1.7) and the blended edges of such maps are left out, as their vectors are not of unit length.
    """
    n = picture[..., :3].astype(np.float32) / 127.5 - 1
    length = np.linalg.norm(n, axis=-1, keepdims=True)
    known = (np.abs(length - 1) < 0.2) & (n[..., 2:] > -0.3)
    return np.where(known, n / np.maximum(length, 1e-6), 0) * np.float32([1, -1, -1])


def picture_from_normals(normals: np.ndarray) -> np.ndarray:
    """Normal map (H, W, 3) uint8 of unit normals (H, W, 3) in OpenCV camera axes; black where they are 0."""
    known = np.linalg.norm(normals, axis=-1, keepdims=True) > 0.5
    n = np.where(known, normals * np.float32([1, -1, -1]), -1)
    return ((n + 1) * 127.5 + 0.5).clip(0, 255).astype(np.uint8)
