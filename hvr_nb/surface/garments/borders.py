"""The borders of garments on the clothed surface: as curves, in every frame, and fitted to what is seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from hvr_nb.canonical.loose_weights import blend_joints
from hvr_nb.geometry.cut import CutMesh, cut_mesh
from hvr_nb.geometry.mesh import unique_edges, vertex_normals
from hvr_nb.geometry.open_mesh import boundary_loops
from hvr_nb.geometry.outline_distance import pixels_of
from hvr_nb.surface.garments.arcs import Arc, border_arcs, drawn_arc, vertex_picture
from hvr_nb.surface.garments.curves import CurveView, fitted_curve
from hvr_nb.surface.garments.kinds import Piece
from hvr_nb.surface.garments.topology import MeshGraph, ends_beyond
from hvr_nb.surface.garments.votes import KINDS, edge_energy
from hvr_nb.types import Camera

POINTS = 100  # of a curve
HIDDEN = 0.015  # metres that a point of a curve may lie behind the surface that its pixel shows
SPREAD = 0.03  # metres over which a moved rim takes the cloth along


@dataclass(frozen=True)
class GarmentBorder:
    """A border of a garment on a surface of V vertices; K points."""

    garment: str
    name: str
    on: sparse.csr_array  # (K, V) the points from the surface's vertices
    beside: np.ndarray  # vertices just beyond it
    move: np.ndarray  # (K, 3) metres in the big pose, by which the arcs correct it
    error: float  # metres, root mean square distance of the arcs; NaN where none are seen
    arcs: tuple[Arc, ...] = ()  # what the frames show of it


def named_loops(
    piece: Piece, cut: CutMesh, field: np.ndarray, graph: MeshGraph, ends
) -> dict[str, np.ndarray]:
    """The loops of a garment that was cut out by ``field`` (V,), by the names of its curves.

    Loops that are none of its curves, or one of them again, are left out.
    """
    out, pieces = {}, graph.pieces(field <= 0)
    for loop in boundary_loops(cut.faces):
        beyond = ends_beyond(pieces, cut.beyond[loop], ends)
        name = next((n for n, group in piece.curves.items() if group == beyond), None)
        if name is not None:
            out.setdefault(name, loop)
    return out


def spaced(loop: np.ndarray, places: np.ndarray, count: int) -> sparse.csr_array:
    """(count, N) matrix of even points on a closed loop of vertices (L,), whose mesh is at places (N, 3)."""
    x = places[np.r_[loop, loop[:1]]]
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(x, axis=0), axis=1))]
    at = np.arange(count) * along[-1] / count
    k = np.clip(np.searchsorted(along, at, side="right") - 1, 0, len(loop) - 1)
    t = (at - along[k]) / np.maximum(along[k + 1] - along[k], 1e-12)
    row, col = np.tile(np.arange(count), 2), np.r_[loop[k], np.roll(loop, -1)[k]]
    return sparse.csr_array((np.r_[1 - t, t], (row, col)), shape=(count, len(places)))


def find_borders(
    pieces: Sequence[Piece], vertices: np.ndarray, faces: np.ndarray, graph: MeshGraph, ends
) -> list[GarmentBorder]:
    """The borders of all garments on a surface (V, 3), (F, 3), as the votes have them."""
    out = []
    for piece in pieces:
        cut = cut_mesh(faces, piece.field)
        for name, loop in named_loops(piece, cut, piece.field, graph, ends).items():
            on = sparse.csr_array(spaced(loop, cut.mix @ vertices, POINTS) @ cut.mix)
            out.append(GarmentBorder(piece.name, name, on, cut.beyond[loop], np.zeros((POINTS, 3)), np.nan))
    return out


def fitted_borders(
    borders: Sequence[GarmentBorder],
    pieces: Sequence[Piece],
    vertices: np.ndarray,
    faces: np.ndarray,
    graph: MeshGraph,
    views: Iterable,
    camera: Camera,
    pictures: np.ndarray,
    skinning: tuple[np.ndarray, np.ndarray],
    drawn: Mapping[tuple[str, str], Mapping[int, np.ndarray]] | None = None,
) -> list[GarmentBorder]:
    """The borders with arcs, and with the corrections that fit them.

    Args:
        vertices, faces: (V, 3), (F, 3) of the surface in the big pose.
        views: world vertices (V, 3) and joint transforms (24, 3, 4), rest pose to world, of N frames.
        pictures: (N, H, W) int8 of ``votes.kinds_of``.
        skinning: blend weights (V, 24) and joint transforms (24, 3, 4), rest pose to big pose.
        drawn: by garment and border, and by frame of the film, a line (K, 2), pixels, that somebody drew.
            A border that has any is fitted to these alone.
    """
    weights, big = skinning
    away = {}
    for k, border in enumerate(borders):
        start = np.zeros(len(vertices), bool)
        start[border.beside] = True
        away[k] = graph.distances(start)[0]
    back = [np.linalg.inv(blend_joints(b.on @ weights, big)[:, :, :3]) for b in borders]
    arcs: list[list[Arc]] = [[] for _ in borders]
    seen: list[list[CurveView]] = [[] for _ in borders]
    for frame, (x, world) in enumerate(views):
        shown = vertex_picture(x, faces, camera)
        depth = np.where(shown >= 0, pixels_of(x, camera)[1][:, 2][shown], np.inf)
        for piece in pieces:
            own = {k: away[k] for k, border in enumerate(borders) if border.garment == piece.name}
            found = border_arcs(frame, pictures[frame], KINDS.index(piece.kind), shown, own)
            lines = {k: (drawn or {}).get((piece.name, borders[k].name), {}) for k in own}
            found = {k: arc for k, arc in found.items() if not lines[k]}
            found |= {k: drawn_arc(frame, of[frame]) for k, of in lines.items() if frame in of}
            for k, arc in found.items():
                places = borders[k].on @ x
                turn = blend_joints(borders[k].on @ weights, world)[:, :, :3] @ back[k]
                seen[k].append(CurveView(places, turn, _shown(places, depth, camera)))
                arcs[k].append(arc)
    out, normal = [], vertex_normals(vertices, faces)
    for border, views_, arcs_ in zip(borders, seen, arcs, strict=True):
        lean = border.on @ normal
        lean /= np.maximum(np.linalg.norm(lean, axis=1, keepdims=True), 1e-9)
        move, error = fitted_curve(border.on @ vertices, lean, views_, arcs_, camera)
        out.append(replace(border, move=move, error=error, arcs=tuple(arcs_)))
    return out


def _shown(places: np.ndarray, depth: np.ndarray, camera: Camera) -> np.ndarray:
    """(K,) bool: points (K, 3) at most ``HIDDEN`` behind what a depth picture (H, W) has at their pixels."""
    pixels, x = pixels_of(places, camera)
    size = np.array([camera.width, camera.height])
    col, row = np.clip(np.floor(pixels), 0, size - 1).astype(int).T
    return ((pixels >= 0) & (pixels < size)).all(1) & (x[:, 2] < depth[row, col] + HIDDEN)


def moved_rims(
    vertices: np.ndarray,
    faces: np.ndarray,
    curves: dict[str, np.ndarray],
    borders: Sequence[GarmentBorder],
    on: np.ndarray,
) -> np.ndarray:
    """Vertices (N, 3) of a garment whose rims follow its fitted borders and take the cloth along.

    Args:
        curves: its rims, vertices in order. borders: of this garment. on: (V, 3) the surface they lie on.
    """
    rim = np.concatenate(list(curves.values()))
    move = np.zeros((len(vertices), 3))
    for border in borders:
        loop = curves[border.name]
        gap, near = cKDTree(border.on @ on).query(vertices[loop], k=2)
        share = 1 / np.maximum(gap, 1e-6)
        move[loop] = (share[..., None] * border.move[near]).sum(1) / share.sum(1, keepdims=True)
    edges = unique_edges(faces)
    size = float(np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1).mean())
    held = np.full(len(vertices), 1.0)
    held[rim] = 1e6
    system = sparse.diags_array(held) + (SPREAD / size) ** 2 * edge_energy(
        edges, np.ones(len(edges)), len(vertices)
    )
    right = np.zeros_like(move)
    right[rim] = held[rim, None] * move[rim]
    return vertices + splu(sparse.csc_array(system)).solve(right)
