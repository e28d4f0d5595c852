"""Sewing patterns: a garment cut along seams into panels that are laid flat (docs/surface.md, 13).

Seams run where a tailor's do: at the sides and over the shoulders, between front and back; round the
armholes; down the middle of trousers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hvr_nb.geometry.cut import cut_mesh
from hvr_nb.geometry.mesh import face_normals, neighbour_mean
from hvr_nb.geometry.open_mesh import boundary_loops, piece_of, topology
from hvr_nb.surface.garments.flat import Stretch, flattened, stretch
from hvr_nb.types import Canonical, Garment, HvrError

CELL = 0.02  # metres, grid on which the middle between front and back is found
LEAN = 0.35  # how far an armhole leans outwards, metres a metre downwards
SLEEVE = 0.06  # metres beyond the armhole that a sleeve needs to be a panel of its own
SMALL = 0.06  # share of a garment's area below which a part is no panel of its own


@dataclass(frozen=True)
class Panel:
    """One piece of cloth of a garment; V vertices, F faces."""

    name: str  # "front", "left sleeve back", ...
    vertices: np.ndarray  # (V, 3) metres, on the garment
    faces: np.ndarray  # (F, 3)
    flat: np.ndarray  # (V, 2) metres, in the plane, seen from outside, upright
    border: np.ndarray  # (N,) vertices around it, in order
    stretch: Stretch


def garment_panels(garment: Garment, canonical: Canonical) -> list[Panel]:
    """The panels of an open garment in the big pose of ``canonical``.

    Raises:
        HvrError: the garment is closed (shoes, hair), or a part of it is no disc and cannot be laid flat.
    """
    if not garment.curves:
        raise HvrError(f"the {garment.name} is closed; only clothes with open ends have a pattern")
    x, faces = np.asarray(garment.mesh.vertices, np.float64), garment.mesh.faces
    joints = (
        np.einsum("jab,jb->ja", canonical.A_big[:, :, :3], canonical.rest_joints) + canonical.A_big[:, :, 3]
    )
    parts = {"": (x, faces)}
    if "left_cuff" in garment.curves:
        for side, sign, joint in (("left", 1, 16), ("right", -1, 17)):
            cuff = garment.curves[f"{side}_cuff"]
            if (_beyond(cuff, sign, joints[joint]) > SLEEVE).mean() > 0.5:
                parts = _split(
                    parts, lambda p, s=sign, j=joint: _beyond(p, s, joints[j]), f"{side} sleeve", ""
                )
    middle = _middle(x, faces)
    parts = _split(parts, lambda p: p[:, 2] - middle(p), "front", "back")
    if "left_ankle" in garment.curves:
        parts = _split(parts, lambda p: p[:, 0] - joints[0, 0], "left", "right")
    panels = []
    for name, part in parts.items():
        for label, piece in _separate(name, *part).items():
            panels.append(_panel(garment.name, label, *piece))
    return panels


def _beyond(p: np.ndarray, sign: int, shoulder: np.ndarray) -> np.ndarray:
    """(N,) metres of points (N, 3) beyond the armhole of one side."""
    return sign * (p[:, 0] - shoulder[0]) - LEAN * (shoulder[1] - p[:, 1])


def _middle(x: np.ndarray, faces: np.ndarray):
    """A function of points (N, 3) to z halfway between front and back of a garment (V, 3), (F, 3)."""
    points = np.concatenate([x, x[faces].mean(1)])
    low = points[:, :2].min(0) - 2 * CELL
    shape = tuple(np.ceil((points[:, :2].max(0) - low) / CELL).astype(int) + 3)
    cell = tuple(np.rint((points[:, :2] - low) / CELL).astype(int).T)
    high, deep = np.full(shape, -np.inf), np.full(shape, np.inf)
    np.maximum.at(high, cell, points[:, 2])
    np.minimum.at(deep, cell, points[:, 2])
    known = np.isfinite(high)
    row, col = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    half = np.where(known, high, 0) / 2 + np.where(known, deep, 0) / 2
    middle = ndimage.gaussian_filter(half[row, col], 1.5, mode="nearest")
    return lambda p: ndimage.map_coordinates(middle, ((p[:, :2] - low) / CELL).T, order=1, mode="nearest")


def _split(parts: dict, field, above: str, below: str) -> dict:
    """Parts (vertices, faces) by name, cut where ``field`` of their vertices is zero; names are joined."""
    out = {}
    for name, (x, faces) in parts.items():
        value = _without_specks(field(x), x, faces)
        for side, suffix in ((value, above), (-value, below)):
            if not (side > 0).any():
                continue
            cut = cut_mesh(faces, side)
            out[f"{name} {suffix}".strip()] = (cut.mix @ x, cut.faces)
    return out


def _without_specks(value: np.ndarray, x: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,) values smoothed over a mesh (V, 3), (F, 3), turned over in parts too small for a panel."""
    mean = neighbour_mean(faces, len(x)).astype(np.float64)
    for _ in range(3):
        value = 0.5 * value + 0.5 * (mean @ value)
    area = np.bincount(faces.ravel(), np.repeat(np.linalg.norm(face_normals(x, faces), axis=1), 3), len(x))
    out = np.where(value == 0, 1e-6, value)
    for sign in (1, -1):
        mine = faces[(sign * out[faces] > 0).all(1)]
        alone = sign * out > 0
        piece = piece_of(mine, len(x)) if len(mine) else np.arange(len(x))
        share = np.bincount(piece, area * alone)[piece] / area.sum()
        out = np.where(alone & (share < SMALL / 2), -sign * 1e-6, out)
    return out


def _separate(name: str, x: np.ndarray, faces: np.ndarray) -> dict:
    """The connected pieces of a part by name, left ones (+x) and right ones told apart."""
    piece = piece_of(faces, len(x))
    out = {}
    for k in np.unique(piece[faces[:, 0]]):
        used, index = np.unique(faces[piece[faces[:, 0]] == k], return_inverse=True)
        out[k] = (x[used], index.reshape(-1, 3))
    if len(out) == 1:
        return {name: next(iter(out.values()))}
    order = sorted(out.values(), key=lambda part: part[0][:, 0].mean())
    sides = ["right", "left"] if len(order) == 2 else [f"{k + 1}" for k in range(len(order))]
    return {f"{side} {name}": part for side, part in zip(sides, order, strict=True)}


def _panel(garment: str, name: str, x: np.ndarray, faces: np.ndarray) -> Panel:
    t = topology(faces)
    if (t.pieces, t.loops, t.genus) != (1, 1, 0) or not t.sound:
        raise HvrError(
            f"the panel {name!r} of the {garment} has {t.loops} borders and {t.genus} handles and cannot be "
            "laid flat; a finer mesh of the garment may help"
        )
    flat = flattened(x, faces)
    up = -np.abs(x[:, 0]) if "sleeve" in name else x[:, 1]
    way = np.linalg.lstsq(np.c_[flat, np.ones(len(flat))], up, rcond=None)[0][:2]
    way /= max(np.linalg.norm(way), 1e-12)
    flat = flat @ np.array([[way[1], way[0]], [-way[0], way[1]]])
    (border,) = boundary_loops(faces)
    return Panel(name, x, faces, flat, border, stretch(x, faces, flat))
