"""The bare body and open garments over it, cut out of the clothed surface (docs/surface.md, 14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hvr_nb.geometry.cut import CutMesh, cut_mesh
from hvr_nb.geometry.mesh import neighbour_mean
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.geometry.open_mesh import boundary_loops, topology
from hvr_nb.surface.albedo import filled
from hvr_nb.surface.garments.borders import GarmentBorder, moved_rims, named_loops
from hvr_nb.surface.garments.kinds import Piece, arranged
from hvr_nb.surface.garments.outline import split_outline
from hvr_nb.surface.garments.outside import pushed_out
from hvr_nb.surface.garments.topology import MeshGraph, one_piece
from hvr_nb.surface.garments.under import beneath
from hvr_nb.types import Canonical, HvrError, shaped

BODY = "body"
LEAST = 0.004  # square metres, smallest closed layer


@dataclass(frozen=True)
class Wardrobe:
    """The layers of a person in the big pose as one mesh; V vertices, layer by layer, the body first."""

    vertices: np.ndarray = shaped("float (V, 3)")  # metres
    faces: np.ndarray = shaped("index of V (F, 3)")
    albedo: np.ndarray = shaped("float (V, 3)")  # colour under the mean light, 0..1
    layer: np.ndarray = shaped("int (V,)")  # number of the layer
    rim: np.ndarray = shaped("index of V (R,)")  # vertices of all curves, in order
    curve: np.ndarray = shaped("int (R,)")  # number of the curve


@dataclass(frozen=True)
class Sheet:
    """A layer on its own: N vertices."""

    name: str
    vertices: np.ndarray  # (N, 3) big pose, metres
    faces: np.ndarray  # (F, 3)
    albedo: np.ndarray  # (N, 3)
    curves: dict[str, np.ndarray]  # vertices in order


def garment_sheet(
    piece: Piece,
    field: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    albedo: np.ndarray,
    graph: MeshGraph,
    ends: dict[str, np.ndarray],
    borders: Sequence[GarmentBorder],
    coarse: np.ndarray,
    canonical: Canonical,
    hidden: np.ndarray | None,
) -> Sheet:
    """A garment cut out of a closed surface (V, 3), (F, 3) with colours (V, 3).

    Args:
        field: (V,) of the piece, on this surface. ends: (V,) bool, see ``topology.ENDS``.
        borders: of all garments, on a surface with vertices coarse (W, 3).
        hidden: (V,) float, above 0.5 where it lies beneath another garment; None: nowhere.

    Raises:
        HvrError: the borders are not those of its cut, because the surface has a handle there.
    """
    # a way of single vertices may be lost between two meshes
    field = arranged(one_piece(field, graph, ends), piece.name, graph, ends)
    cut = cut_mesh(faces, field)
    curves = named_loops(piece, cut, field, graph, ends)
    found = topology(cut.faces)
    if set(curves) != set(piece.curves) or found.loops != len(curves) or found.genus or not found.sound:
        raise HvrError(
            f"the {piece.name} has {found.loops} borders and {found.genus} handles, where it should have "
            f"{len(piece.curves)} and none; correct the labels of 02_masks or the parameter garments"
        )
    x = _smooth_rims(cut.mix @ vertices, curves)
    x = moved_rims(x, cut.faces, curves, [b for b in borders if b.garment == piece.name], coarse)
    if hidden is not None:
        x = beneath(x, cut.faces, cut.mix @ hidden > 0.5, canonical)
    if piece.name == "jacket":
        curves |= split_outline(curves["opening"], x)
    return Sheet(piece.name, x, cut.faces, cut.mix @ albedo, curves)


def _smooth_rims(vertices: np.ndarray, curves: dict[str, np.ndarray], *, rounds: int = 6) -> np.ndarray:
    """Vertices (N, 3) whose closed rims are smooth: Taubin's steps in and out, so that no loop shrinks."""
    out = vertices.copy()
    for loop in curves.values():
        x = out[loop]
        for _ in range(rounds):
            for step in (0.5, -0.53):
                x = x + step * ((np.roll(x, 1, 0) + np.roll(x, -1, 0)) / 2 - x)
        out[loop] = x
    return out


