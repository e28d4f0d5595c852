"""Cloth inside a body: how much of it, and moving it out (docs/surface.md, 13)."""

from __future__ import annotations

import numpy as np

from hvr_nb.geometry.mesh import face_normals, neighbour_mean, vertex_normals
from hvr_nb.geometry.nearest import nearest_surface, on_surface

MARGIN = 0.002  # metres, least distance of cloth from the skin
DEEP = 0.05  # metres; cloth deeper inside lies in another limb, whose skin does not say which way is out
ROUND = 0.03  # metres, smallest radius of the body; between corners a flat face sinks in by edge^2 / 8 radii
ROUNDS, SPREAD = 8, 20  # pushes, and averages over neighbours by which the first of them fade out
# barycentric coordinates of four points of a triangle that stand for a quarter of its area each
_QUARTERS = np.array([[4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 2, 2]]) / 6


def penetration(cloth: np.ndarray, faces: np.ndarray, skin: np.ndarray, skin_faces: np.ndarray) -> float:
    """Share 0..1 of the area of cloth (V, 3), (F, 3) that lies inside a closed body (S, 3), (G, 3)."""
    area = np.linalg.norm(face_normals(cloth, faces), axis=1)
    points = np.einsum("qk,fkc->qfc", _QUARTERS, cloth[faces]).reshape(-1, 3)
    inside = nearest_surface(points, skin, skin_faces)[2].reshape(4, -1) < 0
    return float((inside.mean(0) * area).sum() / max(area.sum(), 1e-12))


def pushed_out(
    cloth: np.ndarray,
    faces: np.ndarray,
    skin: np.ndarray,
    skin_faces: np.ndarray,
    *,
    which: np.ndarray | None = None,
    margin: float = MARGIN,
) -> np.ndarray:
    """Vertices (V, 3) of cloth, moved until they and their faces are ``margin`` metres off the skin.

    The first pushes fade out over the cloth around, so that no dent remains beside what was pushed.

    Args:
        faces: (F, 3) of the cloth. skin: (S, 3), skin_faces: (G, 3) of the body in the same pose.
        which: (N,) vertices that may be inside and are looked at; None: all.
    """
    x, mean = np.array(cloth, np.float64), neighbour_mean(faces, len(cloth))
    may = np.zeros(len(x), bool)
    may[slice(None) if which is None else which] = True
    normals = vertex_normals(skin, skin_faces)
    for k in range(ROUNDS):
        push = _push(x, faces, may, (skin, skin_faces, normals), margin)
        if not push.any():
            break
        spread = push
        for _ in range(SPREAD if k < ROUNDS // 2 else 0):
            around = mean @ spread
            more = np.linalg.norm(around, axis=1) > np.linalg.norm(push, axis=1)
            spread = np.where(more[:, None], around, push)
        x += spread
    return x


def _push(x: np.ndarray, faces: np.ndarray, may: np.ndarray, body: tuple, margin: float) -> np.ndarray:
    """(V, 3) moves of the vertices ``may`` (V,) bool that bring them and their faces out to ``margin``."""
    own, push = np.flatnonzero(may), np.zeros_like(x)
    distance = np.full(len(x), np.inf)
    push[own], distance[own] = _way_out(x[own], body, margin)
    side = np.linalg.norm(x[faces] - x[np.roll(faces, 1, axis=1)], axis=2).max(1)
    close = faces[distance[faces].min(1) < margin + side**2 / (8 * ROUND)]
    inner = np.einsum("qk,fkc->fqc", _QUARTERS, x[close]).reshape(-1, 3)
    move = _way_out(inner, body, margin)[0]
    corner, move = np.repeat(close, 4, axis=0).ravel(), np.repeat(move, 3, axis=0)
    order = np.argsort(np.linalg.norm(move, axis=1), kind="stable")
    longest = np.zeros_like(x)
    longest[corner[order]] = move[order]  # of several the last one stays
    farther = np.linalg.norm(longest, axis=1) > np.linalg.norm(push, axis=1)
    return np.where(farther[:, None], longest, push)


def _way_out(points: np.ndarray, body: tuple, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Moves (N, 3) of points (N, 3) to ``margin`` off the skin, zero where they are, and distances (N,)."""
    skin, skin_faces, normals = body
    if not len(points):
        return np.zeros((0, 3)), np.zeros(0)
    face, bary, distance = nearest_surface(points, skin, skin_faces)
    lack = (distance < margin) & (distance > -DEEP)
    out = on_surface(normals, skin_faces, face, bary)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
    move = on_surface(skin, skin_faces, face, bary) + margin * out - points
    done = np.linalg.norm(move, axis=1) < 1e-6
    return np.where((lack & ~done)[:, None], move, 0), distance
