"""Regions of a closed surface with the right number of borders (docs/surface.md, 14).

A garment is a connected part of a surface of genus 0. Its borders are as many as the pieces of all that is no
part of it. So its topology is right as soon as these pieces are: which ends of the body (head, hands, feet)
are to hang together without crossing the garment. The pieces are joined or parted until they are so.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra

from hvr_nb.geometry.mesh import unique_edges

ENDS = {"head": (15,), "left_hand": (22,), "right_hand": (23,), "left_foot": (10,), "right_foot": (11,)}
TINY = 1e-3  # value of a vertex whose sign was changed
WALL = 0.5  # value of those between pieces that are parted


class MeshGraph:
    """Connected pieces and distances on a mesh."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray):
        self.edges, self.count = unique_edges(faces), len(vertices)
        self.length = np.linalg.norm(np.subtract(*(vertices[self.edges[:, k]] for k in (0, 1))), axis=1)

    def pieces(self, kept: np.ndarray) -> np.ndarray:
        """(V,) number of the connected piece of the vertices ``kept`` (V,) bool, -1 for the others."""
        edges = self.edges[kept[self.edges].all(1)]
        graph = sparse.coo_array((np.ones(len(edges)), edges.T), shape=(self.count,) * 2)
        number = connected_components(graph, directed=False)[1]
        return np.where(
            kept, np.unique(np.where(kept, number, -1), return_inverse=True)[1] - (~kept).any(), -1
        )

    def distances(self, start: np.ndarray, *, cost: np.ndarray | None = None):
        """(V,) metres along edges from the vertices ``start`` (V,) bool, (V,) the vertex before on that way.

        Args:
            cost: (V,) factor on the length of edges at a vertex.
        """
        length = self.length if cost is None else self.length * cost[self.edges].mean(1)
        graph = sparse.csr_array(
            (np.tile(length, 2), np.concatenate([self.edges, self.edges[:, ::-1]]).T), shape=(self.count,) * 2
        )
        far, before, _ = dijkstra(
            graph, indices=np.flatnonzero(start), min_only=True, return_predecessors=True
        )
        return far, before


def grouped(field: np.ndarray, graph: MeshGraph, ends: dict[str, np.ndarray]) -> list[frozenset[str]]:
    """Which ends of the body hang together where ``field`` (V,) is not positive.

    Args:
        ends: (V,) bool for each of ``ENDS``.
    """
    pieces = graph.pieces(field <= 0)
    where = {name: _main(pieces, seed) for name, seed in ends.items()}
    return [frozenset(n for n, k in where.items() if k == piece) for piece in sorted(set(where.values()))]


def _main(pieces: np.ndarray, seed: np.ndarray) -> int:
    """The piece that most vertices of ``seed`` belong to."""
    own = pieces[seed]
    return int(np.bincount(own[own >= 0]).argmax()) if (own >= 0).any() else -1


def one_piece(field: np.ndarray, graph: MeshGraph, ends: dict[str, np.ndarray]) -> np.ndarray:
    """``field`` (V,) with one connected positive part, and without holes that hold no end of the body.

    The ends themselves are made negative: nobody's head, hand or toe is a garment's.
    """
    field = field.copy()
    for seed in ends.values():
        field[seed] = np.minimum(field[seed], -TINY)
    pieces = graph.pieces(field > 0)
    if pieces.max() < 0:
        return field
    field[(field > 0) & (pieces != np.bincount(pieces[pieces >= 0]).argmax())] = -TINY
    holes = graph.pieces(field <= 0)
    kept = {_main(holes, seed) for seed in ends.values()}
    field[(field <= 0) & ~np.isin(holes, list(kept))] = TINY
    return field


def joined_ends(field: np.ndarray, graph: MeshGraph, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``field`` (V,) made negative along the cheapest way from the ends ``one`` to ``other``, (V,) bool.

    The cheapest way is the one along which the field is least positive.
    """
    far, before = graph.distances(one, cost=0.01 + np.clip(field, 0, 1))
    k, field = int(np.where(other, far, np.inf).argmin()), field.copy()
    while k >= 0:
        field[k] = min(field[k], -TINY)
        k = before[k]
    return field


def parted_ends(field: np.ndarray, graph: MeshGraph, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``field`` (V,) with a wall of positive vertices between the ends ``one`` and ``other``, (V,) bool.

    The wall stands where the way between them is narrowest: what is not garment is narrowed until the ends
    come apart, and grows back from both sides.
    """
    outside = field <= 0
    room = np.where(outside, graph.distances(~outside)[0], 0)  # metres to the garment
    low, high = 0.0, float(min(room[one].max(), room[other].max()))
    for _ in range(12):
        middle = (low + high) / 2
        pieces = graph.pieces(room > middle)
        mine, theirs = (set(pieces[seed & (pieces >= 0)].tolist()) for seed in (one, other))
        low, high = (middle, high) if mine & theirs else (low, middle)
    pieces = graph.pieces(room > high)
    mine = np.isin(pieces, pieces[one & (pieces >= 0)])
    theirs = np.isin(pieces, pieces[other & (pieces >= 0)])
    near, far = (graph.distances(start, cost=np.where(outside, 1.0, 1e3))[0] for start in (mine, theirs))
    side = outside & (near < far)
    crossing = graph.edges[side[graph.edges].any(1) & ~side[graph.edges].all(1)]
    wall = np.zeros(len(field), bool)
    wall[crossing.ravel()] = True
    return np.where(wall & outside, WALL, field)


def ends_beyond(pieces: np.ndarray, beyond: np.ndarray, ends: dict[str, np.ndarray]) -> frozenset[str]:
    """The ends of the body in the piece that most vertices ``beyond`` (N,) a border belong to.

    Args:
        pieces: (V,) of ``MeshGraph.pieces``. ends: (V,) bool for each of ``ENDS``.
    """
    piece = int(np.bincount(pieces[beyond] + 1).argmax()) - 1
    return frozenset(name for name, seed in ends.items() if _main(pieces, seed) == piece)
