"""Rotations, rigid alignment and the pinhole camera; numpy, float64 inside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.types import DAMAGE, Camera, HvrError

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


def choose_camera(
    width: int,
    height: int,
    *,
    focal: float = 0.0,
    metadata_focal: float = 0.0,
    distortion=(),
    camera_file: str | Path = "",
) -> Camera:
    """The best camera known: a file, a given focal length, the video's metadata, or the default.

    Args:
        width, height: size of the frames, pixels.
        focal, metadata_focal: focal lengths in pixels of these frames, 0 = unknown.
        distortion: up to five OpenCV coefficients k1, k2, p1, p2, k3.
        camera_file: npz with ``K`` (3, 3) and optionally ``dist``, without pickled objects.

    Raises:
        HvrError: the file holds no camera matrix, or there are more than five coefficients.
    """
    camera = replace(
        default_camera(width, height, focal or metadata_focal),
        source="given" if focal else "metadata" if metadata_focal else "default",
    )
    if camera_file:
        try:
            with np.load(camera_file, allow_pickle=False) as file:
                K, dist = np.asarray(file["K"], float), file["dist"] if "dist" in file else distortion
        except DAMAGE as error:
            raise HvrError(f"{camera_file}: no camera matrix K could be read ({error})") from error
        if K.shape != (3, 3):
            raise HvrError(f"{camera_file}: K has shape {K.shape}; it must be a (3, 3) matrix")
        camera, distortion = replace(camera, K=K, source="given"), dist
    dist = np.ravel(np.asarray(distortion, float))
    if len(dist) > 5:
        raise HvrError(f"distortion has {len(dist)} coefficients; at most OpenCV's k1 k2 p1 p2 k3 are read")
    return replace(camera, dist=np.pad(dist, (0, 5 - len(dist))))


def to_camera(points: np.ndarray, camera: Camera) -> np.ndarray:
    """World points (..., 3), metres, in camera axes (..., 3)."""
    return points @ camera.R.T + camera.t


def project(points: np.ndarray, camera: Camera) -> np.ndarray:
    """World points (..., 3), metres, to pixels (..., 2), without lens distortion.

    Points in the plane through the camera's centre (depth 0) give inf or NaN.
    """
    x = to_camera(points, camera)
    uv = x @ camera.K.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return uv[..., :2] / uv[..., 2:]


def camera_centre(camera: Camera) -> np.ndarray:
    """(3,) position of the camera in the world, metres."""
    return -camera.R.T @ camera.t


def look_at(eye: np.ndarray, target: np.ndarray, like: Camera, up=(0.0, 1.0, 0.0)) -> Camera:
    """The camera ``like`` moved to ``eye`` (3,) and turned to ``target`` (3,), world metres.

    Where it looks along ``up`` itself, the top of the image points to the world's -Z.
    """
    eye, target = np.asarray(eye, float), np.asarray(target, float)
    if np.allclose(eye, target):
        raise HvrError(f"the camera stands at {eye}, the very point it should look at; move one of them")
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(z, np.asarray(up, float))
    if np.linalg.norm(x) < 1e-9:
        x = np.cross(z, [0.0, 0.0, -1.0])
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    return replace(like, K=like.K.copy(), R=R, t=-R @ eye)


def orbit(camera: Camera, centre: np.ndarray, angle: float, *, axis=(0.0, 1.0, 0.0)) -> Camera:
    """``camera`` moved by ``angle`` radians about the line through ``centre`` (3,) along ``axis``.

    Position and viewing direction turn together, so the picture is the one of a person who turned
    by ``-angle``.
    """
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    turn = Rotation.from_rotvec(angle * axis).as_matrix()
    centre = np.asarray(centre, float)
    R = camera.R @ turn.T
    return replace(camera, R=R, t=camera.t + camera.R @ centre - R @ centre)


def align_camera(camera: Camera, scale: float, R: np.ndarray, t: np.ndarray) -> Camera:
    """The camera that sees points x as ``camera`` sees ``scale R x + t``, R (3, 3), t (3,)."""
    return replace(camera, R=camera.R @ R, t=(camera.R @ t + camera.t) / scale)


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
    if not (a**2).sum() > 0:
        raise HvrError(f"{len(source)} points in one place cannot be aligned; give at least two that differ")
    u, d, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    R = (u * sign) @ vt
    s = float((d * sign).sum() / (a**2).sum()) if scale else 1.0
    return s, R, mu_t - s * R @ mu_s


def undistort_images(images: np.ndarray, camera: Camera) -> tuple[np.ndarray, Camera]:
    """Frames (T, H, W, 3) uint8 without the distortion ``camera.dist``, and the camera without it."""
    import cv2

    if not np.any(camera.dist):
        return images, camera
    K = camera.K.copy()
    K[:2, 2] -= 0.5  # OpenCV counts pixel centres from 0, the project from 0.5
    out = np.stack([cv2.undistort(im, K, camera.dist) for im in images])
    return out, replace(camera, dist=np.zeros(5))


def resized_images(images: np.ndarray, camera: Camera, *, nearest: bool = False) -> np.ndarray:
    """Images (T, H, W) or (T, H, W, 3) at the size of ``camera``.

    Args:
        nearest: take the nearest pixel (labels, which have no mean) instead of the mean over its area.
    """
    import cv2

    size = (camera.width, camera.height)
    if images.shape[2:0:-1] == size:
        return images
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA
    return np.stack([cv2.resize(image, size, interpolation=how) for image in images])
