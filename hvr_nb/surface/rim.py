"""The rim (occluding contour) of a posed mesh, and its distances from a mask (docs/surface.md, 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvr_nb.geometry.mesh import face_normals
from hvr_nb.geometry.outline_distance import lookup, pixels_of, signed_distance
from hvr_nb.geometry.raster import rasterize
from hvr_nb.types import Camera

RIM = 1.5  # pixels from the mesh's own outline within which a contour edge belongs to the rim
BEFORE = 0.6  # pixels inside the outline at which the trust falls to 0.6
AGREE = 0.5  # least cosine between normals of mask and mesh that belong together


@dataclass(frozen=True)
class Rim:
    """K vertices on the outline of a posed mesh."""

    vertex: np.ndarray  # (K,)
    residual: np.ndarray  # (K,) metres outside the mask, negative inside
    gradient: np.ndarray  # (K, 3) derivative of the residual with respect to the vertex, world axes
    position: np.ndarray  # (K, 3) world metres
    trust: np.ndarray  # (K,) 0..1, how certainly the vertex lies on the outline


def find_rim(
    vertices: np.ndarray, faces: np.ndarray, edges: np.ndarray, camera: Camera, distance: np.ndarray
) -> Rim:
    """The vertices on the outline of a posed mesh, and their distances from the mask.

    Args:
        vertices: (V, 3) world metres. edges: (E, 4) two vertices and the two faces that share them.
        distance: (H, W) ``signed_distance`` of the frame's mask.
    """
    drawn = rasterize(vertices, faces, camera)[1] >= 0
    own = signed_distance((drawn * 255).astype(np.uint8)).astype(np.float32)
    pixels, x = pixels_of(vertices, camera)
    normals = face_normals(x, faces)
    toward = (normals * x[faces[:, 0]]).sum(1) < 0
    turning = edges[toward[edges[:, 2]] != toward[edges[:, 3]]]
    ids = np.unique(turning[:, :2])
    ids = ids[(np.abs(lookup(own, pixels[ids])) < RIM) & _inside(pixels[ids], camera)]
    theirs = distance.astype(np.float32)
    slope, mine = (_slope(image, pixels[ids]) for image in (theirs, own))
    agree = (slope * mine).sum(1) > AGREE
    ids, slope = ids[agree], slope[agree]
    at, z = x[ids], x[ids, 2]
    residual = lookup(theirs, pixels[ids]) * z / camera.K[0, 0]
    deep = -(slope * at[:, :2]).sum(1) / z
    gradient = np.concatenate([slope, deep[:, None]], 1) @ camera.R
    trust = np.exp(-0.5 * (lookup(own, pixels[ids]) / BEFORE) ** 2)
    return Rim(ids, residual, gradient, vertices[ids], trust)


def _inside(pixels: np.ndarray, camera: Camera) -> np.ndarray:
    """(N,) bool: whether pixels (N, 2) lie in the picture, away from its border, which cuts outlines."""
    return ((pixels > 3) & (pixels < np.array([camera.width, camera.height]) - 3)).all(1)


def _slope(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N, 2) unit direction of steepest ascent of an image (H, W) at pixels (N, 2)."""
    steps = np.array([[1.5, 0], [-1.5, 0], [0, 1.5], [0, -1.5]])
    a, b, c, d = (lookup(image, pixels + s) for s in steps)
    out = np.stack([a - b, c - d], 1)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)


def shared_edges(faces: np.ndarray) -> np.ndarray:
    """(E, 4) edges of faces (F, 3) that two faces share: two vertices, smaller first, and the two faces."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    face = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, face = edges[order], face[order]
    first = np.flatnonzero((edges[1:] == edges[:-1]).all(1))
    return np.column_stack([edges[first], face[first], face[first + 1]])
