"""Rays of pixels, and where along them the body's shell lies.

Near and far come from rasterising the body inflated by a margin, front and back; the far end is
cut a little behind the first surface of the body itself, which hides all that follows
(specs/performance.md 2). Depths are camera z, metres; pixel centres are at +0.5.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hvr_nb.geometry import camera_centre, to_camera
from hvr_nb.mesh import vertex_normals
from hvr_nb.raster import NEAR, rasterize_pixels
from hvr_nb.types import Camera


def pixel_rays(camera: Camera, pixels: np.ndarray, *, offset=(0.5, 0.5)) -> tuple[np.ndarray, np.ndarray]:
    """World rays through pixels.

    Args:
        pixels: (N,) flat indices, row * width + column.
        offset: where in the pixel, right and down, 0..1; the centre by default.

    Returns:
        origin (3,) world metres; directions (N, 3), float32, scaled so that ``origin + z * d`` has
        camera depth z (their length is metres along the ray for a metre of depth).
    """
    u = pixels % camera.width + offset[0]
    v = pixels // camera.width + offset[1]
    inverse = np.linalg.inv(camera.K)
    in_camera = np.stack([u, v, np.ones(len(pixels))], -1) @ inverse.T
    return camera_centre(camera), (in_camera @ camera.R).astype(np.float32)


def far_depth(xy: np.ndarray, z: np.ndarray, faces: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width) depth of the farthest surface, -inf where empty.

    1/z is linear over a triangle on the image, so the z-buffer of ``1 / (c - 1/z)`` keeps the
    farthest point where that of z keeps the nearest.
    """
    c = 2.0 / z.min()
    mirrored, _, _ = rasterize_pixels(xy, 1.0 / (c - 1.0 / z), faces, height, width)
    hit = np.isfinite(mirrored)
    out = np.full((height, width), -np.inf)
    out[hit] = 1.0 / (c - 1.0 / mirrored[hit])
    return out


def shell(vertices: np.ndarray, faces: np.ndarray, camera: Camera, *, margin: float, cut: float):
    """Where rays pass the body's shell.

    Args:
        vertices: (V, 3) world metres. margin: how far the body is inflated, metres.
        cut: how far behind the first surface of the body itself the shell ends, metres of depth.

    Returns:
        near, far: (H, W) camera depth, metres; inf and -inf where the shell is missed.
    """
    normals = vertex_normals(vertices, faces)
    inflated = vertices + margin * normals
    xy, z = _pixels(inflated, camera)
    if z.min() < NEAR:
        return np.full((camera.height, camera.width), np.inf), np.full((camera.height, camera.width), -np.inf)
    near, _, _ = rasterize_pixels(xy, z, faces, camera.height, camera.width)
    far = far_depth(xy, z, faces, camera.height, camera.width)
    body, _, _ = rasterize_pixels(*_pixels(vertices, camera), faces, camera.height, camera.width)
    return near, np.where(np.isfinite(body), np.minimum(far, body + cut), far)


def _pixels(vertices, camera):
    x = to_camera(np.asarray(vertices, np.float64), camera)
    safe = np.where(x[:, 2] > NEAR, x[:, 2], 1.0)
    return x[:, :2] / safe[:, None] @ camera.K[:2, :2].T + camera.K[:2, 2], x[:, 2]


def fill_bounds(near: np.ndarray, far: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give mask pixels that miss the shell the bounds of the nearest pixel that meets it.

    Args:
        near, far: (H, W) metres as ``shell`` gives them. alpha: (H, W) uint8 silhouette.
    """
    hit = np.isfinite(near)
    lack = (alpha > 0) & ~hit
    if not hit.any() or not lack.any():
        return near, far
    row, col = ndimage.distance_transform_edt(~hit, return_distances=False, return_indices=True)
    near, far = near.copy(), far.copy()
    near[lack], far[lack] = near[row[lack], col[lack]], far[row[lack], col[lack]]
    return near, far


def outline_gaps(vertices: np.ndarray, faces: np.ndarray, camera: Camera, alpha: np.ndarray):
    """How far silhouette and body reach beyond each other, metres: 98th percentiles over their pixels.

    Clothes make the silhouette stand off the body; only a wrong pose makes the body stand out of
    the silhouette.

    Args:
        vertices: (V, 3) world metres. alpha: (H, W) uint8.

    Returns:
        silhouette beyond the body, body beyond the silhouette.
    """
    xy, z = _pixels(vertices, camera)
    depth, _, _ = rasterize_pixels(xy, z, faces, camera.height, camera.width)
    body, inside = np.isfinite(depth), alpha > 127
    if not body.any() or not inside.any():
        return 0.0, 0.0
    metres = float(np.median(z) / camera.K[0, 0])
    beyond = (ndimage.distance_transform_edt(~b)[a] for a, b in ((inside, body), (body, inside)))
    return tuple(metres * float(np.percentile(pixels, 98)) for pixels in beyond)
