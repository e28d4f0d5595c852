"""How often a closed surface winds around points: 1 inside a body, 0 outside, 2 where two solids overlap.

A ray towards +z counts the faces that it leaves through (+1) and enters through (-1). Both faces of an edge
decide on which side of it a ray passes by one comparison of the same numbers, so no ray slips between them.
An open surface is closed by cones over its borders, which makes a shirt a solid with flat ends.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

MOST_CELLS = 256  # cells along a side of the table of rays


def winding_numbers(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(N,) int64 winding numbers of a closed surface around points.

    Args:
        points: (N, 3). vertices: (V, 3). faces: (F, 3), seen counter-clockwise from outside.
    """
    points = np.asarray(points, np.float64)
    ray, height, sign = crossings(points[:, :2], vertices, faces)
    above = height > points[ray, 2]
    return np.bincount(ray[above], sign[above], minlength=len(points)).round().astype(np.int64)


def filled_grid(vertices: np.ndarray, faces: np.ndarray, axes: tuple[np.ndarray, ...]) -> np.ndarray:
    """Nodes of a grid inside a closed surface: (X, Y, Z) bool.

    Args:
        vertices: (V, 3). faces: (F, 3). axes: three sorted arrays, the x, y and z of the nodes.
    """
    x, y, z = axes
    columns = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
    ray, height, sign = crossings(columns, vertices, faces)
    below = np.searchsorted(z, height)  # nodes under the crossing
    steps = np.bincount(ray * (len(z) + 1) + below, sign, minlength=len(columns) * (len(z) + 1)).reshape(
        len(columns), -1
    )
    winds = steps[:, ::-1].cumsum(1)[:, ::-1][:, 1:]  # of the crossings above every node
    return (winds > 0.5).reshape(len(x), len(y), len(z))


def crossings(
    rays: np.ndarray, vertices: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where vertical rays cross faces: ray (C,), height (C,) and +1 where it leaves, -1 where it enters.

    Args:
        rays: (N, 2) x and y. vertices: (V, 3). faces: (F, 3).
    """
    rays, vertices = np.asarray(rays, np.float64), np.asarray(vertices, np.float64)
    face, ray = _candidates(rays, vertices[:, :2], faces)
    corners, at = faces[face], rays[ray]
    left = np.empty((len(face), 3), bool)
    for k in range(3):
        a, b = corners[:, k], corners[:, (k + 1) % 3]
        low, high = np.minimum(a, b), np.maximum(a, b)
        p, q = vertices[low, :2], vertices[high, :2]
        turn = (q[:, 0] - p[:, 0]) * (at[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (at[:, 0] - p[:, 0])
        left[:, k] = (turn >= 0) ^ (a > b)
    up, down = left.all(1), ~left.any(1)
    hit = up | down
    face, ray, sign = faces[face[hit]], ray[hit], np.where(up[hit], 1.0, -1.0)
    a, b, c = (vertices[face[:, k]] for k in range(3))
    n = np.cross(b - a, c - a)
    slope = np.where(np.abs(n[:, 2]) > 0, n[:, 2], 1.0)
    height = a[:, 2] - ((rays[ray] - a[:, :2]) * n[:, :2]).sum(1) / slope
    return ray, height, sign


def _candidates(rays: np.ndarray, flat: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of face and ray that can meet: rays in the cells that the box of a face touches."""
    side = int(np.clip(np.sqrt(len(rays)), 1, MOST_CELLS))
    low, high = rays.min(0), rays.max(0)
    cell = np.maximum((high - low) / side, 1e-12)
    column = np.minimum(((rays - low) / cell).astype(np.int64), side - 1)
    number = column[:, 0] * side + column[:, 1]
    order = np.argsort(number, kind="stable")
    start = np.concatenate([[0], np.bincount(number, minlength=side * side).cumsum()])
    box = flat[faces]
    first = np.floor((box.min(1) - low) / cell).astype(np.int64)
    last = np.floor((box.max(1) - low) / cell).astype(np.int64)
    live = np.flatnonzero(((last >= 0) & (first < side)).all(1))
    first, last = np.clip(first[live], 0, side - 1), np.clip(last[live], 0, side - 1)
    size = last - first + 1
    owner, local = _spread(size.prod(1))
    x, y = first[owner, 0] + local // size[owner, 1], first[owner, 1] + local % size[owner, 1]
    cells = x * side + y
    pair, local = _spread(start[cells + 1] - start[cells])
    return live[owner[pair]], order[start[cells[pair]] + local]


def _spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every item as often as it counts: its number, and the number of the repetition."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def close_with_cones(faces: np.ndarray, count: int) -> tuple[np.ndarray, sparse.csr_array]:
    """Close an open surface: a cone over every connected piece of its border.

    Args:
        faces: (F, 3) of a surface with ``count`` vertices.

    Returns:
        the closed faces (F + B, 3), which also use the cones' tips, vertices ``count`` and on; and a matrix
        (K, count) that gives the tips from vertices (count, 3): the mean of a piece of the border.
    """
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    net = sparse.csr_array((np.ones(len(edges)), edges.T), shape=(count, count))
    net = sparse.coo_array(net - net.T)  # how often an edge is left over in its direction
    open_ = net.data > 0.5
    a, b = net.coords[0][open_], net.coords[1][open_]
    times = net.data[open_].round().astype(np.int64)
    if not len(a):
        return faces, sparse.csr_array((0, count))
    near = sparse.csr_array((np.ones(len(a)), (a, b)), shape=(count, count))
    piece = connected_components(near, directed=False)[1]
    names, tip = np.unique(piece[a], return_inverse=True)
    ends = np.unique(np.concatenate([a, b]))
    row = np.searchsorted(names, piece[ends])
    share = 1.0 / np.bincount(row)[row]
    tips = sparse.csr_array((share, (row, ends)), shape=(len(names), count))
    cone = np.repeat(np.stack([b, a, count + tip], 1), times, axis=0)
    return np.concatenate([faces, cone]), tips
