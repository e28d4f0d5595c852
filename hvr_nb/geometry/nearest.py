"""The nearest point on a triangle mesh.

A grid of cells over the vertices gives the nearest vertex. The triangles around it are tested
with the exact distance of point and triangle (Ericson, "Real-Time Collision Detection", 2005,
section 5.1.5). Compiled with numba; where numba does not import, scipy's cKDTree and numpy give
the same result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from hvr_nb.geometry.mesh import vertex_normals

try:
    import numba
except ImportError:  # then _query_scipy is used
    numba = None

CELL = 0.03  # metres, side of a grid cell
NEAR_RINGS = 4  # shells of cells searched before a point counts as far


@dataclass(frozen=True)
class VertexGrid:
    """Vertices sorted into cubic cells: cell c holds ``items[start[c]:start[c + 1]]``."""

    origin: np.ndarray  # (3,) lower corner, metres
    dims: np.ndarray  # (3,) int64 cells along each axis
    start: np.ndarray  # (cells + 1,) int32
    items: np.ndarray  # (V,) int32 vertex numbers, by cell


def vertex_grid(vertices: np.ndarray) -> VertexGrid:
    """Sort vertices (V, 3), metres, into cells of ``CELL`` metres."""
    origin = vertices.min(0) - 1e-4
    dims = (np.floor((vertices.max(0) - origin) / CELL) + 1).astype(np.int64)
    cell = np.floor((vertices - origin) / CELL).astype(np.int64)
    flat = (cell[:, 0] * dims[1] + cell[:, 1]) * dims[2] + cell[:, 2]
    count = np.bincount(flat, minlength=int(dims.prod()))
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    items = np.argsort(flat, kind="stable").astype(np.int32)
    return VertexGrid(origin.astype(np.float32), dims, start, items)


def vertex_rings(faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces around every vertex: start (V + 1,) int32 and face numbers (3F,) int32."""
    corners = faces.ravel()
    start = np.concatenate([[0], np.cumsum(np.bincount(corners, minlength=count))]).astype(np.int32)
    return start, (np.argsort(corners, kind="stable") // 3).astype(np.int32)


def _closest_on_triangle(p, a, b, c):
    """Barycentric coordinates of the point of triangle abc nearest to p (Ericson 5.1.5)."""
    abx, aby, abz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    acx, acy, acz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    apx, apy, apz = p[0] - a[0], p[1] - a[1], p[2] - a[2]
    d1 = abx * apx + aby * apy + abz * apz
    d2 = acx * apx + acy * apy + acz * apz
    if d1 <= 0.0 and d2 <= 0.0:
        return 1.0, 0.0, 0.0
    bpx, bpy, bpz = p[0] - b[0], p[1] - b[1], p[2] - b[2]
    d3 = abx * bpx + aby * bpy + abz * bpz
    d4 = acx * bpx + acy * bpy + acz * bpz
    if d3 >= 0.0 and d4 <= d3:
        return 0.0, 1.0, 0.0
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        v = d1 / (d1 - d3)
        return 1.0 - v, v, 0.0
    cpx, cpy, cpz = p[0] - c[0], p[1] - c[1], p[2] - c[2]
    d5 = abx * cpx + aby * cpy + abz * cpz
    d6 = acx * cpx + acy * cpy + acz * cpz
    if d6 >= 0.0 and d5 <= d6:
        return 0.0, 0.0, 1.0
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        w = d2 / (d2 - d6)
        return 1.0 - w, 0.0, w
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        return 0.0, 1.0 - w, w
    total = va + vb + vc
    if total <= 0.0:  # a triangle without area
        return 1.0, 0.0, 0.0
    return 1.0 - (vb + vc) / total, vb / total, vc / total


def _nearest_vertex(p, guess, rings, vertices, origin, dims, start, items):
    """The vertex nearest to p; ``guess`` is any vertex, or -1.

    Shells of cells about p are searched outwards until no farther cell can hold a nearer vertex.
    After ``rings`` shells without that the result is -1.
    """
    best, best2 = guess, np.float32(1e30)
    if guess >= 0:
        v = vertices[guess]
        best2 = (v[0] - p[0]) ** 2 + (v[1] - p[1]) ** 2 + (v[2] - p[2]) ** 2
    cx = min(max(int((p[0] - origin[0]) / CELL), 0), dims[0] - 1)
    cy = min(max(int((p[1] - origin[1]) / CELL), 0), dims[1] - 1)
    cz = min(max(int((p[2] - origin[2]) / CELL), 0), dims[2] - 1)
    ring = 0
    while True:
        x0, x1 = max(cx - ring, 0), min(cx + ring, dims[0] - 1)
        y0, y1 = max(cy - ring, 0), min(cy + ring, dims[1] - 1)
        z0, z1 = max(cz - ring, 0), min(cz + ring, dims[2] - 1)
        for x in range(x0, x1 + 1):
            gx = max(origin[0] + x * CELL - p[0], p[0] - (origin[0] + (x + 1) * CELL), 0.0)
            if gx * gx > best2:
                continue
            for y in range(y0, y1 + 1):
                gy = max(origin[1] + y * CELL - p[1], p[1] - (origin[1] + (y + 1) * CELL), 0.0)
                if gx * gx + gy * gy > best2:
                    continue
                inner = abs(x - cx) == ring or abs(y - cy) == ring
                for z in range(z0, z1 + 1):
                    if not inner and abs(z - cz) != ring:
                        continue
                    cell = (x * dims[1] + y) * dims[2] + z
                    if start[cell] == start[cell + 1]:
                        continue
                    gz = max(origin[2] + z * CELL - p[2], p[2] - (origin[2] + (z + 1) * CELL), 0.0)
                    if gx * gx + gy * gy + gz * gz > best2:
                        continue
                    for k in range(start[cell], start[cell + 1]):
                        v = vertices[items[k]]
                        d2 = (v[0] - p[0]) ** 2 + (v[1] - p[1]) ** 2 + (v[2] - p[2]) ** 2
                        if d2 < best2:
                            best, best2 = items[k], d2
        # every cell outside the searched cube is at least this far away
        gap = np.float32(1e30)
        if x0 > 0:
            gap = min(gap, p[0] - (origin[0] + x0 * CELL))
        if x1 < dims[0] - 1:
            gap = min(gap, origin[0] + (x1 + 1) * CELL - p[0])
        if y0 > 0:
            gap = min(gap, p[1] - (origin[1] + y0 * CELL))
        if y1 < dims[1] - 1:
            gap = min(gap, origin[1] + (y1 + 1) * CELL - p[1])
        if z0 > 0:
            gap = min(gap, p[2] - (origin[2] + z0 * CELL))
        if z1 < dims[2] - 1:
            gap = min(gap, origin[2] + (z1 + 1) * CELL - p[2])
        if gap > 0.0 and gap * gap >= best2 or gap == np.float32(1e30):
            return best
        if ring == rings:
            return -1
        ring += 1


def _nearest_face(p, vertex, vertices, faces, ring_start, ring_faces):
    """Face around ``vertex`` nearest to p and the barycentric coordinates of the nearest point."""
    best, b0, b1, b2, best2 = 0, 1.0, 0.0, 0.0, np.float32(1e30)
    for k in range(ring_start[vertex], ring_start[vertex + 1]):
        f = ring_faces[k]
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        u, v, w = _closest_on_triangle(p, a, b, c)
        x = u * a[0] + v * b[0] + w * c[0] - p[0]
        y = u * a[1] + v * b[1] + w * c[1] - p[1]
        z = u * a[2] + v * b[2] + w * c[2] - p[2]
        d2 = x * x + y * y + z * z
        if d2 < best2:
            best, b0, b1, b2, best2 = f, u, v, w, d2
    return best, b0, b1, b2, best2


def _vertex_loop(points, vertices, origin, dims, start, items, vertex):
    for n in numba.prange(points.shape[0]):
        vertex[n] = _nearest_vertex(points[n], -1, NEAR_RINGS, vertices, origin, dims, start, items)


def _face_loop(points, vertex, vertices, faces, ring_start, ring_faces, face, bary):
    for n in numba.prange(points.shape[0]):
        f, a, b, c, _ = _nearest_face(points[n], vertex[n], vertices, faces, ring_start, ring_faces)
        face[n] = f
        bary[n, 0], bary[n, 1], bary[n, 2] = a, b, c


if numba:
    _closest_on_triangle = numba.njit(cache=True, inline="always")(_closest_on_triangle)
    nearest_vertex_kernel = _nearest_vertex = numba.njit(cache=True)(_nearest_vertex)
    nearest_face_kernel = _nearest_face = numba.njit(cache=True)(_nearest_face)
    _vertex_loop = numba.njit(cache=True, parallel=True, nogil=True)(_vertex_loop)
    _face_loop = numba.njit(cache=True, parallel=True, nogil=True)(_face_loop)


def _closest_numpy(p, a, b, c):
    """``_closest_on_triangle`` for arrays (N, 3): (N, 3) barycentric coordinates."""
    plane = np.cross(b - a, c - a)
    area2 = np.maximum((plane**2).sum(-1), 1e-20)
    v = (np.cross(p - a, c - a) * plane).sum(-1) / area2
    w = (np.cross(b - a, p - a) * plane).sum(-1) / area2
    options = [np.stack([1 - v - w, v, w], -1)]
    for i, (s, e) in enumerate(((a, b), (b, c), (c, a))):
        t = np.clip(((p - s) * (e - s)).sum(-1) / np.maximum(((e - s) ** 2).sum(-1), 1e-20), 0, 1)
        edge = np.zeros((*t.shape, 3))
        edge[..., i], edge[..., (i + 1) % 3] = 1 - t, t
        options.append(edge)
    distance = np.stack(
        [((o[..., :1] * a + o[..., 1:2] * b + o[..., 2:] * c - p) ** 2).sum(-1) for o in options]
    )
    distance[0][(options[0] < 0).any(-1)] = np.inf
    return np.take_along_axis(np.stack(options), distance.argmin(0)[None, ..., None], 0)[0]


def _query_numba(points, vertices, faces, ring_start, ring_faces):
    """Nearest face and barycentric coordinates: cells near the mesh, scipy's tree far from it."""
    grid, vertex = vertex_grid(vertices), np.empty(len(points), np.int64)
    _vertex_loop(points, vertices, grid.origin, grid.dims, grid.start, grid.items, vertex)
    far = np.flatnonzero(vertex < 0)
    if len(far):
        vertex[far] = cKDTree(vertices).query(points[far])[1]
    face, bary = np.empty(len(points), np.int32), np.empty((len(points), 3), np.float32)
    _face_loop(points, vertex, vertices, faces, ring_start, ring_faces, face, bary)
    return face, bary


def _query_scipy(points, vertices, faces, ring_start, ring_faces):
    """The same without numba: cKDTree, then the faces around the nearest vertex."""
    vertex = cKDTree(vertices).query(points)[1]
    face, bary = np.zeros(len(points), np.int32), np.zeros((len(points), 3), np.float32)
    best = np.full(len(points), np.inf)
    for k in range(int(np.diff(ring_start).max())):
        has = ring_start[vertex] + k < ring_start[vertex + 1]
        f = ring_faces[np.where(has, ring_start[vertex] + k, 0)]
        a, b, c = (vertices[faces[f, i]] for i in range(3))
        u = _closest_numpy(points, a, b, c)
        d2 = ((u[:, :1] * a + u[:, 1:2] * b + u[:, 2:] * c - points) ** 2).sum(-1)
        better = has & (d2 < best)
        face[better], bary[better], best[better] = f[better], u[better], d2[better]
    return face, bary


def nearest_surface(
    points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, *, use_numba: bool | None = None
):
    """The nearest point of a mesh for every query point.

    Only the triangles around the nearest vertex are tested. On a mesh with even triangles, such as a
    body, the error is a small part of an edge (tests/geometry/test_nearest.py says how small).

    Args:
        points: (N, 3) metres. vertices: (V, 3) metres. faces: (F, 3).
        use_numba: None picks numba where it imports.

    Returns:
        face (N,) int32, barycentric coordinates (N, 3) float32, distance (N,) float32 metres,
        negative inside.
    """
    points = np.ascontiguousarray(points, np.float32)
    vertices32 = np.ascontiguousarray(vertices, np.float32)
    faces = np.ascontiguousarray(faces, np.int64)
    query = _query_numba if (numba if use_numba is None else use_numba) else _query_scipy
    face, bary = query(points, vertices32, faces, *vertex_rings(faces, len(vertices)))
    normals = vertex_normals(vertices, faces).astype(np.float32)
    offset = points - on_surface(vertices32, faces, face, bary)
    side = np.sign((offset * on_surface(normals, faces, face, bary)).sum(-1))
    return face, bary, np.where(side < 0, -1, 1) * np.linalg.norm(offset, axis=-1).astype(np.float32)


def on_surface(values: np.ndarray, faces: np.ndarray, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """Vertex values (V, C) interpolated at surface points: face (...,), bary (..., 3) -> (..., C)."""
    corners = faces[face]
    return sum(bary[..., k, None] * values[corners[..., k]] for k in range(3))
