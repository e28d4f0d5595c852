"""Rays of pixels, and the depth range along them where the person can be.

The range is the shell around the body: near and far come from rasterising the body inflated by a
margin, front and back. It ends a little behind the body's first surface, which hides everything
farther away. Depths are camera z, metres; pixel centres are at +0.5.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hvr_nb.geometry.camera import camera_centre, to_camera
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import NEAR, rasterize_pixels
from hvr_nb.types import Camera

BESIDE = 0.02  # metres from an outline within which the surface behind it may be seen too


def pixel_rays(camera: Camera, pixels: np.ndarray, *, offset=(0.5, 0.5)) -> tuple[np.ndarray, np.ndarray]:
    """World rays through pixels.

    Args:
        pixels: (N,) flat indices, row * width + column.
        offset: position in the pixel, right and down, 0..1; the centre by default.

    Returns:
        origin (3,) world metres; directions (N, 3) float32, not of unit length: scaled so that
        ``origin + z * d`` has camera depth z.
    """
    u = pixels % camera.width + offset[0]
    v = pixels // camera.width + offset[1]
    inverse = np.linalg.inv(camera.K)
    in_camera = np.stack([u, v, np.ones(len(pixels))], -1) @ inverse.T
    return camera_centre(camera), (in_camera @ camera.R).astype(np.float32)


def far_depth(xy: np.ndarray, z: np.ndarray, faces: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width) depth of the farthest surface, -inf where empty.

    1/z is linear over the image of a triangle, so a z-buffer of ``1 / (c - 1/z)`` keeps the
    farthest point where one of z keeps the nearest.
    """
    c = 2.0 / z.min()
    mirrored, _, _ = rasterize_pixels(xy, 1.0 / (c - 1.0 / z), faces, height, width)
    hit = np.isfinite(mirrored)
    out = np.full((height, width), -np.inf)
    out[hit] = 1.0 / (c - 1.0 / mirrored[hit])
    return out


def shell(
    vertices: np.ndarray, faces: np.ndarray, camera: Camera, *, margin: float, cut: float
) -> np.ndarray:
    """Depth ranges in which the ray of each pixel passes the body's shell.

    Behind the body's first surface nothing is seen. Beside an outline there is a second range
    about the surface behind it (the hip behind a hand), because the avatar may end a little
    earlier than the body.

    Args:
        vertices: (V, 3) world metres. margin: how far the body is inflated, metres.
        cut: how far behind a surface of the body its range ends, metres of depth.

    Returns:
        (H, W, 4) camera depths, metres: near and far of the first range and of the second. The
        second is empty (near = far) for most pixels; inf, -inf, inf, inf where the shell is missed.
    """
    out = np.full((camera.height, camera.width, 4), np.inf)
    out[..., 1] = -np.inf
    xy, z = _pixels(vertices + margin * vertex_normals(vertices, faces), camera)
    if z.min() < NEAR:
        return out
    size = camera.height, camera.width
    near, _, _ = rasterize_pixels(xy, z, faces, *size)
    far = far_depth(xy, z, faces, *size)
    body, _, _ = rasterize_pixels(*_pixels(vertices, camera), faces, *size)
    known = np.isfinite(body)
    first = np.where(known, np.minimum(far, body + cut), far)
    reach = 1 + 2 * int(np.ceil(BESIDE * camera.K[0, 0] / np.median(z)))
    behind = ndimage.maximum_filter(np.where(known, body, -np.inf), size=reach)
    second = known & (behind - margin > first)
    out[..., 0], out[..., 1] = near, first
    out[..., 2] = np.where(second, behind - margin, first)
    out[..., 3] = np.where(second, behind + cut, first)
    out[~np.isfinite(near)] = (np.inf, -np.inf, np.inf, np.inf)
    return out


def _pixels(vertices, camera):
    x = to_camera(np.asarray(vertices, np.float64), camera)
    safe = np.where(x[:, 2] > NEAR, x[:, 2], 1.0)
    return x[:, :2] / safe[:, None] @ camera.K[:2, :2].T + camera.K[:2, 2], x[:, 2]


def fill_bounds(bounds: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Depth ranges (H, W, 4) for all pixels of the mask: those outside the shell take the nearest pixel's.

    Args:
        bounds: (H, W, 4) metres from ``shell``. alpha: (H, W) uint8 silhouette.
    """
    hit = np.isfinite(bounds[..., 0])
    lack = (alpha > 0) & ~hit
    if not hit.any() or not lack.any():
        return bounds
    row, col = ndimage.distance_transform_edt(~hit, return_distances=False, return_indices=True)
    filled = bounds.copy()
    filled[lack] = bounds[row[lack], col[lack]]
    return filled


def outline_gaps(vertices: np.ndarray, faces: np.ndarray, camera: Camera, alpha: np.ndarray):
    """How far the silhouette and the body reach beyond each other, metres: 98th percentiles over pixels.

    Clothes make the silhouette larger than the body. Only a wrong pose takes the body out of the
    silhouette.

    Args:
        vertices: (V, 3) world metres. alpha: (H, W) uint8.

    Returns:
        silhouette beyond the body, body beyond the silhouette; zeros where either is empty.
    """
    xy, z = _pixels(vertices, camera)
    depth, _, _ = rasterize_pixels(xy, z, faces, camera.height, camera.width)
    body, inside = np.isfinite(depth), alpha > 127
    if not body.any() or not inside.any():
        return 0.0, 0.0
    metres = float(np.median(z) / camera.K[0, 0])
    beyond = (ndimage.distance_transform_edt(~b)[a] for a, b in ((inside, body), (body, inside)))
    return tuple(metres * float(np.percentile(pixels, 98)) for pixels in beyond)
