"""The trajectory of the root, which brings 3D joints onto their 2D points (docs/perception.md, 10)."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from hvr_nb.types import Camera, HvrError

LEAST_NOISE = 0.2  # pixels of a picture whose larger side is 1000; 2D points are not more exact than that
ACCELERATION = 3.0  # m/s^2, standard deviation of the root's acceleration
_ROUNDS = 5  # rounds of reweighting


def root_trajectory(joints: np.ndarray, points: np.ndarray, camera: Camera, *, fps: float) -> np.ndarray:
    """(T, 3) positions of the root in camera axes, metres, that bring the joints onto their points.

    Least squares over all frames: distances in the picture over their measured spread, accelerations over
    those of a walking person, Huber weights (Huber 1964). Frames without points are interpolated.

    Args:
        joints: (T, J, 3) metres about the root, camera axes. points: (T, J, 3) pixels and confidence.
        camera: intrinsics and lens distortion are used. fps: frames per second.

    Raises:
        HvrError: shapes that do not fit, or no frame with enough points.
    """
    joints, points = np.asarray(joints, np.float64), np.asarray(points, np.float64)
    if joints.shape != points.shape or joints.ndim != 3 or joints.shape[2] != 3:
        raise HvrError(f"joints and points must both be (T, J, 3), not {joints.shape} and {points.shape}")
    known = np.isfinite(joints).all(2) & np.isfinite(points).all(2) & (points[..., 2] > 0)
    if not (known.sum(1) >= 2).any():
        raise HvrError(
            "no frame has two joints with both a 3D position and a 2D point; the root cannot be placed"
        )
    rays = rays_of(points, camera, known)
    joints = np.where(known[..., None], joints, 0.0)
    least = LEAST_NOISE * max(camera.width, camera.height) / 1000 / camera.K[0, 0]  # at depth 1
    sure = np.where(known, points[..., 2].clip(0, 1), 0.0)
    root = _first_guess(joints, rays, sure)
    for _ in range(_ROUNDS):
        depth = np.maximum(joints[..., 2] + root[:, None, 2], 0.2)
        off = np.linalg.norm((joints[..., :2] + root[:, None, :2]) / depth[..., None] - rays, axis=-1)
        noise = max(least, float(np.median(off[known])) / 1.18)  # median of a Rayleigh distribution
        weight = sure / (noise * depth) ** 2 / np.maximum(off / (2 * noise), 1.0)
        root = _smooth(*_normal(joints, rays, weight), fps)
    return root


def rays_of(points: np.ndarray, camera: Camera, known: np.ndarray) -> np.ndarray:
    """(T, J, 2) points on the plane at depth 1, without the lens distortion; 0 where not known."""
    K = camera.K
    pixels = np.where(known[..., None], points[..., :2], K[:2, 2])
    if np.any(camera.dist):
        import cv2

        return cv2.undistortPoints(pixels.reshape(-1, 1, 2), K, camera.dist).reshape(pixels.shape)
    y = (pixels[..., 1] - K[1, 2]) / K[1, 1]
    return np.stack([(pixels[..., 0] - K[0, 2] - K[0, 1] * y) / K[0, 0], y], -1)


def _normal(joints: np.ndarray, rays: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations (T, 3, 3), (T, 3) of ``r_xy - ray r_z = ray z - xy`` with weights (T, J)."""
    rows = np.zeros((*rays.shape, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1.0
    rows[..., 2] = -rays
    target = rays * joints[..., 2:] - joints[..., :2]
    return np.einsum("tj,tjka,tjkb->tab", weight, rows, rows), np.einsum(
        "tj,tjka,tjk->ta", weight, rows, target
    )


def _first_guess(joints: np.ndarray, rays: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """(T, 3) start: on the optical axis, at the median depth of frames solved one by one, 0.5 m or more."""
    matrix, vector = _normal(joints, rays, sure)
    enough = (sure > 0).sum(1) >= 2
    alone = np.linalg.solve(matrix[enough] + 1e-9 * np.eye(3), vector[enough][..., None])[..., 0]
    return np.tile([0.0, 0.0, max(float(np.median(alone[:, 2])), 0.5)], (len(joints), 1))


def _smooth(matrix: np.ndarray, vector: np.ndarray, fps: float) -> np.ndarray:
    """(T, 3) minimum of the frames' normal equations (T, 3, 3), (T, 3) plus the acceleration."""
    bend = bending(len(matrix)) * (fps**2 / ACCELERATION) ** 2
    return solve_chain(matrix, vector, bend)


def bending(frames: int) -> sparse.csr_matrix:
    """(T, T) matrix of the sum of squared second differences; zero for fewer than three frames."""
    if frames < 3:
        return sparse.csr_matrix((frames, frames))
    second = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(frames - 2, frames))
    return sparse.csr_matrix(second.T @ second)


def solve_chain(matrix: np.ndarray, vector: np.ndarray, chain: sparse.spmatrix) -> np.ndarray:
    """(T, 3) solution of blocks (T, 3, 3), (T, 3) and a coupling (T, T) of the frames in x, y and z alike."""
    blocks = sparse.block_diag([b + 1e-9 * np.eye(3) for b in matrix], format="csr")
    system = blocks + sparse.kron(chain, sparse.identity(3))
    return spsolve(sparse.csc_matrix(system), vector.ravel()).reshape(-1, 3)
