"""Surfaces of volumes: marching cubes on a regular grid."""

from __future__ import annotations

import numpy as np
from skimage.measure import label, marching_cubes


def level_surface(field: np.ndarray, low: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """The surface at level 0 of a grid (X, Y, Z) that is negative inside.

    Marching cubes (Lewiner et al. 2003, after Lorensen and Cline 1987).

    Args:
        low: (3,) position of node (0, 0, 0). cell: distance of nodes.

    Returns:
        vertices (V, 3); faces (F, 3) int64, seen counter-clockwise from outside.
    """
    vertices, faces, _, _ = marching_cubes(-field, 0.0, spacing=(cell,) * 3)
    return vertices + low, np.ascontiguousarray(faces[:, ::-1], np.int64)


def floaters(inside: np.ndarray, *, corners: bool) -> np.ndarray:
    """(X, Y, Z) bool, the nodes ``inside`` (X, Y, Z) that do not belong to the largest connected piece.

    Args:
        corners: whether nodes that share only an edge or a corner are connected.
    """
    pieces = label(inside, connectivity=3 if corners else 1)
    counts = np.bincount(pieces.ravel())
    counts[0] = 0
    return inside & (pieces != counts.argmax())
