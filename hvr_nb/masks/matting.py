"""Closed-form matting of the edge of a silhouette, and foreground colours (docs/perception.md, 5).

Levin et al., "A closed-form solution to natural image matting" (TPAMI 2008, Laplacian by pymatting);
Forte, "Approximate fast foreground colour estimation" (ICIP 2021).
"""

from __future__ import annotations

import contextlib

import cv2
import numba
import numpy as np
import scipy.sparse as sparse


@contextlib.contextmanager
def _compiled_when_called():
    """numba's loops that are imported here are compiled at their first call, not all of them at once.

    pymatting's have written types, so that its first import took half a minute; three of them are used here.
    """
    eager = numba.njit
    numba.njit = lambda types=None, **options: eager(types) if callable(types) else eager(**options)
    try:
        yield
    finally:
        numba.njit = eager


with _compiled_when_called():
    from pymatting import cf_laplacian, cg, ichol

_FOREGROUND_RADII = (45, 4)  # pixels, radii of the two rounds: colours from far, then from near


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def edge_band(prob: np.ndarray, radius: int) -> np.ndarray:
    """(H, W) bool: pixels within ``radius`` of the edge of ``prob`` (H, W) > 0.5, and undecided pixels."""
    solid = (prob > 0.5).astype(np.uint8)
    near = cv2.dilate(solid, _disc(radius)) - cv2.erode(solid, _disc(radius), borderValue=1)
    return (near > 0) | ((prob > 0.1) & (prob < 0.9))


def closed_form_alpha(
    image: np.ndarray, prob: np.ndarray, band: np.ndarray, *, trust: float | np.ndarray = 0.05
) -> np.ndarray:
    """Alpha: closed-form matting in the band, ``prob`` rounded elsewhere (Levin et al., equations 12 and 16).

    Args:
        image: (H, W, 3) uint8 RGB. prob: (H, W) float32. band: (H, W) bool, pixels to solve for.
        trust: weight of ``prob`` inside the band.

    Returns:
        (H, W) float32 0..1.
    """
    alpha = (prob > 0.5).astype(np.float32)
    if not band.any():
        return alpha
    ys, xs = np.nonzero(band)
    y0, y1, x0, x1 = max(ys.min() - 3, 0), ys.max() + 4, max(xs.min() - 3, 0), xs.max() + 4
    unknown = band[y0:y1, x0:x1].ravel()
    crop = np.ascontiguousarray(image[y0:y1, x0:x1]) / 255.0
    laplacian = cf_laplacian(crop, epsilon=1e-6, radius=1, is_known=~unknown)[unknown]
    inside = prob[y0:y1, x0:x1].ravel()[unknown].astype(np.float64)
    known = np.where(unknown, 0.0, alpha[y0:y1, x0:x1].ravel())
    trust = np.broadcast_to(trust, prob.shape)[y0:y1, x0:x1].ravel()[unknown]
    system = (laplacian[:, unknown] + sparse.diags(trust)).tocsc()
    solved = cg(
        system, trust * inside - laplacian @ known, x0=inside, M=ichol(system, 1e-4), rtol=1e-3, atol=0.0
    )
    alpha[ys, xs] = np.clip(solved, 0.0, 1.0)
    return alpha


def foreground_colours(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Foreground colours: background removed from partly covered pixels (Forte 2021, equations 4 to 6).

    Args:
        image: (H, W, 3) uint8 RGB. alpha: (H, W) uint8.

    Returns:
        (H, W, 3) uint8; equal to ``image`` where alpha is 255, and 0 where it is 0.
    """
    a = alpha[..., None].astype(np.float32) / 255.0
    colour = image.astype(np.float32)
    front, back = colour, colour
    for radius in _FOREGROUND_RADII:
        size = (2 * radius + 1, 2 * radius + 1)
        cover = cv2.boxFilter(a, -1, size)[..., None]
        front = cv2.boxFilter(front * a, -1, size) / (cover + 1e-5)
        back = cv2.boxFilter(back * (1.0 - a), -1, size) / (1.0 - cover + 1e-5)
        front = np.clip(front + a * (colour - a * front - (1.0 - a) * back), 0.0, 255.0)
    out = np.where(alpha[..., None] == 255, image, np.rint(front).astype(np.uint8))
    return np.where(alpha[..., None] == 0, 0, out).astype(np.uint8)
