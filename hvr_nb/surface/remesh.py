"""Meshes made anew: distances to a closed mesh on a grid, marching cubes again, subdivision."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, sparse
from skimage.measure import label

from hvr_nb.geometry.mesh import unique_edges
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.surface.carving import grid_nodes, surface_of


def distance_grid(vertices: np.ndarray, faces: np.ndarray, cell: float, *, margin: float = 0.02):
    """Signed metres (X, Y, Z) from a closed mesh (V, 3), (F, 3) on a grid, exact near it, and its corner (3,)."""
    coarse = 4 * cell
    low, high = vertices.min(0) - margin - coarse, vertices.max(0) + margin + coarse
    wide, shape = grid_nodes(low, high + coarse, coarse)
    far = nearest_surface(wide, vertices, faces)[2].reshape(shape)
    nodes, shape = grid_nodes(low, high, cell)
    distance = ndimage.map_coordinates(far, ((nodes - low) / coarse).T, order=1, mode="nearest")
    near = np.flatnonzero(np.abs(distance) < 1.8 * coarse)
    distance[near] = nearest_surface(nodes[near], vertices, faces)[2]
    return _signed_by_flood(distance.reshape(shape), cell), low


def _signed_by_flood(distance: np.ndarray, cell: float) -> np.ndarray:
    """Distances (X, Y, Z) whose sign away from the surface says what the grid's corner can reach.

    The normals' sign is wrong beside folds and cracks; they are healed so.
    """
    away = np.abs(distance) > 0.9 * cell
    pieces = label(away, connectivity=1)
    reached = pieces == pieces[0, 0, 0]
    return np.where(away, np.where(reached, 1, -1) * np.abs(distance), distance)


def remeshed(vertices: np.ndarray, faces: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """The same surface (V, 3), (F, 3) with even triangles of side ``cell``, metres; its topology may change."""
    field, low = distance_grid(vertices, faces, cell)
    return surface_of(ndimage.gaussian_filter(field, 0.5), low, cell)


def subdivision(faces: np.ndarray, count: int) -> tuple[sparse.csr_array, np.ndarray]:
    """One step of Loop's subdivision (1987) of a closed mesh.

    Args:
        faces: (F, 3). count: V vertices.

    Returns:
        (V + E, V) what the finer vertices are of the coarse ones, and the finer faces (4F, 3).
    """
    edges = unique_edges(faces)
    key = edges[:, 0] * count + edges[:, 1]

    def number(a, b):
        return count + np.searchsorted(key, np.minimum(a, b) * count + np.maximum(a, b))

    a, b, c = faces.T
    ab, bc, ca = number(a, b), number(b, c), number(c, a)
    finer = np.concatenate([np.stack(x, 1) for x in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))])
    degree = np.bincount(edges.ravel(), minlength=count)
    beta = np.where(degree == 3, 3 / 16, 3 / (8 * np.maximum(degree, 1)))
    row = np.r_[np.arange(count), edges[:, 0], edges[:, 1]]
    col = np.r_[np.arange(count), edges[:, 1], edges[:, 0]]
    value = np.r_[1 - degree * beta, beta[edges[:, 0]], beta[edges[:, 1]]]
    even = sparse.coo_array((value, (row, col)), shape=(count, count))
    uses = np.bincount(
        np.r_[ab, bc, ca] - count, minlength=len(edges)
    )  # faces at the edge: two, where closed
    opposite = 0.25 / uses[np.r_[ab, bc, ca] - count]
    ends = np.repeat(3 / 8, 2 * len(edges))
    row = np.r_[np.arange(len(edges)), np.arange(len(edges)), np.r_[ab, bc, ca] - count]
    odd = sparse.coo_array(
        (np.r_[ends, opposite], (row, np.r_[edges[:, 0], edges[:, 1], c, a, b])), shape=(len(edges), count)
    )
    return sparse.csr_array(sparse.vstack([even, odd])), finer
