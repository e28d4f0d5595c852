"""Closed 3D curves of the big pose fitted to the arcs of all frames (docs/surface.md, 14).

A point of a curve may move along its own ray from the curve's centre and along the curve's axis only, so the
points keep their order (Qiu et al., "REC-MV", CVPR 2023, section 3.2). Gauss-Newton on the distance of every
arc to the projected curve, with smoothness along the curve and distance from the surface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from hvr_nb.geometry.functions import robust_weight
from hvr_nb.geometry.outline_distance import pixels_of
from hvr_nb.surface.garments.arcs import Arc
from hvr_nb.types import Camera

SIGMA, OFF = 0.006, 0.002  # metres: usual error of an arc, usual distance of a curve from the surface
USUAL, BEND = 0.05, 0.0005  # metres: usual correction, and its usual second difference along the curve
FAR = 0.04  # metres, largest distance of an arc from its curve
ALIKE = 8.0  # neighbouring points of arcs that count as one measurement
ALONG = 0.7  # least cosine of the directions of arc and curve
STEPS = 5


@dataclass(frozen=True)
class CurveView:
    """A curve of K points in one frame."""

    places: np.ndarray  # (K, 3) world metres, before the correction
    turn: np.ndarray  # (K, 3, 3) big-pose displacements to world displacements
    shown: np.ndarray  # (K,) bool, not hidden


def ray_frame(curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit rays (K, 3) from the centre of a closed curve (K, 3), square to its axis, and the axis (3,)."""
    arm = curve - curve.mean(0)
    axis = np.cross(arm, np.roll(arm, -1, 0)).sum(0)
    axis /= np.linalg.norm(axis)
    ray = arm - np.outer(arm @ axis, axis)
    return ray / np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-9), axis


def fitted_curve(
    curve: np.ndarray,
    normal: np.ndarray,
    views: Sequence[CurveView],
    arcs: Sequence[Arc],
    camera: Camera,
) -> tuple[np.ndarray, float]:
    """Displacements (K, 3), metres, of a closed curve (K, 3) in the big pose that fit the arcs of N frames.

    Args:
        normal: (K, 3) of the surface there. views: the curve in the frames of ``arcs``.

    Returns:
        The displacements and the root mean square of the arcs' distances, metres; zeros and NaN without arcs.
    """
    count = len(curve)
    ray, axis = ray_frame(curve)
    ways = np.stack([ray, np.broadcast_to(axis, ray.shape)], 1)  # (K, 2, 3): what a point may do
    radius = np.linalg.norm(curve - curve.mean(0), axis=1)
    unknown, error = np.zeros((count, 2)), np.nan
    for _ in range(STEPS):
        system, right = _priors(ways, normal, unknown, curve)
        errors, weights = [], []
        for view, arc in zip(views, arcs, strict=True):
            rows, residual, trust = _residuals(view, arc, ways, unknown, camera)
            system += rows.T @ (rows * trust[:, None])
            right -= rows.T @ (trust * residual)
            errors.append(residual)
            weights.append(trust)
        step = np.linalg.solve(system, right).reshape(count, 2)
        unknown = unknown + step
        unknown[:, 0] = np.maximum(unknown[:, 0], -0.9 * radius)  # never through the centre
        total = sum(w.sum() for w in weights)
        if total:
            error = float(
                np.sqrt(sum((w * e**2).sum() for w, e in zip(weights, errors, strict=True)) / total)
            )
    return np.einsum("kab,ka->kb", ways, unknown), error


def _priors(ways: np.ndarray, normal: np.ndarray, unknown: np.ndarray, curve: np.ndarray):
    """Normal equations (2 K, 2 K), (2 K,) of smoothness, distance from the surface and usual corrections."""
    count = len(ways)
    eye = np.eye(2 * count).reshape(count, 2, 2 * count)
    bend = (np.roll(eye, 1, 0) - 2 * eye + np.roll(eye, -1, 0)).reshape(2 * count, -1) / BEND
    lift = np.einsum("kab,kb,kac->kc", ways, normal, eye) / OFF
    still = np.eye(2 * count) / USUAL
    rows = np.concatenate([bend, lift, still])
    system = rows.T @ rows
    return system, -system @ unknown.ravel()


def _residuals(view: CurveView, arc: Arc, ways: np.ndarray, unknown: np.ndarray, camera: Camera):
    """Rows (M, 2 K), residuals (M,) in metres, and weights (M,) of an arc's points beside the curve."""
    count = len(ways)
    moves = np.einsum("kij,kaj->kai", view.turn, ways)  # (K, 2, 3) in the world
    places = view.places + np.einsum("kai,ka->ki", moves, unknown)
    pixels, x = pixels_of(places, camera)
    shown = np.flatnonzero(view.shown)
    none = np.zeros((0, 2 * count)), np.zeros(0), np.zeros(0)
    if len(shown) < 2:
        return none
    gap, near = cKDTree(pixels[shown]).query(arc.pixels)
    k = shown[near]
    metres = x[k, 2] / camera.K[0, 0]
    tangent = np.roll(pixels, -1, 0)[k] - np.roll(pixels, 1, 0)[k]
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    across = np.abs(tangent[:, 0] * arc.normal[:, 1] - tangent[:, 1] * arc.normal[:, 0])
    use = (gap * metres < FAR) & (across > ALONG)
    if not use.any():
        return none
    k, metres, way = k[use], metres[use], arc.normal[use]
    residual = metres * ((pixels[k] - arc.pixels[use]) * way).sum(1)
    moved = np.einsum("kai,ij->kaj", moves, camera.R.T)  # in camera axes
    flow = (moved[k, :, :2] - moved[k, :, 2:] * x[k, None, :2] / x[k, None, 2:]) @ (
        camera.K[:2, :2].T / camera.K[0, 0]
    )
    rows = np.zeros((len(k), count, 2))
    rows[np.arange(len(k)), k] = np.einsum("mac,mc->ma", flow, way)
    return rows.reshape(len(k), -1), residual, robust_weight(residual, 2 * SIGMA) / (ALIKE * SIGMA**2)
