"""Detail from normal maps: folds and features that no outline shows (docs/surface.md, 9).

The normals of all maps are rotated to the big pose and averaged there. Then the surface moves along its
own normals until its edges are perpendicular to them, while positions, which the outlines fixed, hardly
change (Nehab et al., "Efficiently Combining Positions and Normals for Precise 3D Geometry", SIGGRAPH 2005).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import sparse

from hvr_nb.canonical.loose_weights import blend_joints
from hvr_nb.geometry.mesh import unique_edges, vertex_normals
from hvr_nb.surface.albedo import sighting
from hvr_nb.surface.displace import laplacian, solve
from hvr_nb.types import Camera

SLOPE, PLACE = 0.15, 0.01  # usual errors of the maps, radians, and of the surface from outlines, metres
BEND = 0.02  # weight of the curvature of the displacement, where no map shows the surface
OUTLINE = 0.002  # metres, usual error of an outline
OFTEN = 4.0  # number of outlines beyond which more add nothing
OTHER = 0.5  # cosine; directions farther off belong to another surface or to the outline
LEAST = 0.3  # summed weight of observations from which a direction counts in full
FARTHEST = 0.015  # metres, largest displacement of a vertex


def as_picture(vectors: np.ndarray) -> np.ndarray:
    """Normals (..., 3) int8 as uint8 around 127, which can be resized and interpolated like pictures."""
    return (vectors.astype(np.int16) + 127).astype(np.uint8)


def directions(
    views: Iterable,
    rest: np.ndarray,
    faces: np.ndarray,
    weights: np.ndarray,
    A_big: np.ndarray,
    camera: Camera,
) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (V, 3) of a big-pose mesh from normal maps, and the trust (V,) 0..1 in each.

    Args:
        views: for each frame the posed vertices (V, 3), their normals (V, 3), the joint transforms (24, 3, 4)
            from rest pose to world, the normal map (H, W, 3) from ``as_picture``, and the distance (H, W)
            of its mask.
        rest: (V, 3) big pose. weights: (V, 24) blend weights. A_big: (24, 3, 4) rest pose to big pose.
    """
    own = vertex_normals(rest, faces)
    to_rest = np.linalg.inv(blend_joints(weights, A_big)[:, :, :3])
    change, trust = np.zeros_like(own), np.zeros(len(rest))
    for vertices, normals, world, picture, distance in views:
        rgb, weight = sighting(vertices, normals, faces, camera, picture, distance)
        given = rgb.astype(np.float64) / 127 - 1
        length = np.linalg.norm(given, axis=1)
        weight = np.where(np.abs(length - 1) < 0.25, weight, 0)
        given = given / np.maximum(length, 1e-6)[:, None] @ camera.R
        weight = np.where((given * normals).sum(1) > OTHER, weight, 0)
        turn = blend_joints(weights, world)[:, :, :3] @ to_rest
        change += weight[:, None] * np.einsum("nji,nj->ni", turn, given - normals)
        trust += weight
    out = own + change / np.maximum(trust, 1e-9)[:, None]
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9), np.minimum(trust / LEAST, 1)


def detailed(
    vertices: np.ndarray,
    faces: np.ndarray,
    wanted: np.ndarray,
    trust: np.ndarray,
    *,
    held: np.ndarray | None = None,
    weight: float = 1.0,
) -> np.ndarray:
    """The mesh (V, 3), (F, 3) moved along its normals until they are ``wanted`` (V, 3), by ``trust`` (V,).

    Args:
        held: (V,) number of outlines that fixed each vertex; None: none.
        weight: factor on the weight of the normals against that of the positions.
    """
    count, normal = len(vertices), vertex_normals(vertices, faces)
    i, j = unique_edges(faces).T
    edge = vertices[j] - vertices[i]
    length = np.linalg.norm(edge, axis=1)
    way = wanted[i] + wanted[j]
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    scale = np.sqrt(weight * np.minimum(trust[i], trust[j])) / (SLOPE * np.maximum(length, 1e-6))
    row = np.arange(len(i))
    values = np.r_[-(way * normal[i]).sum(1) * scale, (way * normal[j]).sum(1) * scale]
    J = sparse.csr_array((values, (np.r_[row, row], np.r_[i, j])), shape=(len(i), count))
    L = laplacian(faces, count) / PLACE
    still = np.full(count, PLACE**-2) + (0 if held is None else outlined(held))
    system = sparse.csr_array(J.T @ J + sparse.diags_array(still) + BEND * (L.T @ L))
    move = solve(system, -(J.T @ (scale * (way * edge).sum(1))))
    return vertices + np.clip(move, -FARTHEST, FARTHEST)[:, None] * normal


def outlined(held: np.ndarray) -> np.ndarray:
    """Weights (V,), 1 / metres squared, of the positions of vertices that ``held`` (V,) outlines fixed."""
    return np.minimum(held, OFTEN) / OUTLINE**2
