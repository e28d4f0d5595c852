"""A clip's pixels as rays, kept in memory, with near and far bounds (docs/field.md, 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.rays import fill_bounds, outline_gaps, shell
from hvr_nb.methods._clip import TrainingPictures
from hvr_nb.types import HvrError

CUT = 0.04  # metres behind the first skin at which rays end
MARGINS = (0.035, 0.12)  # metres, least and most that the shell is inflated


@dataclass(frozen=True)
class RaySet:
    """All rays of T frames that meet the shell or the silhouette, frame after frame."""

    start: np.ndarray  # (T + 1,) first ray of each frame
    pixel: np.ndarray  # (N,) int32 row * width + column
    bounds: np.ndarray  # (N, 4) float32 camera depth, metres: near and far of two stretches
    rgb: np.ndarray  # (N, 3) uint8
    alpha: np.ndarray  # (N,) uint8


def outline_fit(pictures: TrainingPictures, vertices: np.ndarray, faces: np.ndarray, which: np.ndarray):
    """How the body fits the silhouettes, from at most 12 frames, metres.

    Args:
        vertices: (len(which), V, 3) posed bodies of the frames ``which``.

    Returns:
        margin, how far to inflate the body so that the clothes fit in; and misfit, how far the body
        reaches out of the silhouettes, which only wrong poses explain.
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
    """The rays with near and far of moved bodies (N, V, 3); a ray that now misses keeps its bounds."""
    bounds = rays.bounds.copy()
    for k, t in enumerate(which):
        part = slice(rays.start[k], rays.start[k + 1])
        new = shell(vertices[k], faces, pictures.camera, margin=margin, cut=CUT)
        new = fill_bounds(new, pictures.alpha[t]).reshape(-1, 4)[rays.pixel[part]]
        bounds[part] = np.where(np.isfinite(new[:, :1]), new, bounds[part])
    return replace(rays, bounds=bounds)
