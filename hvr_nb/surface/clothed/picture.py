"""Pictures of a coloured mesh under the lamps of ``hvr_nb.surface.light``."""

from __future__ import annotations

import cv2
import numpy as np

from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.surface.light import lobes
from hvr_nb.types import Camera, Mesh, Render

FINER = 2  # samples along each side of a pixel against jagged outlines


def lit(albedo: np.ndarray, vertices: np.ndarray, faces: np.ndarray, light: np.ndarray) -> np.ndarray:
    """(V, 3) float32 colours 0..1 of posed vertices (V, 3) with albedo (V, 3) under lamps (L,)."""
    shade = lobes(vertex_normals(vertices, faces)) @ light
    return np.clip(albedo.astype(np.float32) * shade[:, None], 0, 1).astype(np.float32)


def coloured(vertices: np.ndarray, faces: np.ndarray, albedo: np.ndarray) -> Mesh:
    """Vertices (V, 3), faces (F, 3) with albedo (V, 3) as a mesh in its own colours."""
    colours = np.clip(albedo.astype(np.float32), 0, 1)
    return Mesh(vertices, faces, colors=(255 * colours + 0.5).astype(np.uint8))


def draw_surface(
    vertices: np.ndarray, faces: np.ndarray, colour: np.ndarray, camera: Camera, *, antialias: bool = True
) -> Render:
    """One picture of a posed mesh (V, 3), (F, 3) with colours (V, 3), 0..1.

    Args:
        camera: any camera; distortion is ignored. antialias: every pixel is the mean of four samples.
    """
    depth, face, bary = rasterize(vertices, faces, camera)
    depth = np.where(face >= 0, depth, 0).astype(np.float32)
    if antialias:
        _, face, bary = rasterize(vertices, faces, camera.scaled(FINER))
    rgb, alpha = interpolate(colour, faces, face, bary), (face >= 0).astype(np.float32)
    if antialias:
        size = (camera.width, camera.height)
        rgb, alpha = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (rgb, alpha))
    return Render(rgb, alpha, depth)
