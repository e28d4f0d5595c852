"""Pictures of drawn people in PaMIR's cube: coloured vertices under random soft light, over white."""

from __future__ import annotations

import cv2
import numpy as np

from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import rasterize_pixels
from hvr_nb.methods.pamir.point_network import DEPTH, DISTANCE, SIDE

SUPER = 2  # subpixels along a pixel


def draw_light(rng: np.random.Generator) -> np.ndarray:
    """(9, 3) coefficients of a random light: an even part, lamps from a few directions, little colour."""
    light = np.zeros((9, 3))
    tint = 1 + rng.normal(0, 0.06, 3)
    light[0] = rng.uniform(0.5, 1.0) * tint
    for _ in range(rng.integers(1, 4)):
        d = rng.normal(0, 1, 3) + [0, 0.5, 0.5]
        d /= np.linalg.norm(d)
        light += rng.uniform(0, 0.5) * harmonics(d[None])[0][:, None] * (1 + rng.normal(0, 0.1, 3))
    return light


def harmonics(n: np.ndarray) -> np.ndarray:
    """(N, 9) real spherical harmonics of order 2 at unit directions (N, 3)."""
    x, y, z = n.T
    one = np.ones_like(x)
    return np.stack(
        [
            0.282095 * one,
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        1,
    )


def irradiance(n: np.ndarray, light: np.ndarray) -> np.ndarray:
    """(N, 3) light on a surface with unit normals (N, 3) under a light (9, 3), over pi.

    Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment maps", SIGGRAPH 2001.
    """
    band = np.array([np.pi, *[2 * np.pi / 3] * 3, *[np.pi / 4] * 5]) / np.pi
    return np.maximum(harmonics(n) @ (band[:, None] * light), 0.02)


def cube_pixels(points: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) of a picture of ``side`` and depths (N,) of points (N, 3) of the cube."""
    z = DEPTH - points[:, 2]
    at = points[:, :2] * [1, -1] * DISTANCE / (SIDE * z[:, None])
    return (at + 1) * side / 2, z


def picture(
    vertices: np.ndarray, faces: np.ndarray, albedo: np.ndarray, rng: np.random.Generator, *, side: int
) -> np.ndarray:
    """(side, side, 3) uint8 picture over white of a mesh (V, 3), (F, 3) in the cube with colours (V, 3)."""
    fine = SUPER * side
    xy, z = cube_pixels(vertices, fine)
    _, face, bary = rasterize_pixels(xy, z, faces, fine, fine)
    hit = face >= 0
    corners = faces[face[hit]]

    def at(values: np.ndarray) -> np.ndarray:
        return np.einsum("nkc,nk->nc", values[corners], bary[hit])

    n = at(vertex_normals(vertices, faces))
    n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-6)
    n = np.where(n[:, 2:] < 0, -n, n)  # the inside of a sheet is seen
    colour = np.zeros((fine, fine, 3), np.float32)
    colour[hit] = at(albedo) * irradiance(n, draw_light(rng))
    exposure = rng.uniform(0.7, 1.2) / max(float(np.percentile(colour[hit], 95)), 0.25) if hit.any() else 1.0
    colour = np.clip(colour * exposure, 0, 1)
    mask = hit.astype(np.float32)
    if rng.random() < 0.3:  # the mask's edge is never exact: a rim of background, or a bite
        kernel = np.ones((3, 3), np.uint8)
        if rng.random() < 0.5:
            rim = cv2.dilate(mask, kernel) > mask
            colour[rim], mask = rng.uniform(0, 1, 3), cv2.dilate(mask, kernel)
        else:
            mask = cv2.erode(mask, kernel)
    whole = colour * mask[..., None] + (1 - mask[..., None])
    out = cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.3, 0.9)))
    gain, shift = rng.uniform(0.85, 1.15), rng.uniform(-0.08, 0.08)
    small = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)[..., None]
    out = out + small * ((gain - 1) * out + shift + rng.normal(0, 0.015, out.shape))
    return np.round(np.clip(out, 0, 1) * 255).astype(np.uint8)
