"""The baked mesh: the avatar as a coloured mesh bound to the body, for fast pictures and to guide exact ones.

Its vertices are bound by ``hvr_nb.canonical.binding`` (docs/field.md, 8).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hvr_nb.canonical.binding import Binding, carried
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.methods.nvr.warp import PoseBank
from hvr_nb.types import Camera, Mesh, Render

RESOLUTION = 256  # marching-cubes cells along the longest side: 7.5 mm for an adult
REACH = 0.01  # metres before and behind the mesh between which the surface lies
BESIDE = 0.012  # metres beside the mesh that rays still look at
OUTLINE = (12, 0.1)  # samples of rays beside the mesh's outline, and metres of depth that they serve for
MIDDLE = (6, 0.035)  # the same for rays that meet the mesh
DEEP = 0.2  # metres: of a deeper range only this much is sampled, half of it at either end
MANY = 24  # samples of rays with two stretches, or across the whole shell


def posed_vertices(binding: Binding, faces: np.ndarray, bank: PoseBank) -> np.ndarray:
    """(N, 3) world metres of bound points in the first pose of a bank; faces: (F, 3) of the skin."""
    return carried(binding, faces, bank.vertices[0], bank.transforms[0])


def draw_baked(mesh: Mesh, vertices: np.ndarray, camera: Camera) -> Render:
    """A picture of a mesh with its vertices at (N, 3): colours as they are, a hard outline."""
    depth, face_id, bary = rasterize(vertices, mesh.faces, camera)
    hit = face_id >= 0
    rgb = interpolate(mesh.colors.astype(np.float32) / 255, mesh.faces, face_id, bary)
    return Render(rgb, hit.astype(np.float32), np.where(hit, depth, 0).astype(np.float32))


def pixel_size(drawn: Render, camera: Camera) -> float:
    """Metres that a pixel spans at the person in a picture of the mesh; 1 where it shows nobody."""
    seen = drawn.depth[drawn.alpha > 0]
    return float(np.median(seen) / camera.K[0, 0]) if len(seen) else 1.0


def guided_bounds(bounds: np.ndarray, depth: np.ndarray, pixel_size: float) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of rays narrowed to where a mesh has its surface.

    Args:
        bounds: (H, W, 4) metres, of ``geometry.rays.shell``. depth: (H, W) of the mesh, inf beside it.
        pixel_size: metres that a pixel spans at the person.

    Returns:
        (H, W, 4): a short stretch about the mesh; two where depth varies much about a pixel (a hand before
        the trunk), about the nearest and the farthest depth; inf, -inf, inf, inf away from the mesh.
        (H, W) uint8, how many samples these rays need.
    """
    out, count = np.empty_like(bounds), np.zeros(depth.shape, np.uint8)
    out[:] = (np.inf, -np.inf, np.inf, np.inf)
    known = np.isfinite(bounds[..., 0])
    # Beside an outline the surface bends away: a ray between pixel centres may meet it deeper than theirs.
    near, far = _range(depth, 1 + 2 * max(1, int(np.ceil(BESIDE / pixel_size))), REACH + pixel_size)
    deep = known & np.isfinite(near)
    n, f = near[deep], far[deep]
    gap = np.maximum(f - n - DEEP, 0) / 2  # the air between hand and trunk is left out
    out[deep] = np.stack([n, (n + f) / 2 - gap, (n + f) / 2 + gap, f], -1)
    count[deep] = np.where(f - n < OUTLINE[1], OUTLINE[0], MANY)
    near, far = _range(depth, 3, REACH)
    short = known & ndimage.minimum_filter(np.isfinite(depth), 3)
    short[short] = (far - near)[short] < MIDDLE[1]
    out[short] = np.stack([near, far, far, far], -1)[short]
    count[short] = MIDDLE[0]
    return out, count


def _range(depth: np.ndarray, size: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Nearest and farthest depth (H, W) in a square about every pixel, widened by ``reach`` metres."""
    behind = np.where(np.isfinite(depth), depth, -np.inf)
    return ndimage.minimum_filter(depth, size) - reach, ndimage.maximum_filter(behind, size) + reach
