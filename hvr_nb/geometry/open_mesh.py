"""Open meshes: their boundary loops, pieces and genus (docs/surface.md, 13)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class Topology:
    """What bending and stretching cannot change about a mesh."""

    pieces: int  # connected by edges or corners
    loops: int  # boundary loops
    genus: int  # handles of all pieces together
    euler: int  # Euler number, vertices - edges + faces; unused vertices do not count
    bad_edges: int  # edges of three or more faces, or of two that are not turned alike
    bad_vertices: int  # vertices where the faces around form more than one fan

    @property
    def sound(self) -> bool:
        """Whether it is a manifold: no bad edges and vertices."""
        return not (self.bad_edges or self.bad_vertices)


def topology(faces: np.ndarray) -> Topology:
    """Pieces, loops, genus and faults of a mesh, from its faces (F, 3) alone.

    Genus from Euler's formula, V - E + F = 2 pieces - 2 genus - loops; it is meant for sound meshes.
    """
    faces = np.unique(faces, return_inverse=True)[1].reshape(-1, 3)
    if not len(faces):
        return Topology(0, 0, 0, 0, 0, 0)
    count = int(faces.max()) + 1
    half = _half_edges(faces)
    edges, times = np.unique(np.sort(half, axis=1), axis=0, return_counts=True)
    turned = np.unique(half, axis=0, return_counts=True)[1]
    euler = count - len(edges) + len(faces)
    pieces = int(piece_of(faces, count).max()) + 1
    loops = len(boundary_loops(faces))
    return Topology(
        pieces=pieces,
        loops=loops,
        genus=(2 * pieces - loops - euler) // 2,
        euler=euler,
        bad_edges=int((times > 2).sum() + (turned > 1).sum()),
        bad_vertices=_bow_ties(faces),
    )


def boundary_loops(faces: np.ndarray) -> list[np.ndarray]:
    """The boundary loops of a mesh (F, 3), longest first: vertices (N,) in order, the first not repeated.

    Seen from outside, the surface lies to the left of a loop. Where a vertex is passed twice (two fans of
    faces touch there), the loop turns into the fan that it comes from, so loops may touch but not cross.
    """
    half = _half_edges(faces)
    count = int(faces.max(initial=0)) + 1
    keys, back = half @ [count, 1], half[:, ::-1] @ [count, 1]
    open_ = np.flatnonzero(~np.isin(keys, back))
    face_of = dict(zip(keys.tolist(), (np.arange(len(half)) % len(faces)).tolist(), strict=True))
    starts = set(half[open_, 0].tolist())
    follow: dict[tuple[int, int], tuple[int, int]] = {}
    for a, b in half[open_].tolist():
        if b in starts:
            follow[a, b] = _next_open(faces, face_of, count, a, b)
    loops, left = [], dict.fromkeys(map(tuple, half[open_].tolist()))
    while left:
        edge = first = next(iter(left))
        loop = []
        while edge in left:
            del left[edge]
            loop.append(edge[0])
            edge = follow.get(edge, first)
        loops.append(np.array(loop))
    return sorted(loops, key=len, reverse=True)


def _next_open(faces: np.ndarray, face_of: dict, count: int, a: int, b: int) -> tuple[int, int]:
    """The boundary edge after a-b: turn about b through the faces of its fan, from the one at a-b on."""
    for _ in range(len(faces)):
        corners = faces[face_of[a * count + b]].tolist()
        c = corners[(corners.index(b) + 1) % 3]  # the face is a, b, c: it leaves b towards c
        if c * count + b not in face_of:
            return b, c
        a = c
    return b, c


def piece_of(faces: np.ndarray, count: int) -> np.ndarray:
    """(V,) the connected piece each of ``count`` vertices is in, by the faces (F, 3)."""
    half = _half_edges(faces)
    graph = sparse.coo_array((np.ones(len(half)), half.T), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _half_edges(faces: np.ndarray) -> np.ndarray:
    """(3 F, 2) directed edges of faces (F, 3); row k belongs to face k modulo F."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)


def _bow_ties(faces: np.ndarray) -> int:
    """Number of vertices whose faces (F, 3) form more than one fan: corners joined over shared edges."""
    half, number = _half_edges(faces), np.tile(np.arange(len(faces)), 3)
    low, high = np.sort(half, axis=1).T
    order = np.lexsort((high, low))
    same = (low[order][1:] == low[order][:-1]) & (high[order][1:] == high[order][:-1])
    one, other = number[order[:-1][same]], number[order[1:][same]]
    joined = []
    for ends in (low, high):  # the two faces of an edge meet at both of its ends
        vertex = ends[order[:-1][same]]
        joined.append(np.stack([_corner(faces, one, vertex), _corner(faces, other, vertex)], 1))
    links = np.concatenate(joined)
    graph = sparse.coo_array((np.ones(len(links)), links.T), shape=(faces.size, faces.size))
    fan = connected_components(graph, directed=False)[1]
    pairs = np.unique(np.stack([faces.ravel(), fan], 1), axis=0)
    return int((np.bincount(pairs[:, 0]) > 1).sum())


def _corner(faces: np.ndarray, face: np.ndarray, vertex: np.ndarray) -> np.ndarray:
    """(N,) number 3 f + k of the corners where the faces (N,) have the vertices (N,)."""
    return 3 * face + (faces[face] == vertex[:, None]).argmax(1)
