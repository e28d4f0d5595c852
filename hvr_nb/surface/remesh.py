"""Remeshing: signed distances on a grid, marching cubes, subdivision (docs/surface.md, 4)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, sparse
from skimage.measure import label

from hvr_nb.geometry.mesh import unique_edges
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.surface.carving import grid_nodes, surface_of
from hvr_nb.types import Mesh


def distance_grid(vertices: np.ndarray, faces: np.ndarray, cell: float, *, margin: float = 0.02):
    """Signed distances (X, Y, Z), metres, to a closed mesh (V, 3), (F, 3), and the grid's lower corner (3,).

    Exact near the mesh only.
    """
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
    """Distances (X, Y, Z) whose signs away from the surface come from a flood fill from a corner.

    The sign of the nearest normal is wrong beside folds and cracks.
    """
    away = np.abs(distance) > 0.9 * cell
    pieces = label(away, connectivity=1)
    reached = pieces == pieces[0, 0, 0]
    return np.where(away, np.where(reached, 1, -1) * np.abs(distance), distance)


def remeshed(vertices: np.ndarray, faces: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """A surface (V, 3), (F, 3) with new, even triangles of side ``cell``, metres; its topology may change."""
    field, low = distance_grid(vertices, faces, cell)
    return surface_of(ndimage.gaussian_filter(field, 0.5), low, cell)


def remeshed_colours(mesh: Mesh, cell: float) -> Mesh:
    """A coloured mesh with new, even triangles of side ``cell``, metres; its topology may change."""
    vertices, faces = remeshed(mesh.vertices.astype(np.float64), mesh.faces, cell)
    face, bary, _ = nearest_surface(vertices, mesh.vertices, mesh.faces)
    colors = on_surface(mesh.colors.astype(np.float32), mesh.faces, face, bary)
    return Mesh(vertices.astype(np.float32), faces, (colors + 0.5).astype(np.uint8))


def subdivision(faces: np.ndarray, count: int) -> tuple[sparse.csr_array, np.ndarray]:
    """One step of Loop's subdivision (1987) of a closed mesh.

    Args:
        faces: (F, 3). count: V vertices.

    Returns:
        (V + E, V) matrix from coarse to fine vertices, and the fine faces (4F, 3).
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
    )  # faces at each edge: two in a closed mesh
    opposite = 0.25 / uses[np.r_[ab, bc, ca] - count]
    ends = np.repeat(3 / 8, 2 * len(edges))
    row = np.r_[np.arange(len(edges)), np.arange(len(edges)), np.r_[ab, bc, ca] - count]
    odd = sparse.coo_array(
        (np.r_[ends, opposite], (row, np.r_[edges[:, 0], edges[:, 1], c, a, b])), shape=(len(edges), count)
    )
    return sparse.csr_array(sparse.vstack([even, odd])), finer