def closed_sheet(
    name: str, votes_field: np.ndarray, vertices, faces, albedo, graph: MeshGraph, area
) -> Sheet | None:
    """Hair or shoes as a closed layer: the parts of a surface where the field (V,) is positive, with lids.

    Args:
        area: (V,) square metres at every vertex of the surface (V, 3), (F, 3).

    Returns:
        None where no part is as large as ``LEAST``.
    """
    pieces = graph.pieces(votes_field > 0)
    sizes = np.bincount(pieces[pieces >= 0], area[pieces >= 0]) if (pieces >= 0).any() else np.zeros(0)
    large = np.flatnonzero(sizes > LEAST)
    parts = []
    for number in large:
        field = np.where(pieces == number, votes_field, np.minimum(votes_field, -1e-3))
        holes = graph.pieces(field <= 0)
        rest = np.bincount(holes[holes >= 0], area[holes >= 0]).argmax()
        field[(field <= 0) & (holes != rest)] = 1e-3
        parts.append(_lidded(cut_mesh(faces, field), vertices, albedo))
    if not parts:
        return None
    start = np.cumsum([0, *(len(p[0]) for p in parts)])
    return Sheet(
        name,
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] + s for p, s in zip(parts, start[:-1], strict=True)]),
        np.concatenate([p[2] for p in parts]),
        {},
    )


def _lidded(cut: CutMesh, vertices, albedo) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces and colours of a cut with a fan over each of its holes."""
    x, colour, faces = cut.mix @ vertices, cut.mix @ albedo, [cut.faces]
    for loop in boundary_loops(cut.faces):
        faces.append(np.stack([np.roll(loop, -1), loop, np.full(len(loop), len(x))], 1))
        x = np.concatenate([x, x[loop].mean(0)[None]])
        colour = np.concatenate([colour, colour[loop].mean(0)[None]])
    return x, np.concatenate(faces), colour


def body_sheet(
    canonical: Canonical,
    vertices: np.ndarray,
    faces: np.ndarray,
    albedo: np.ndarray,
    bare: np.ndarray,
) -> Sheet:
    """The bare body in the big pose, with the colours of the skin that a surface (V, 3), (F, 3) shows.

    Args:
        albedo: (V, 3). bare: (V,) bool, where the surface is skin.
    """
    face, bary, distance = nearest_surface(canonical.vertices, vertices, faces)
    corner = faces[face, bary.argmax(1)]
    shown = bare[faces[face]].all(1) & (np.abs(distance) < 0.03)
    colour = np.full((len(canonical.vertices), 3), np.nan)
    colour[shown] = albedo[corner[shown]]
    colour = filled(colour, neighbour_mean(canonical.faces, len(colour)))
    return Sheet(BODY, canonical.vertices.astype(np.float64), canonical.faces, colour, {})


def dressed(
    sheets: Sequence[Sheet], canonical: Canonical
) -> tuple[Wardrobe, list[str], list[tuple[str, str]]]:
    """The layers as one mesh, garments outside the body; names of the layers, and of the curves by layer."""
    vertices, start, rims, curves = [], 0, [], []
    for sheet in sheets:
        x = sheet.vertices
        if sheet.curves:
            x = pushed_out(x, sheet.faces, canonical.vertices, canonical.faces)
        vertices.append(x)
        for name, loop in sheet.curves.items():
            curves.append((sheet.name, name))
            rims.append(loop + start)
        start += len(x)
    starts = np.cumsum([0, *map(len, vertices)])[:-1]
    return (
        Wardrobe(
            np.concatenate(vertices).astype(np.float32),
            np.concatenate([s.faces + k for s, k in zip(sheets, starts, strict=True)]).astype(np.int32),
            np.concatenate([s.albedo for s in sheets]).astype(np.float16),
            np.repeat(np.arange(len(sheets)), [len(s.vertices) for s in sheets]).astype(np.int32),
            np.concatenate(rims).astype(np.int32),
            np.repeat(np.arange(len(rims)), [len(r) for r in rims]).astype(np.int32),
        ),
        [sheet.name for sheet in sheets],
        curves,
    )
