"""Flattening: a piece of cloth laid into the plane with as little stretch as possible (docs/surface.md, 13).

Least squares conformal map (Levy et al. 2002) as a start, then as-rigid-as-possible (Liu et al. 2008): turns
of the triangles and places of the vertices in turn, so that lengths in the plane are those of the cloth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from hvr_nb.geometry.mesh import face_normals
from hvr_nb.geometry.open_mesh import boundary_loops, topology
from hvr_nb.types import HvrError

STEPS = 40  # of turning and placing
LEAST = 1e-3  # smallest weight of an edge, where the angles opposite to it are blunt


@dataclass(frozen=True)
class Stretch:
    """How lengths of a piece of cloth differ in the plane, by area."""

    mean_pct: float  # mean of the larger change of the two principal lengths of a triangle, per cent
    p95_pct: float  # 95th percentile of it
    area_pct: float  # change of the whole area, per cent


def flattened(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 2) places in the plane, metres, of a sheet (V, 3), (F, 3) with one border, seen from outside.

    Raises:
        HvrError: the sheet is no disc.
    """
    t = topology(faces)
    if not t.sound or (t.pieces, t.loops, t.genus) != (1, 1, 0):
        raise HvrError(
            f"a sheet of {t.pieces} pieces with {t.loops} borders and {t.genus} handles cannot be laid flat; "
            "cut it along seams"
        )
    corners = _in_own_plane(vertices, faces)
    flat = _conformal(corners, faces, vertices)
    weights = _cotangents(corners)
    system, edges = _laplacian(weights, faces, len(vertices)), corners[:, [1, 2, 0]] - corners
    solve = splu(system).solve
    for _ in range(STEPS):
        now = flat[faces][:, [1, 2, 0]] - flat[faces]
        turns = _turns(np.einsum("fk,fki,fkj->fij", weights, now, edges))
        pull = weights[..., None] * np.einsum("fij,fkj->fki", turns, edges)
        right = np.zeros_like(flat)
        for k in range(3):
            np.add.at(right, faces[:, (k + 1) % 3], pull[:, k])
            np.add.at(right, faces[:, k], -pull[:, k])
        flat = solve(right)
    return flat - flat.mean(0)


def stretch(vertices: np.ndarray, faces: np.ndarray, flat: np.ndarray) -> Stretch:
    """How a sheet (V, 3), (F, 3) was stretched by laying it flat, to places (V, 2)."""
    before, after = _in_own_plane(vertices, faces), flat[faces]
    a, b = (x[:, 1:] - x[:, :1] for x in (before, after))
    lengths = np.linalg.svd(np.linalg.solve(a, b), compute_uv=False)
    area = np.linalg.norm(face_normals(vertices, faces), axis=1)
    change = 100 * np.abs(lengths - 1).max(1)
    order = np.argsort(change)
    share = np.cumsum(area[order]) / area.sum()
    return Stretch(
        float((change * area).sum() / area.sum()),
        float(change[order][min(np.searchsorted(share, 0.95), len(order) - 1)]),
        100 * float((lengths.prod(1) * area).sum() / area.sum() - 1),
    )


def _in_own_plane(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3, 2) corners of triangles (V, 3), (F, 3), each in its own plane, the first at the origin."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    along = b - a
    length = np.maximum(np.linalg.norm(along, axis=1), 1e-9)
    x = ((c - a) * along).sum(1) / length
    y = np.maximum(np.linalg.norm(np.cross(along, c - a), axis=1) / length, 1e-9)
    zero = np.zeros_like(x)
    return np.stack([np.stack([zero, zero], 1), np.stack([length, zero], 1), np.stack([x, y], 1)], 1)


def _conformal(corners: np.ndarray, faces: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(V, 2) least squares conformal map; two far vertices of the border stay at their distance."""
    count = len(vertices)
    (border,) = boundary_loops(faces)
    first = border[np.linalg.norm(vertices[border] - vertices[border].mean(0), axis=1).argmax()]
    second = border[np.linalg.norm(vertices[border] - vertices[first], axis=1).argmax()]
    opposite = corners[:, [2, 0, 1]] - corners[:, [1, 2, 0]]
    double = opposite[:, 0, 0] * opposite[:, 1, 1] - opposite[:, 0, 1] * opposite[:, 1, 0]
    real, imaginary = (opposite[..., k] / np.sqrt(double)[:, None] for k in (0, 1))
    row = np.repeat(np.arange(len(faces)), 3)

    def matrix(values):
        return sparse.csr_array((values.ravel(), (row, faces.ravel())), shape=(len(faces), count))

    re, im = matrix(real), matrix(imaginary)
    whole = sparse.csc_array(sparse.vstack([sparse.hstack([re, -im]), sparse.hstack([im, re])]))
    pins = np.array([first, second, first + count, second + count])
    held = np.array([0.0, np.linalg.norm(vertices[second] - vertices[first]), 0.0, 0.0])
    free = np.setdiff1d(np.arange(2 * count), pins)
    part = whole[:, free]
    out = np.empty(2 * count)
    out[pins] = held
    out[free] = splu(sparse.csc_array(part.T @ part)).solve(-(part.T @ (whole[:, pins] @ held)))
    return out.reshape(2, count).T


def _cotangents(corners: np.ndarray) -> np.ndarray:
    """(F, 3) half cotangents of the angles of triangles (F, 3, 2) opposite to edges 01, 12, 20."""
    out = []
    for k in (2, 0, 1):
        a, b = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        out.append(0.5 * (a * b).sum(1) / np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]))
    return np.maximum(np.stack(out, 1), LEAST)


def _laplacian(weights: np.ndarray, faces: np.ndarray, count: int) -> sparse.csc_array:
    """(V, V) matrix of edges weighted (F, 3) in faces (F, 3), definite by a weight on one vertex."""
    a, b, w = faces.ravel(), faces[:, [1, 2, 0]].ravel(), weights.ravel()
    rows, columns = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
    out = sparse.coo_array((np.concatenate([w, w, -w, -w]), (rows, columns)), shape=(count, count))
    pin = sparse.coo_array(([w.mean()], ([faces[0, 0]], [faces[0, 0]])), shape=(count, count))
    return sparse.csc_array(out + pin)


def _turns(products: np.ndarray) -> np.ndarray:
    """(F, 2, 2) the rotations nearest to matrices (F, 2, 2)."""
    cosine, sine = products[:, 0, 0] + products[:, 1, 1], products[:, 1, 0] - products[:, 0, 1]
    length = np.maximum(np.hypot(cosine, sine), 1e-20)
    c, s = cosine / length, sine / length
    return np.stack([np.stack([c, -s], 1), np.stack([s, c], 1)], 1)
