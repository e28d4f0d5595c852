"""Detail from normal maps: folds and faces that no outline shows.

What the maps say is carried to the big pose and averaged there; then the surface moves along its own normals
until its edges are at right angles to those directions, while its places, which the outlines fixed, hardly
change (Nehab et al., "Efficiently Combining Positions and Normals for Precise 3D Geometry", SIGGRAPH 2005;
specs/surface.md A10, E4 S4).
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

SLOPE, PLACE = 0.15, 0.01  # radians and metres: usual errors of the maps and of the outlines' surface
BEND = 0.02  # weight of the curvature of the displacement, for what no map shows
OUTLINE, OFTEN = 0.002, 4.0  # metres, usual error of an outline; sightings beyond so many add nothing
OTHER = 0.5  # cosine: a direction further off is another surface's, or the edge's
LEAST = 0.3  # summed weight of sightings from which on a direction is believed in full
FARTHEST = 0.015  # metres that a vertex moves at most


def as_picture(vectors: np.ndarray) -> np.ndarray:
    """Normals (..., 3) int8 as uint8 around 127, which pictures can be resized and looked up in."""
    return (vectors.astype(np.int16) + 127).astype(np.uint8)


def directions(
    views: Iterable,
    rest: np.ndarray,
    faces: np.ndarray,
    weights: np.ndarray,
    A_big: np.ndarray,
    camera: Camera,
) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (V, 3) that normal maps give a big-pose mesh, and trust (V,) 0..1 in each.

    Args:
        views: of every frame the posed vertices (V, 3), their normals (V, 3), joints' transforms (24, 3, 4) from
            rest pose to world, normal map (H, W, 3) of ``as_picture`` and its mask's distance (H, W).
        rest: (V, 3) big pose. weights: (V, 24) of skinning. A_big: (24, 3, 4) rest to big pose.
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
    """The mesh (V, 3), (F, 3) moved along its normals until they are ``wanted`` (V, 3), where ``trust`` (V,) says so.

    Args:
        held: (V,) how often an outline fixed a vertex's place; None: never.
        weight: factor on what the normals say against the places.
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
    """Weights (V,), 1 / metres squared, of the places of vertices that outlines fixed ``held`` (V,) times."""
    return np.minimum(held, OFTEN) / OUTLINE**2
