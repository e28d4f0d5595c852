"""A clip's pixels as rays, kept in memory; near and far once per frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from hvr_nb.geometry.camera import undistort_images
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.rays import fill_bounds, outline_gaps, shell
from hvr_nb.types import Body, Camera, HvrError

CUT = 0.04  # metres behind the first skin where rays end
MARGINS = (0.035, 0.12)  # metres, least and most that the shell is inflated


@dataclass(frozen=True)
class TrainingPictures:
    """What training looks at."""

    frames: np.ndarray  # (T, H, W, 3) uint8 RGB, free of background where the masks provide it
    alpha: np.ndarray  # (T, H, W) uint8
    camera: Camera  # for this image size, without distortion


@dataclass(frozen=True)
class RaySet:
    """All rays of T frames that meet the shell or the silhouette, frame after frame."""

    start: np.ndarray  # (T + 1,) first ray of each frame
    pixel: np.ndarray  # (N,) int32 row * width + column
    bounds: np.ndarray  # (N, 4) float32 camera depth, metres: near and far of two stretches
    rgb: np.ndarray  # (N, 3) uint8
    alpha: np.ndarray  # (N,) uint8


def load_training_pictures(clip, camera: Camera, *, image_scale: float) -> TrainingPictures:
    """Frames and silhouettes of a clip, undistorted and resized."""
    if image_scale <= 0 or image_scale > 1:
        raise HvrError(f"image_scale is {image_scale}; choose it above 0 and at most 1")
    masks = clip.masks
    frames = masks.foreground if masks.foreground is not None else clip.frames
    frames, clean = undistort_images(frames, camera)
    alpha, _ = undistort_images(masks.alpha, camera)
    scaled = clean.scaled(image_scale)
    if image_scale != 1:
        size = (scaled.width, scaled.height)
        frames, alpha = (
            np.stack([cv2.resize(im, size, interpolation=cv2.INTER_AREA) for im in stack])
            for stack in (frames, alpha)
        )
    return TrainingPictures(frames, alpha, scaled)


def trained_frames(body: Body, hold_out: int) -> np.ndarray:
    """Indices (N,) of the frames to train on: observed ones, without every ``hold_out``-th."""
    every = np.arange(len(body))
    chosen = every[body.valid & ((every % hold_out != hold_out - 1) if hold_out else True)]
    if len(chosen) < 2:
        raise HvrError(
            f"only {len(chosen)} of {len(body)} frames are left to train on; lower hold_out "
            "or run 03_body on a longer clip"
        )
    return chosen


def outline_fit(pictures: TrainingPictures, vertices: np.ndarray, faces: np.ndarray, which: np.ndarray):
    """How the body fits the silhouettes, from at most 12 frames, metres.

    Args:
        vertices: (len(which), V, 3) posed bodies of the frames ``which``.

    Returns:
        margin, how far to inflate the body so that the clothes fit in; and misfit, how far it
        stands out of the silhouettes, which only wrong poses explain.
    """
    some = spread_indices(len(which), 12)
    gaps = np.array(
        [outline_gaps(vertices[k], faces, pictures.camera, pictures.alpha[which[k]]) for k in some]
    )
    margin = np.clip(np.percentile(gaps[:, 0], 90) + 0.02, *MARGINS)
    return float(margin), float(np.mean(gaps[:, 1]))


def cast_rays(
    pictures: TrainingPictures, vertices: np.ndarray, faces: np.ndarray, which: np.ndarray, *, margin: float
) -> RaySet:
    """Rays of the frames ``which``, whose posed bodies are ``vertices`` (len(which), V, 3)."""
    parts = []
    for k, t in enumerate(which):
        bounds = shell(vertices[k], faces, pictures.camera, margin=margin, cut=CUT)
        bounds = fill_bounds(bounds, pictures.alpha[t]).reshape(-1, 4)
        pixel = np.flatnonzero(np.isfinite(bounds[:, 0]))
        parts.append(
            (
                pixel.astype(np.int32),
                bounds[pixel].astype(np.float32),
                pictures.frames[t].reshape(-1, 3)[pixel],
                pictures.alpha[t].ravel()[pixel],
            )
        )
    start = np.concatenate([[0], np.cumsum([len(p[0]) for p in parts])])
    if start[-1] == 0:
        raise HvrError("the body is in no frame of the clip; look at the overlay of 03_body")
    return RaySet(start, *(np.concatenate([p[i] for p in parts]) for i in range(4)))


def renew_bounds(
    rays: RaySet,
    pictures: TrainingPictures,
    vertices: np.ndarray,
    faces: np.ndarray,
    which: np.ndarray,
    *,
    margin: float,
) -> RaySet:
    """The same rays with near and far of moved bodies (N, V, 3); a ray that now misses keeps its own."""
    bounds = rays.bounds.copy()
    for k, t in enumerate(which):
        part = slice(rays.start[k], rays.start[k + 1])
        new = shell(vertices[k], faces, pictures.camera, margin=margin, cut=CUT)
        new = fill_bounds(new, pictures.alpha[t]).reshape(-1, 4)[rays.pixel[part]]
        bounds[part] = np.where(np.isfinite(new[:, :1]), new, bounds[part])
    return replace(rays, bounds=bounds)
