"""Small functions that several wings need: a smooth step, a robust cost, an even choice, four weights."""

from __future__ import annotations

import numpy as np


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """(...,) smooth step of x (...,): 0 below ``low``, 1 above ``high``, a cubic between (3 t^2 - 2 t^3)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def geman_mcclure(e: np.ndarray, cap: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Robust cost (...) of squared residuals (...) in sigmas, and its derivative (...).

    The cost is at most ``cap ** 2``. The derivative, 0..1, is also the weight of the residual in
    iteratively reweighted least squares (Geman and McClure 1987; docs/fit.md, 2).
    """
    near = 1 + e / cap**2
    return e / near, near**-2


def robust_weight(residual: np.ndarray, sigma: float) -> np.ndarray:
    """(...,) weights 0..1 of residuals (...,) of usual size ``sigma``: derivative of ``geman_mcclure``."""
    return geman_mcclure((residual / sigma) ** 2)[1]


def spread_indices(count: int, wanted: int) -> np.ndarray:
    """Indices (K,) of at most ``wanted`` of ``count`` items, evenly spread, first and last among them."""
    return np.linspace(0, count - 1, min(count, wanted)).astype(int)


def strongest_weights(weights: np.ndarray, *, count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` largest blend weights of every vertex, scaled to sum to one, and their joints.

    Args:
        weights: (N, 24) blend weights.

    Returns:
        (N, count) uint8 joints, 0 where the weight is 0; (N, count) float32 weights.
    """
    order = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    kept = np.take_along_axis(weights, order, 1).astype(np.float64)
    kept = (kept / kept.sum(1, keepdims=True)).astype(np.float32)
    return np.where(kept > 0, order, 0).astype(np.uint8), kept
