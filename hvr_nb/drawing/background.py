"""The film without its person, to draw something else before it."""

from __future__ import annotations

import cv2
import numpy as np

from hvr_nb.types import Masks

GROWN = 0.015  # of the larger side: how far the person's pixels reach beyond the mask (blur, shadow, hair)
COARSE = 96  # pixels, larger side of the picture in which the hole is filled


def film_background(frames: np.ndarray, masks: Masks, *, which: np.ndarray | None = None) -> np.ndarray:
    """The film with a smooth filling where the person was: what a rendering misses stays visible as missing.

    The filling is a weighted mean of the surroundings (normalised convolution, Knutsson and Westin 1993) at
    growing widths; no frame is invented from others, so a moving camera does no harm.

    Args:
        frames: (T, H, W, 3) uint8. masks: of the same frames. which: (N,) frames wanted; None: all T.

    Returns:
        (N, H, W, 3) uint8.
    """
    which = range(len(frames)) if which is None else which
    return np.stack([_filled(frames[k], masks.alpha[k]) for k in which])


def _filled(frame: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    height, width = alpha.shape
    reach = max(1, round(GROWN * max(height, width)))
    person = cv2.dilate((alpha > 12).astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8))
    ratio = min(1.0, COARSE / max(height, width))
    size = (max(2, round(width * ratio)), max(2, round(height * ratio)))
    seen = cv2.resize((1 - person).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    colour = frame.astype(np.float32) * (1 - person)[..., None]
    colour = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
    filling, known = np.zeros((*seen.shape, 3), np.float32), np.zeros_like(seen)
    for sigma in (1.5, 3, 6, 12, 24, 48):  # the narrowest that reaches a seen pixel decides
        weight = cv2.GaussianBlur(seen, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        mean = cv2.GaussianBlur(colour, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        share = np.clip(weight / 0.15, 0, 1) * (1 - known)
        filling += share[..., None] * mean / np.maximum(weight, 1e-6)[..., None]
        known += share
    filling += (1 - known[..., None]) * (colour.sum((0, 1)) / max(float(seen.sum()), 1e-6))
    smooth = cv2.resize(filling, (width, height), interpolation=cv2.INTER_LINEAR)
    edge = cv2.blur(person.astype(np.float32), (2 * reach + 1,) * 2)
    hole = np.maximum(edge, person)[..., None]
    return (frame + (smooth - frame) * hole + 0.5).clip(0, 255).astype(np.uint8)
