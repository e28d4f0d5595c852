"""Rotations, rigid alignment and the pinhole camera; numpy, float64 inside."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.types import Camera, HvrError

DEFAULT_FOCAL_RATIO = 1.2  # focal / larger image side where nothing better is known


def default_camera(width: int, height: int, focal: float = 0.0) -> Camera:
    """A centred monocular camera.

    Args:
        width, height: image size, pixels.
        focal: focal length, pixels; 0 takes 1.2 x the larger side.
    """
    if focal < 0:
        raise HvrError(f"focal is {focal}; it must be positive, in pixels (or 0 for the default)")
    f = focal or DEFAULT_FOCAL_RATIO * max(width, height)
    K = np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1.0]])
    return Camera(K=K, width=width, height=height, source="given" if focal else "default")


def to_camera(points: np.ndarray, camera: Camera) -> np.ndarray:
    """World points (..., 3), metres, in camera axes (..., 3)."""
    return points @ camera.R.T + camera.t


def project(points: np.ndarray, camera: Camera) -> np.ndarray:
    """World points (..., 3), metres, to pixels (..., 2); distortion is not applied."""
    x = to_camera(points, camera)
    uv = x @ camera.K.T
    return uv[..., :2] / uv[..., 2:]


def camera_centre(camera: Camera) -> np.ndarray:
    """(3,) position of the camera in the world, metres."""
    return -camera.R.T @ camera.t


def look_at(eye: np.ndarray, target: np.ndarray, like: Camera, up=(0.0, 1.0, 0.0)) -> Camera:
    """The camera ``like`` moved to ``eye`` (3,) and turned to ``target`` (3,), world metres."""
    eye, target = np.asarray(eye, float), np.asarray(target, float)
    z = target - eye
    z /= np.linalg.norm(z)
    x = np.cross(z, np.asarray(up, float))
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    return Camera(K=like.K.copy(), width=like.width, height=like.height, R=R, t=-R @ eye, source=like.source)


def orbit(camera: Camera, centre: np.ndarray, angle: float) -> Camera:
    """``camera`` carried about the vertical line through ``centre`` by ``angle`` radians.

    The framing stays as it is: camera and target turn together, so the same view is seen as if
    the person had turned by ``-angle``.
    """
    turn = Rotation.from_rotvec([0.0, angle, 0.0]).as_matrix()
    centre = np.asarray(centre, float)
    R = camera.R @ turn.T
    t = camera.t + camera.R @ centre - R @ centre
    return Camera(K=camera.K.copy(), width=camera.width, height=camera.height, R=R, t=t,
                  dist=camera.dist, source=camera.source)  # fmt: skip


def similarity(source: np.ndarray, target: np.ndarray, *, scale: bool = True):
    """Least-squares similarity ``s R x + t`` taking ``source`` to ``target`` (Umeyama 1991).

    Args:
        source, target: (N, 3) corresponding points, metres.
        scale: False keeps s = 1.

    Returns:
        s (float), R (3, 3), t (3,).
    """
    mu_s, mu_t = source.mean(0), target.mean(0)
    a, b = source - mu_s, target - mu_t
    u, d, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    R = (u * sign) @ vt
    s = float((d * sign).sum() / (a**2).sum()) if scale else 1.0
    return s, R, mu_t - s * R @ mu_s


def undistort_images(images: np.ndarray, camera: Camera) -> tuple[np.ndarray, Camera]:
    """Undistort frames (T, H, W, 3) uint8 with ``camera.dist``; the camera comes back with none."""
    import cv2

    if not np.any(camera.dist):
        return images, camera
    out = np.stack([cv2.undistort(im, camera.K, camera.dist) for im in images])
    clean = Camera(K=camera.K, width=camera.width, height=camera.height, R=camera.R, t=camera.t,
                   source=camera.source)  # fmt: skip
    return out, clean
