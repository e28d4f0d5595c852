"""The rays of a training step: most scattered over a few frames, some in square patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvr_nb.geometry.rays import pixel_rays
from hvr_nb.methods.nvr.data import RaySet
from hvr_nb.methods.nvr.samples import positions
from hvr_nb.types import Camera, HvrError


@dataclass(frozen=True)
class Batch:
    """Rays of one step, R in all from F frames, frame after frame."""

    frames: np.ndarray  # (F,) indices into the trained frames
    slot: np.ndarray  # (R,) index into ``frames``
    direction: np.ndarray  # (R, 3)
    origin: np.ndarray  # (3,)
    depth: np.ndarray  # (R, S) camera depth, metres
    step: np.ndarray  # (R, S) metres along the ray
    rgb: np.ndarray  # (R, 3) 0..1
    alpha: np.ndarray  # (R,) 0..1
    background: np.ndarray  # (R, 3) 0..1
    patch: np.ndarray  # (P, side * side) rays of each patch
    filmed: np.ndarray  # (P, side * side) bool, pixels of it that have a ray of their own


def draw_rays(rays: RaySet, camera: Camera, options, rng: np.random.Generator) -> Batch:
    """Rays for one step; ``options`` are the method's ``Options``."""
    count = len(rays.start) - 1
    frames = rng.choice(count, min(options.frames, count), replace=False)
    each = options.rays // len(frames)
    slot = np.repeat(np.arange(len(frames)), each)
    low, high = rays.start[frames][slot], rays.start[frames + 1][slot]
    pick = low + (rng.random(len(slot)) * (high - low)).astype(np.int64)
    background = rng.random((len(pick), 3), dtype=np.float32)
    area = options.patch_side**2
    wanted = max(options.structure, options.perceptual) > 0
    if wanted and area > each:
        raise HvrError(
            f"a patch of {options.patch_side} x {options.patch_side} rays does not fit into the {each} "
            f"rays of a frame; raise rays to {area * len(frames)} or lower patch_side"
        )
    patches = min(options.patches, len(frames)) if wanted else 0
    patch = each * np.arange(patches)[:, None] + np.arange(area)
    filmed = np.zeros(patch.shape, bool)
    for k in range(patches):
        pick[patch[k]], filmed[k] = _square(rays, frames[k], pick[patch[k, 0]], camera, options.patch_side)
        background[patch[k]] = background[patch[k, 0]]
    origin, direction = pixel_rays(camera, rays.pixel[pick])
    jitter = rng.random((len(pick), options.samples), dtype=np.float32)
    depth, spacing = positions(rays.bounds[pick], options.samples, jitter)
    along = np.broadcast_to(spacing * np.linalg.norm(direction, axis=1, keepdims=True), depth.shape)
    return Batch(
        frames,
        slot,
        direction,
        origin.astype(np.float32),
        depth,
        along.astype(np.float32),
        rays.rgb[pick] / np.float32(255),
        rays.alpha[pick] / np.float32(255),
        background,
        patch,
        filmed,
    )


def _square(rays: RaySet, frame: int, middle: int, camera: Camera, side: int):
    """Rays (side * side,) of a square about the ray ``middle``, and which of its pixels have one.

    Pixels without a ray are background; the middle one stands in for them.
    """
    row, col = divmod(int(rays.pixel[middle]), camera.width)
    row = np.clip(row - side // 2, 0, max(camera.height - side, 0))
    col = np.clip(col - side // 2, 0, max(camera.width - side, 0))
    wanted = ((row + np.arange(side))[:, None] * camera.width + col + np.arange(side)).ravel()
    first, last = rays.start[frame], rays.start[frame + 1]
    pixels = rays.pixel[first:last]  # ascending
    at = np.minimum(np.searchsorted(pixels, wanted), len(pixels) - 1)
    found = pixels[at] == wanted
    return np.where(found, first + at, middle), found
