"""Alignment: small shifts of every frame to the mean of all, before a texture is baked (docs/surface.md, 11).

A fitted body is a few pixels off, differently in every frame, so stripes of a shirt would break where one
best view meets another. Therefore the mean of all frames, which is blurred but has no breaks, is rendered in
the pose of each frame. Optical flow from there to the frame (Kroeger et al., "Fast Optical Flow using
Dense Inverse Search", ECCV 2016) tells where the points of the surface really are. The part of the shift
that all views of a point share is removed in the end, because it is a drift of the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from tqdm import tqdm

from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.surface.texture.views import Texels, beyond_charts, observe
from hvr_nb.types import Camera, Mesh

FARTHEST = 0.02  # largest shift, as a share of the picture's larger side
ROUNDS = 2  # rounds of mean and shifts
SMOOTH = 3.0  # pixels, sigma of the smoothing of shifts


def find_shifts(
    views: Sequence[tuple[Mesh, np.ndarray, np.ndarray]], texels: Texels, camera: Camera, size: int
) -> list[np.ndarray]:
    """Shifts in each picture from the projected points of a surface to where they really are.

    The mean is taken again from the shifted frames, because it is then less blurred.

    Args:
        views: for each frame the surface with ``uv``, the picture (H, W, 3) uint8 and its mask (H, W) uint8.
        texels: of a texture of ``size`` x ``size``; a coarse one is enough.

    Returns:
        for each frame (H, W, 2) float32 pixels, right and down; 0 off the surface.
    """
    shifts: list = [None] * len(views)
    bar = tqdm(total=ROUNDS * len(views), desc="aligning frames", unit="frame", leave=False)
    with bar:
        for _ in range(ROUNDS):
            mean, seen = mean_picture(views, shifts, texels, camera, size)
            mean = (mean + 0.5).astype(np.uint8)
            for k, (mesh, frame, alpha) in enumerate(views):
                shifts[k] = shift_to(frame, alpha, mesh, camera, mean, seen)
                bar.update()
    alone = [(mesh, shift, alpha) for (mesh, _, alpha), shift in zip(views, shifts, strict=True)]
    common, _ = mean_picture(alone, [None] * len(views), texels, camera, size)
    return [shift - drawn_from(common, mesh, camera)[0] for mesh, shift, _ in alone]


def mean_picture(
    views: Sequence[tuple[Mesh, np.ndarray, np.ndarray]],
    shifts: Sequence[np.ndarray | None],
    texels: Texels,
    camera: Camera,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The mean of all frames as a texture.

    Args:
        views, texels, size: as for ``find_shifts``, with pictures (H, W, C) of any kind.
        shifts: for each frame (H, W, 2) pixels, or None.

    Returns:
        (size, size, C) float32, gaps filled with the nearest value, and (size, size) bool: texels that some
        frame shows.
    """
    channels = views[0][1].shape[-1]
    total, mass = np.zeros((len(texels.flat), channels)), np.zeros(len(texels.flat))
    for (mesh, frame, alpha), shift in zip(views, shifts, strict=True):
        at, colour, weight = observe(mesh, texels, frame, alpha, camera, shift=shift)
        total[at] += weight[:, None] * colour
        mass[at] += weight
    image, seen = np.zeros((size * size, channels), np.float32), np.zeros(size * size, bool)
    seen[texels.flat] = mass > 0
    image[texels.flat] = total / np.maximum(mass, 1e-12)[:, None]
    image, seen = image.reshape(size, size, -1), seen.reshape(size, size)
    return (beyond_charts(image, seen) if seen.any() else image), seen


def shift_to(
    frame: np.ndarray, alpha: np.ndarray, mesh: Mesh, camera: Camera, mean: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """The shift of one frame, (H, W, 2) float32 pixels; see ``find_shifts``.

    Args:
        frame: (H, W, 3) uint8. alpha: (H, W) uint8. mesh: the surface in the pose of the frame, with ``uv``.
        mean, seen: (S, S, 3) uint8 and (S, S) bool from ``mean_picture``, rounded.
    """
    drawn, inside, x, y = drawn_from(mean, mesh, camera)
    known = cv2.remap(seen.astype(np.uint8), x, y, cv2.INTER_NEAREST) > 0
    shown = (known & inside & (alpha > 127)).astype(np.float32)
    share = cv2.GaussianBlur(shown, (0, 0), 1.0)[..., None] * shown[..., None]  # soft, so no edge appears
    drawn = (share * drawn + (1 - share) * frame + 0.5).astype(np.uint8)
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (drawn, frame)]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*grey, None)
    weight = cv2.GaussianBlur(shown, (0, 0), SMOOTH)
    smooth = cv2.GaussianBlur(flow * shown[..., None], (0, 0), SMOOTH) / np.maximum(weight, 1e-3)[..., None]
    length = np.linalg.norm(smooth, axis=-1, keepdims=True)
    most = FARTHEST * max(frame.shape[:2])
    return (smooth * np.minimum(1, most / np.maximum(length, 1e-6)) * (weight > 0.05)[..., None]).astype(
        np.float32
    )


def drawn_from(image: np.ndarray, mesh: Mesh, camera: Camera):
    """A texture (S, S, C) on a mesh with ``uv``, rendered for the camera.

    Returns:
        (H, W, C) values, 0 off the mesh; (H, W) bool, pixels of the mesh; (H, W) float32 column and row of
        the texture at each pixel.
    """
    _, face, bary = rasterize(mesh.vertices, mesh.faces, camera)
    uv = interpolate(mesh.uv, mesh.uv_faces, face, bary)
    x, y = (
        a.astype(np.float32) for a in (uv[..., 0] * len(image) - 0.5, (1 - uv[..., 1]) * len(image) - 0.5)
    )
    drawn = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return drawn * (face >= 0)[..., None], face >= 0, x, y
