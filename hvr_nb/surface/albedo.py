"""Albedo of the vertices under one distant light, from all frames (docs/surface.md, 8).

The light is fixed in the world: lamps all around (``hvr_nb.surface.light``). Albedo and light are found by
alternating, robust least squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from hvr_nb.geometry.camera import camera_centre
from hvr_nb.geometry.functions import robust_weight
from hvr_nb.geometry.outline_distance import lookup, pixels_of
from hvr_nb.geometry.raster import rasterize
from hvr_nb.surface.light import EVEN, LAMPS, lobes
from hvr_nb.types import Camera

BEHIND = (
    0.012  # metres, at least a pixel; a vertex this far behind the surface that its pixel shows is hidden
)
GRAZING = 0.25  # cosine of the viewing angle below which surface is not used
EDGE = 1.5  # pixels inside the outline of the mask from which colours are not mixed with the background
ENOUGH = 25000  # number of vertices from which the light is found
DOUBT = 0.06  # usual difference of a colour from the albedo under the light, 0..1


@dataclass(frozen=True)
class Sightings:
    """Observations of V vertices in N frames."""

    rgb: np.ndarray  # (N, V, 3) uint8
    weight: np.ndarray  # (N, V) float32, 0 where not seen
    positions: np.ndarray  # (N, V, 3) float32 world metres
    normal: np.ndarray  # (N, V, 3) float16 world normals


def sighting(
    vertices: np.ndarray,
    normals: np.ndarray,
    faces: np.ndarray,
    camera: Camera,
    frame: np.ndarray,
    distance: np.ndarray,
):
    """Colours (V, 3) uint8 and weights (V,) float32 of a posed mesh in one frame.

    Args:
        vertices, normals: (V, 3) world. frame: (H, W, 3) uint8.
        distance: (H, W) ``signed_distance`` of its mask, pixels.
    """
    depth, _, _ = rasterize(vertices, faces, camera)
    depth = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    pixels, x = pixels_of(vertices, camera)
    size = np.array([camera.width, camera.height])
    col, row = np.clip(np.floor(pixels), 0, size - 1).astype(int).T
    margin = np.maximum(BEHIND, x[:, 2] / camera.K[0, 0])
    here = ((pixels > 0) & (pixels < size)).all(1) & (x[:, 2] < depth[row, col] + margin)
    toward = camera_centre(camera) - vertices
    facing = (normals * toward).sum(1) / np.linalg.norm(toward, axis=1)
    within = np.clip(-lookup(distance.astype(np.float32), pixels) - EDGE, 0, 1)
    weight = np.where(here & (facing > GRAZING), facing**2 * within, 0)
    rgb = lookup(frame.astype(np.float32), pixels)
    return (rgb + 0.5).astype(np.uint8), weight.astype(np.float32)


def albedo_and_light(seen: Sightings, *, rounds: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Albedo (V, 3), 0..1, NaN where nothing was seen, and the strengths of the lamps (LAMPS,).

    The strengths multiply ``light.lobes``. They are scaled so that the mean brightness of all observations
    is 1.
    """
    light = np.full(LAMPS, EVEN, np.float32)
    each = max(1, seen.weight.shape[1] // ENOUGH)  # a part of the vertices is enough for the light
    some = Sightings(*(x[:, ::each] for x in (seen.rgb, seen.weight, seen.positions, seen.normal)))
    weight, shade = some.weight, _shade(some, light)
    for _ in range(rounds - 1):
        colour = np.nan_to_num(_albedo(some, weight, shade))
        light, shade = _light(some, weight, colour)
        weight = _doubted(some, colour, shade)
    weight, shade = seen.weight, _shade(seen, light)
    for _ in range(rounds - 1):
        weight = _doubted(seen, np.nan_to_num(_albedo(seen, weight, shade)), shade)
    mean = _mean(weight, shade)
    return (_albedo(seen, weight, shade) * mean).astype(np.float32), light / mean


def _shade(seen: Sightings, light) -> np.ndarray:
    """(N, V) float32 brightness of the observations under the light."""
    return np.stack([lobes(n) @ light for n in seen.normal])


def _albedo(seen: Sightings, weight, shade) -> np.ndarray:
    """(V, 3) albedo that fits the observations under the brightness ``shade`` (N, V); NaN where not seen."""
    top, below = np.zeros((weight.shape[1], 3)), np.zeros(weight.shape[1])
    for rgb, w, bright in zip(seen.rgb, weight, shade, strict=True):
        top += (w * bright)[:, None] * (rgb / np.float32(255))
        below += w * bright**2
    return np.where(below[:, None] > 1e-4, top / np.maximum(below, 1e-4)[:, None], np.nan)


def _light(seen: Sightings, weight, colour) -> tuple[np.ndarray, np.ndarray]:
    """Non-negative lamps (LAMPS,) that fit the observations, with a prior for even ones; their ``_shade``."""
    ridge = 1e-3 * float(weight.sum()) + 1e-6
    matrix, right = ridge * np.eye(LAMPS), np.full(LAMPS, ridge * EVEN)
    for rgb, w, n in zip(seen.rgb[::2], weight[::2], seen.normal[::2], strict=True):
        basis = lobes(n)
        matrix += (basis * (w * (colour**2).sum(1))[:, None]).T @ basis
        right += basis.T @ (w * (colour * (rgb / np.float32(255))).sum(1))
    root = np.linalg.cholesky(matrix)
    light = nnls(root.T, np.linalg.solve(root, right))[0].astype(np.float32)
    shade = _shade(seen, light)
    mean = _mean(weight, shade)
    return light / mean, shade / mean


def _mean(weight: np.ndarray, shade: np.ndarray) -> np.float32:
    """Weighted mean of the brightness (N, V) over all observations, at least 0.1."""
    return np.float32(max(float((weight * shade).sum()) / max(float(weight.sum()), 1e-6), 0.1))


def _doubted(seen: Sightings, colour, shade) -> np.ndarray:
    """Weights (N, V), reduced where the colour in a frame differs from the albedo under the light."""
    out = np.empty_like(seen.weight)
    for k, (rgb, w, bright) in enumerate(zip(seen.rgb, seen.weight, shade, strict=True)):
        error = np.abs(rgb / np.float32(255) - colour * bright[:, None]).mean(1)
        out[k] = w * robust_weight(error, DOUBT) + 1e-3 * w
    return out


def filled(colour: np.ndarray, near) -> np.ndarray:
    """Colours (V, 3) with the unseen ones (NaN) filled in from their neighbours.

    Args:
        near: (V, V) sparse matrix of the mean of the neighbours.
    """
    out, known = np.nan_to_num(colour, nan=0.0), ~np.isnan(colour[:, 0])
    if not known.any():
        return np.full_like(colour, 0.5)
    share = known.astype(np.float32)
    for _ in range(400):
        if known.all():
            break
        grown = near @ share
        value = (near @ (out * share[:, None])) / np.maximum(grown, 1e-6)[:, None]
        new = ~known & (grown > 0)
        if not new.any():
            break
        out[new], share[new], known = value[new], 1, known | new
    out[~known] = out[known].mean(0)
    return out
