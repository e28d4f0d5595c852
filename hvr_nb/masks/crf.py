"""Silhouettes that follow picture edges: guided filter, GrabCut, mean-field CRF (docs/perception.md, 5).

He et al., "Guided image filtering" (TPAMI 2013); Rother et al., "GrabCut" (SIGGRAPH 2004); Krahenbuhl and
Koltun, "Efficient inference in fully connected CRFs" (NeurIPS 2011).
"""

from __future__ import annotations

import cv2
import numpy as np

_GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


def guided_filter(guide: np.ndarray, values: np.ndarray, *, radius: int, eps: float = 1e-3) -> np.ndarray:
    """Smooth ``values`` (H, W, C) float32 so that their edges follow ``guide`` (H, W) float32 0..1."""
    slope, offset = guided_coefficients(guide, values, radius=radius, eps=eps)
    return slope * guide[..., None] + offset


def guided_coefficients(
    guide: np.ndarray, values: np.ndarray, *, radius: int, eps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Local linear model values = slope * guide + offset (each (H, W, C)), He et al. eq. 5, 6 and 8."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(a: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(a, -1, size, borderType=cv2.BORDER_REFLECT).reshape(values.shape)

    g = np.broadcast_to(guide[..., None], values.shape)
    g_mean, v_mean = mean(np.ascontiguousarray(g)), mean(values)
    slope = (mean(g * values) - g_mean * v_mean) / (mean(g * g) - g_mean**2 + eps)
    return mean(slope), mean(v_mean - slope * g_mean)


def grabcut(image: np.ndarray, mask: np.ndarray, *, max_side: int = 512, rounds: int = 3) -> np.ndarray:
    """GrabCut seeded by a soft mask.

    Args:
        image: (H, W, 3) uint8 RGB. mask: (H, W) float32 0..1.
        max_side: larger images are reduced to this length of the longer side.

    Returns:
        (H, W) float32, 0 or 1 (in between at edges that were enlarged); ``mask`` where a seed is missing.
    """
    height, width = mask.shape
    ratio = min(1.0, max_side / max(height, width))
    size = (round(width * ratio), round(height * ratio))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    near = max(2, round(0.02 * max(size)))  # pixels from the network's edge within which it may be wrong
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * near + 1, 2 * near + 1))
    seeds = np.where(soft > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[cv2.erode(soft, reach[near // 2 : -(near // 2), near // 2 : -(near // 2)]) > 0.9] = cv2.GC_FGD
    seeds[cv2.dilate(soft, reach) < 0.1] = cv2.GC_BGD
    if not (seeds == cv2.GC_FGD).any() or not (seeds == cv2.GC_BGD).any():
        return mask
    cv2.setRNGSeed(0)  # GrabCut's k-means draws from OpenCV's global generator
    cv2.grabCut(small, seeds, None, np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    cut = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    return cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR)


def combine(
    prob: np.ndarray, cut: np.ndarray, evidence: np.ndarray, *, weight: float = 2.0, floor: float = 0.02
) -> np.ndarray:
    """Add the background's evidence to the log odds of the network, and a GrabCut vote where there is none.

    GrabCut decides only where the network is not sure, so a gap between the legs that GrabCut fills stays
    open (docs/perception.md, 5).

    Args:
        prob, cut: (H, W) float32 0..1. evidence: (H, W) log likelihood ratios, 0 where nothing is known.
    """
    p = np.clip(prob, floor, 1.0 - floor)
    vote = evidence + weight * (2.0 * cut - 1.0) * np.maximum(1.0 - np.abs(evidence), 0.0)
    return (1.0 / (1.0 + (1.0 - p) / p * np.exp(-vote))).astype(np.float32)


def _sunflower(count: int, radius: float) -> np.ndarray:
    """(count, 2) integer offsets dx, dy, spread evenly over a disc without its centre."""
    k = np.arange(1, count + 1)
    r, angle = 1.0 + (radius - 1.0) * np.sqrt(k / count), k * _GOLDEN_ANGLE
    return np.unique(np.rint(np.stack([r * np.cos(angle), r * np.sin(angle)], 1)).astype(int), axis=0)


def mean_field(
    image: np.ndarray,
    prob: np.ndarray,
    band: np.ndarray,
    *,
    radius: float,
    samples: int = 64,
    colour_sigma: float = 9.0,
    unary: float = 0.7,
    pairwise: float = 3.0,
    rounds: int = 5,
) -> np.ndarray:
    """Mean-field inference of a two-label CRF with a joint bilateral pairwise term.

    Every pixel of the band is connected with ``samples`` pixels on a disc, weighted by distance in position
    and colour (Krahenbuhl and Koltun, equation 3, with a sampled kernel).

    Args:
        image: (H, W, 3) uint8 RGB. prob: (H, W) float32 probability of the person.
        band: (H, W) bool, pixels that may change.
        radius: pixels, reach of the pairwise term.
        colour_sigma: 8-bit Lab units. unary, pairwise: weights of the two terms.

    Returns:
        (H, W) float32 probability.
    """
    height, width = prob.shape
    y, x = np.nonzero(band)
    if len(y) == 0:
        return prob.copy()
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32).reshape(-1, 3)
    offsets = _sunflower(samples, radius)
    near_y = np.clip(y[:, None] + offsets[:, 1], 0, height - 1)
    near_x = np.clip(x[:, None] + offsets[:, 0], 0, width - 1)
    near = (near_y * width + near_x).astype(np.int32)  # (N, K)
    here = (y * width + x).astype(np.int32)
    distance = sum((lab[near, c] - lab[here, c][:, None]) ** 2 for c in range(3))
    place = (offsets**2).sum(1) / (2.0 * (0.5 * radius) ** 2)
    weight = np.exp(-distance / (2.0 * colour_sigma**2) - place.astype(np.float32))
    weight /= weight.sum(1, keepdims=True) + 0.05 * len(offsets)  # pixels unlike all others keep their value
    flat = prob.astype(np.float32).ravel().copy()
    p = np.clip(flat[here], 0.02, 0.98)
    logit = unary * np.log(p / (1.0 - p))
    for _ in range(rounds):
        message = np.einsum("nk,nk->n", weight, 2.0 * flat[near] - 1.0)
        flat[here] = 1.0 / (1.0 + np.exp(-(logit + pairwise * message)))
    return flat.reshape(height, width)
