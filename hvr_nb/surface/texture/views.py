"""The texels of a surface that each picture of a clip shows (docs/surface.md, 11).

A texel is a point of the surface. The z-buffer of the surface in the pose of a frame tells whether the
camera sees it there; views more than 68 degrees off do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from hvr_nb.geometry.camera import camera_centre, project, to_camera
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.nearest import on_surface
from hvr_nb.geometry.raster import rasterize, rasterize_pixels
from hvr_nb.types import Camera, Mesh

GRAZING = 0.37  # cosine of 68 degrees, the largest angle of a view
UNDER = 0.0015  # metres; a point this far behind the surface that its pixel shows is hidden
BEFORE = 0.015  # metres; a point with a surface this far in front of it nearby is left out (mixed colours)
FRINGE = 5  # pixels, side of the square that counts as nearby


@dataclass(frozen=True)
class Texels:
    """The N texels of a texture of S x S that lie on the surface, row by row."""

    flat: np.ndarray  # (N,) row * S + column
    face: np.ndarray  # (N,) face of the mesh
    bary: np.ndarray  # (N, 3) barycentric coordinates in it


def find_texels(uv: np.ndarray, uv_faces: np.ndarray, size: int) -> Texels:
    """The texels of a texture that lie on the surface, and their points on it.

    Args:
        uv: (U, 2) texture coordinates. uv_faces: (F, 3). size: side, texels.
    """
    xy = np.stack([uv[:, 0], 1 - uv[:, 1]], 1) * size
    _, face, bary = rasterize_pixels(xy, np.ones(len(uv)), uv_faces, size, size)
    flat = np.flatnonzero(face.ravel() >= 0)
    return Texels(flat, face.ravel()[flat], bary.reshape(-1, 3)[flat])


def observe(
    mesh: Mesh,
    texels: Texels,
    frame: np.ndarray,
    alpha: np.ndarray,
    camera: Camera,
    *,
    shift: np.ndarray | None = None,
):
    """The texels that one picture shows.

    Args:
        mesh: the surface in the pose of the frame. frame: (H, W, 3) uint8. alpha: (H, W) uint8.
        shift: (H, W, 2) pixels from the projection of a point to where the picture shows it.

    Returns:
        (M,) texels, (M, 3) uint8 colours, (M,) weights: squared cosine of the viewing angle, times nearness.
    """
    nearest, _, _ = rasterize(mesh.vertices, mesh.faces, camera)
    nearest = np.where(np.isfinite(nearest), nearest, 1e3).astype(np.float32)
    about = ndimage.minimum_filter(nearest, FRINGE)
    inside = cv2.erode((alpha > 250).astype(np.float32), np.ones((3, 3), np.uint8), borderValue=0)
    depth = to_camera(mesh.vertices, camera)[:, 2]
    toward = camera_centre(camera) - mesh.vertices
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    facing = (vertex_normals(mesh.vertices, mesh.faces) * toward).sum(1)
    front = (facing[mesh.faces].max(1) > GRAZING)[texels.face]
    at = np.flatnonzero(front)
    values = np.column_stack([np.nan_to_num(project(mesh.vertices, camera)), depth, facing]).astype(
        np.float32
    )
    x, y, z, cosine = on_surface(values, mesh.faces, texels.face[at], texels.bary[at]).T
    height, width = alpha.shape
    row, col = np.clip(y, 0, height - 1).astype(int), np.clip(x, 0, width - 1).astype(int)
    good = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (z > 0) & (cosine > GRAZING)
    steep = np.sqrt(1 - np.minimum(cosine, 1) ** 2) / np.maximum(cosine, GRAZING)
    slope = steep * z / camera.K[0, 0]  # metres of depth per pixel
    good &= z < bilinear(nearest, x, y) + UNDER + slope / 4
    good &= z < about[row, col] + BEFORE + FRINGE / 2 * slope
    at, x, y, z, cosine = at[good], x[good], y[good], z[good], cosine[good]
    if shift is not None:
        dx, dy = bilinear(shift, x, y).T
        x, y = x + dx, y + dy
    good = bilinear(inside, x, y) > 0.99
    at, x, y, z, cosine = at[good], x[good], y[good], z[good], cosine[good]
    return at, bilinear(frame, x, y), (cosine / z) ** 2


def bilinear(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(M,) or (M, 3) values of a picture (H, W[, 3]) at pixel positions (M,), centres at +0.5."""
    wide = 1024  # OpenCV's remap takes pictures with sides under 32768
    where = (np.resize(np.append(a - 0.5, 0).astype(np.float32), (len(a) // wide + 1, wide)) for a in (x, y))
    out = cv2.remap(picture, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(-1, *picture.shape[2:])[: len(x)]


def beyond_charts(image: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """The image (S, S, 3) whose texels off the surface, (S, S) bool, have the colour of the nearest on it."""
    row, col = ndimage.distance_transform_edt(~surface, return_distances=False, return_indices=True)
    return image[row, col]
