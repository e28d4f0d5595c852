"""The grids that Instant-NVR reads beside the parameters of a root (docs/formats.md, 6).

They sample a box 5 cm larger than the body every 2.5 cm. In the big pose they hold blend weights and
distance of the nearest surface point, and texture coordinates; in the pose of every frame, blend weights
and distance of the nearest vertex.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from hvr_nb.body.model import BodyModel
from hvr_nb.geometry.nearest import nearest_surface, on_surface

STEP = 0.025  # metres
MARGIN = 0.05  # metres


def grid_points(points: np.ndarray) -> np.ndarray:
    """(X, Y, Z, 3) grid points, metres, of the box around ``points`` (N, 3)."""
    low, high = points.min(0) - MARGIN, points.max(0) + MARGIN
    axes = [np.arange(a, b + STEP, STEP) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def weight_volume(vertices: np.ndarray, model: BodyModel) -> np.ndarray:
    """(X, Y, Z, 25) float32: 24 blend weights of the nearest surface point, and its distance in metres.

    Args:
        vertices: (V, 3) metres, the big pose.
    """
    where = grid_points(vertices)
    face, bary, distance = nearest_surface(where.reshape(-1, 3), vertices, model.faces)
    weights = on_surface(model.weights.numpy(), model.faces, face, bary)
    return _packed(where, weights, np.abs(distance))


def vertex_weights(vertices: np.ndarray, model: BodyModel) -> np.ndarray:
    """(X, Y, Z, 25) float32: 24 blend weights of the nearest vertex, and its distance in metres.

    Args:
        vertices: (V, 3) metres, in the pose space of a frame.
    """
    where = grid_points(vertices)
    distance, vertex = cKDTree(vertices).query(where.reshape(-1, 3))
    return _packed(where, model.weights.numpy()[vertex], distance)


def surface_uv(vertices: np.ndarray, model: BodyModel) -> np.ndarray:
    """(X, Y, Z, 2) float32 texture coordinates of the nearest surface point, for a model with ``uv``.

    A vertex on a seam has only one pair of coordinates, the last one in the file, as in that program.

    Args:
        vertices: (V, 3) metres, the big pose.
    """
    where = grid_points(vertices)
    of_vertex = np.zeros((len(vertices), 2), np.float32)
    of_vertex[model.faces.ravel()] = model.uv[model.uv_faces.ravel()]
    face, bary, _ = nearest_surface(where.reshape(-1, 3), vertices, model.faces)
    return on_surface(of_vertex, model.faces, face, bary).reshape(*where.shape[:3], 2).astype(np.float32)


def _packed(where: np.ndarray, weights: np.ndarray, distance: np.ndarray) -> np.ndarray:
    return np.concatenate([weights, distance[:, None]], 1).astype(np.float32).reshape(*where.shape[:3], 25)
