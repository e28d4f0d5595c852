"""A garment put on another body (docs/surface.md, 13)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from hvr_nb.canonical.binding import bind
from hvr_nb.geometry.mesh import unique_edges
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.surface.displace import laplacian
from hvr_nb.surface.garments.outside import pushed_out
from hvr_nb.types import Canonical, Garment, HvrError

CLOSE = 0.02  # metres off the skin at which cloth follows it half as much as where it touches
SMOOTH = 0.04  # metres over which the move of the cloth is smoothed


def put_on(garment: Garment, source: Canonical, target: Canonical) -> Garment:
    """A garment of one body on another, both in the big pose: the same mesh and curves, other places.

    Every vertex moves as the nearest skin does from the one body to the other, smoothed over the cloth where
    it hangs free, as nearest skin jumps there; then the cloth is pushed out of the body. Its size changes
    with the body's, as a garment sewn for that person.

    Args:
        garment: in the big pose of ``source``. target: the other body, of the same model.

    Raises:
        HvrError: the bodies belong to models of different meshes.
    """
    if source.faces.shape != target.faces.shape or (source.faces != target.faces).any():
        raise HvrError(
            f"the {garment.name} is worn by a body of {len(source.vertices)} vertices, the other body has "
            f"{len(target.vertices)}; fit both clips with the same body model"
        )
    x, faces = np.asarray(garment.mesh.vertices, np.float64), garment.mesh.faces
    bound = bind(x, source)
    move = on_surface(target.vertices - source.vertices, source.faces, bound.face, bound.bary)
    places = x + _smoothed(move.astype(np.float64), x, faces, 1 / (1 + (bound.distance / CLOSE) ** 2))
    places = pushed_out(places, faces, target.vertices, target.faces)
    curves = {name: _along(curve, x, places, faces) for name, curve in garment.curves.items()}
    return Garment(garment.name, replace(garment.mesh, vertices=places), curves)


def _smoothed(move: np.ndarray, x: np.ndarray, faces: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Moves (V, 3) of a mesh (V, 3), (F, 3), smoothed where ``trust`` (V,) 0..1 is small.

    The minimum of the sum of trust times squared change and of the squared Laplacian.
    """
    edges = unique_edges(faces)
    side = float(np.linalg.norm(x[edges[:, 0]] - x[edges[:, 1]], axis=1).mean())
    used = np.zeros(len(x), bool)
    used[faces] = True
    bend = laplacian(faces, len(x))
    stiff = 0.1 * (SMOOTH / side) ** 4
    system = sparse.diags_array(np.where(used, trust, 1.0)) + stiff * (bend.T @ bend)
    return splu(sparse.csc_array(system)).solve(trust[:, None] * move)


def _along(curve: np.ndarray, before: np.ndarray, after: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Points (N, 3) on or near a mesh ``before`` (V, 3), (F, 3), as they lie to the mesh ``after`` (V, 3)."""
    face, bary, _ = nearest_surface(curve, before, faces)
    return curve + on_surface(after - before, faces, face, bary)
