"""The room behind the synthetic person: a round wall with soft blotches and a chequered floor."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from hvr_nb.geometry.camera import camera_centre
from hvr_nb.types import Camera

WALL = 7.0  # metres from the person to the wall
TILE = 0.5  # metres, side of a floor tile


def room_place(vertices: np.ndarray) -> tuple[float, np.ndarray]:
    """Height of the floor and middle (3,) of the room around a bare posed body (T, V, 3); metres."""
    return float(vertices[..., 1].min()) - 0.010, vertices.reshape(-1, 3).mean(0)  # soles are 10 mm thick


def paint_room(camera: Camera, floor: float, middle: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Picture of the room without the person: (H, W, 3) float32, 0..255.

    Args:
        floor, middle: from ``room_place``. seed: draws the wall.
    """
    ray, eye = _rays(camera), camera_centre(camera)
    down = np.where(ray[..., 1] < -1e-6, (floor - eye[1]) / np.minimum(ray[..., 1], -1e-6), np.inf)
    a = (ray[..., [0, 2]] ** 2).sum(-1)
    b = (ray[..., [0, 2]] * (eye - middle)[[0, 2]]).sum(-1)
    c = ((eye - middle)[[0, 2]] ** 2).sum() - WALL**2
    far = (-b + np.sqrt(np.maximum(b * b - a * c, 0))) / np.maximum(a, 1e-9)
    on_floor = down < far
    point = eye + ray * np.where(on_floor, down, far)[..., None]
    picture = np.where(on_floor[..., None], _floor(point - middle), _wall(point - middle, seed))
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), max(camera.width, camera.height) / 400)


def _rays(camera: Camera) -> np.ndarray:
    """(H, W, 3) viewing directions in the world, unit depth."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    pixel = np.stack([x, y, np.ones_like(x)], -1)
    return pixel @ np.linalg.inv(camera.K).T @ camera.R


def _wall(p: np.ndarray, seed: int) -> np.ndarray:
    angle = np.arctan2(p[..., 0], p[..., 2]) / (2 * np.pi)
    rng = np.random.default_rng([seed, 21])
    value = np.zeros(p.shape[:2])
    for around, strength in ((12, 14.0), (40, 9.0)):
        lattice = rng.standard_normal((64, around))
        at = np.stack([np.clip(p[..., 1] * around / 40 + 32, 0, 63), angle % 1 * around])
        value += strength * ndimage.map_coordinates(
            lattice, at.reshape(2, -1), order=1, mode="grid-wrap"
        ).reshape(value.shape)
    tint = np.array([176.0, 178.0, 172.0]) + rng.uniform(-14, 14, 3)
    return tint + value[..., None]


def _floor(p: np.ndarray) -> np.ndarray:
    check = (np.floor(p[..., 0] / TILE) + np.floor(p[..., 2] / TILE)) % 2
    return np.array([128.0, 118.0, 106.0]) + 14.0 * check[..., None]
