"""Signed distances to the outline of a mask, and values of an image at projected points."""

from __future__ import annotations

import cv2
import numpy as np

from hvr_nb.geometry.camera import to_camera
from hvr_nb.types import Camera

FINER = 2  # the outline is found on an image enlarged by this
FARTHEST = 250.0  # pixels; larger distances are clipped


def signed_distance(alpha: np.ndarray) -> np.ndarray:
    """Distance in pixels to the outline (half coverage) of a mask (H, W) uint8: (H, W) float16.

    Positive outside, clipped to ``FARTHEST``.
    """
    height, width = alpha.shape
    fine = cv2.resize(alpha, (width * FINER, height * FINER), interpolation=cv2.INTER_LINEAR)
    inside = (fine > 127).astype(np.uint8)
    if not inside.any():
        return np.full(alpha.shape, FARTHEST, np.float16)
    out, into = (cv2.distanceTransform(m, cv2.DIST_L2, 5) for m in (1 - inside, inside))
    distance = np.where(inside > 0, 0.5 - into, out - 0.5) / FINER
    distance = cv2.resize(distance.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(distance, -FARTHEST, FARTHEST).astype(np.float16)


def lookup(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Bilinear values (N,) or (N, C) of an image (H, W[, C]) float32 at pixels (N, 2).

    Outside the image the values of its border.
    """
    wide = 4096
    rows = -(-len(pixels) // wide)
    at = np.zeros((rows * wide, 2), np.float32)
    at[: len(pixels)] = pixels - 0.5
    x, y = at.reshape(rows, wide, 2).transpose(2, 0, 1)
    parts = [
        cv2.remap(
            image,
            np.ascontiguousarray(x[k : k + 8192]),
            np.ascontiguousarray(y[k : k + 8192]),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for k in range(0, rows, 8192)
    ]
    out = np.concatenate(parts) if parts else np.zeros((0, wide, *image.shape[2:]), np.float32)
    return out.reshape(rows * wide, *image.shape[2:])[: len(pixels)]


def pixels_of(points: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) and camera coordinates (N, 3), metres, of world points (N, 3).

    Depths under a millimetre count as a millimetre, so the pixels are always finite.
    """
    x = to_camera(points, camera)
    z = np.maximum(x[:, 2:], 1e-3)
    return x[:, :2] / z @ camera.K[:2, :2].T + camera.K[:2, 2], x
