"""Where a silhouette cannot be told by colour: person and background alike along the outline."""

from __future__ import annotations

import cv2
import numpy as np

from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.outline_distance import lookup, signed_distance

LOOKED_AT = 12  # frames
BESIDE = 0.012  # of the person's height: how far from the outline colours are compared
ALIKE = 8.0  # CIELAB units; closer colours are hard to tell apart in a compressed film
EDGE = 3  # pixels of the picture's border that are left out


def alike_outline(frames: np.ndarray, alpha: np.ndarray) -> float:
    """Share (0..1) of the outlines along which person and background have alike colours; NaN without any.

    Args:
        frames: (T, H, W, 3) uint8 RGB. alpha: (T, H, W) uint8 silhouettes.
    """
    shares, sizes = [], []
    shown = np.flatnonzero((alpha > 127).any((1, 2)))
    for t in shown[spread_indices(len(shown), LOOKED_AT)] if len(shown) else []:
        gap = _gaps(frames[t], alpha[t])
        if len(gap):
            shares.append(float((gap < ALIKE).mean()))
            sizes.append(len(gap))
    return float(np.average(shares, weights=sizes)) if shares else float("nan")


def _gaps(frame: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(P,) difference of the colours on both sides of an outline, CIELAB units."""
    rows = np.flatnonzero((alpha > 127).any(1))
    step = max(2.0, BESIDE * (rows[-1] - rows[0] + 1))
    soft = cv2.GaussianBlur(frame, (0, 0), step / 2)
    lab = cv2.cvtColor(soft.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    distance = signed_distance(alpha).astype(np.float32)
    outlines, _ = cv2.findContours((alpha > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([line[:, 0] for line in outlines]).astype(np.float64) + 0.5
    height, width = alpha.shape
    points = points[((points > EDGE) & (points < (width - EDGE, height - EDGE))).all(1)]
    across = [lookup(distance, points + s) - lookup(distance, points - s) for s in ((1.5, 0), (0, 1.5))]
    normal = np.stack(across, 1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    inner, outer = (lookup(lab, points + sign * step * normal) for sign in (-1, 1))
    return np.linalg.norm(inner - outer, axis=1)
