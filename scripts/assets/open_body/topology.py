"""From MakeHuman's quads to one closed triangle surface of genus 0 (docs/body.md, 6, step 5).

Eye sockets and mouth are UV islands of their own and are removed. Each eye rim is closed by a fan to the
front pole of the eyeball, and the lips are zipped. Everything is mirror symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from scripts.assets.open_body.source import Base

EYE_POLES = (14598, 14670)  # front of the left and right eyeball in base.obj
SOCKET_QUADS, MOUTH_QUADS = 293, 398  # size of the UV islands that are dropped


@dataclass(frozen=True)
class Surface:
    """A closed triangle mesh whose vertices are numbered as in base.obj."""

    faces: np.ndarray  # (F, 3) base vertex indices
    uv: np.ndarray  # (U, 2)
    uv_faces: np.ndarray  # (F, 3) indices into uv
    mirror: np.ndarray  # (19158,) base vertex on the other side, itself on the midline


def mirror_map(vertices: np.ndarray) -> np.ndarray:
    """(V,) index of the vertex at (-x, y, z); the base mesh is symmetric to the last bit."""
    distance, index = cKDTree(vertices).query(vertices * [-1.0, 1.0, 1.0])
    index[distance > 1e-4] = -1
    return index


def uv_islands(uv_quads: np.ndarray, count: int) -> np.ndarray:
    """(Q,) island number of every quad: connected components of the UV layout."""
    a, b = uv_quads[:, :3].ravel(), uv_quads[:, 1:].ravel()
    graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(count, count))
    return connected_components(graph, directed=False)[1][uv_quads[:, 0]]


def _split_quads(quads, uv_quads, vertices, mirror):
    """Two triangles for each quad along the shorter diagonal; in a tie, that of the smaller vertex number."""

    def length(a, b):
        return ((vertices[quads[:, a]] - vertices[quads[:, b]]) ** 2).sum(1)

    rank = np.minimum(quads, mirror[quads])
    first = length(0, 2), np.minimum(rank[:, 0], rank[:, 2])
    second = length(1, 3), np.minimum(rank[:, 1], rank[:, 3])
    use_first = (first[0] < second[0]) | ((first[0] == second[0]) & (first[1] <= second[1]))
    halves = [np.where(use_first[:, None], q[:, [0, 1, 2]], q[:, [0, 1, 3]]) for q in (quads, uv_quads)]
    others = [np.where(use_first[:, None], q[:, [0, 2, 3]], q[:, [1, 2, 3]]) for q in (quads, uv_quads)]
    return np.concatenate([halves[0], others[0]]), np.concatenate([halves[1], others[1]])


def boundary_loops(faces: np.ndarray) -> list[np.ndarray]:
    """Closed loops of boundary half-edges, each in the order that closes the hole outwards."""
    edges = {(int(a), int(b)) for f in faces for a, b in ((f[0], f[1]), (f[1], f[2]), (f[2], f[0]))}
    following = {b: a for a, b in edges if (b, a) not in edges}
    loops = []
    while following:
        start, loop = min(following), []
        while start in following:
            loop.append(start)
            start = following.pop(start)
        loops.append(np.array(loop))
    return loops


def _zip_half(loop: np.ndarray, vertices: np.ndarray) -> list[list[int]]:
    """Close the left half of the lips: ``loop`` runs from one midline vertex to the other."""
    a, b, faces = 0, len(loop) - 1, []
    while b - a > 1:
        up = ((vertices[loop[a + 1]] - vertices[loop[b]]) ** 2).sum()
        down = ((vertices[loop[a]] - vertices[loop[b - 1]]) ** 2).sum()
        if up <= down:
            faces.append([loop[a], loop[a + 1], loop[b]])
            a += 1
        else:
            faces.append([loop[a], loop[b - 1], loop[b]])
            b -= 1
    return faces


def _close_lips(loop: np.ndarray, vertices: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    middle = np.flatnonzero(mirror[loop] == loop)
    if len(middle) != 2:
        raise ValueError(f"the lip rim crosses the midline {len(middle)} times, not twice")
    loop = np.roll(loop, -middle[0])
    half = loop[: middle[1] - middle[0] + 1]
    if vertices[half[1], 0] < 0:
        half = np.append(loop[middle[1] - middle[0] :], loop[0])
    left = np.array(_zip_half(half, vertices))
    return np.concatenate([left, mirror[left][:, ::-1]])


def closed_surface(base: Base) -> Surface:
    """The body group as a closed triangle surface: 12442 vertices, 24880 faces."""
    mirror = mirror_map(base.vertices)
    islands = uv_islands(base.uv_quads, len(base.uv))
    sizes = np.bincount(islands)
    keep = ~np.isin(islands, np.flatnonzero((sizes == SOCKET_QUADS) | (sizes == MOUTH_QUADS)))
    faces, uv_faces = _split_quads(base.quads[keep], base.uv_quads[keep], base.vertices, mirror)
    uv_of = dict(zip(faces.ravel().tolist(), uv_faces.ravel().tolist(), strict=True))  # rims: one each
    uv, new_faces, new_uv = list(base.uv), [], []
    for loop in boundary_loops(faces):
        if abs(base.vertices[loop, 0].mean()) > 1e-3:
            pole = EYE_POLES[0] if base.vertices[loop[0], 0] > 0 else EYE_POLES[1]
            uv_of[pole] = len(uv)
            uv.append(np.mean([base.uv[uv_of[int(v)]] for v in loop], axis=0))
            cap = np.stack([loop, np.roll(loop, -1), np.full(len(loop), pole)], 1)
        else:
            cap = _close_lips(loop, base.vertices, mirror)
        new_faces.append(cap)
        new_uv.append(np.vectorize(uv_of.__getitem__)(cap))
    return Surface(
        np.concatenate([faces, *new_faces]), np.array(uv), np.concatenate([uv_faces, *new_uv]), mirror
    )
