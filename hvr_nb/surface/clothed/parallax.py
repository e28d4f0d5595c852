"""The depth of one side of a border beneath the other, from parallax while the person turns.

Plane plus parallax (Irani and Anandan, "Parallax geometry of pairs of points for 3D scene analysis", ECCV
1996): an affine motion of every frame takes up the error of the pose; what one side still moves against the
other is one depth, the same in all frames. The points' intensities are unknown too and eliminated in every
step (Golub and Pereyra, "Separable nonlinear least squares", Inverse Problems 2003), so the standard error
of the depth is large where cloth has no texture (docs/surface.md, 10).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hvr_nb.geometry.functions import robust_weight
from hvr_nb.geometry.outline_distance import lookup

BLURS = (3.0, 3.0, 2.0, 2.0) + (1.0,) * 10  # pixels, of the pictures compared in each round
GROUND = (
    2.5  # times the blur: smoother changes are light, or the blurred border, which moves with the upper side
)
FAR, STRIDE = 8.0, 2.0  # pixels: largest error of a pose, and step of the search for it
FEW, BOTH = 8, 0.25  # least number of frames; least share of a side that they show, of the best frame's
DOUBT = 0.05  # usual difference of intensities, 0..1
ALIKE = 10.0  # neighbouring points that count as one measurement
FREE, USUAL = 10.0, 0.02  # priors: pixels of an affine motion, and metres of a step
UNIT = 50.0  # pixels, unit of length of affine motions
FASTER = 1.7  # over-relaxation of the later rounds: noise in the slopes makes each step too short


def find_step(
    beside: np.ndarray,
    pixels: Sequence,
    along: Sequence,
    trust: Sequence,
    pictures: Sequence,
    *,
    hopeless: float = np.inf,
) -> tuple[float, float]:
    """How far one side of a border lies outside of where the surface has it, against the other side.

    Args:
        beside: (K,) bool, the points of that side.
        pixels, along, trust: of N frames, where the points should be (K, 2), how many pixels they move for a
            metre along their normals (K, 2), and weights (K,), 0 where not seen.
        pictures: the N frames, (H, W) float32 grey, 0..1.
        hopeless: metres; once the standard error is above it, the search ends.

    Returns:
        Metres, negative for inside, and the standard error; 0 and infinity where fewer than ``FEW`` frames
        show both sides.
    """
    shown = np.array([[w[beside].sum(), w[~beside].sum()] for w in trust]).reshape(-1, 2)
    kept = np.flatnonzero((shown > BOTH * shown.max(0, initial=0)).all(1))
    if len(kept) < FEW:
        return 0.0, np.inf
    along, trust = ([x[n] for n in kept] for x in (along, trust))
    cut = [_cut(pictures[n], pixels[n]) for n in kept]
    pictures, pixels = [c[0] for c in cut], [c[1] for c in cut]
    best = int(shown[kept].min(1).argmax())
    middles = [p.mean(0) for p in pixels]
    bases = [np.c_[np.ones(len(p)), (p - m) / UNIT] for p, m in zip(pixels, middles, strict=True)]
    motions, step, error = np.zeros((len(kept), 3, 2)), 0.0, np.inf
    marks = [_marks(picture, BLURS[0]) for picture in pictures]
    first = lookup(marks[best], pixels[best])[:, 0]
    for k, picture in enumerate(marks):
        motions[k, 0] = _shift(first, picture[..., 0], pixels[k], trust[k] * trust[best])
    for r, blur in enumerate(BLURS):
        if r and blur != BLURS[r - 1]:
            marks = [_marks(picture, blur) for picture in pictures]
        seen, slopes = [], []
        for k, picture in enumerate(marks):
            at = pixels[k] + bases[k] @ motions[k] + along[k] * (beside * step)[:, None]
            values = lookup(picture, at)
            affine = (bases[k][:, :, None] * values[:, None, 1:]).reshape(-1, 6)
            slopes.append(np.c_[affine, (values[:, 1:] * along[k]).sum(1) * beside])
            seen.append(values[:, 0])
        change, error = _newton(np.stack(seen), np.stack(slopes), np.stack(trust))
        if error > hopeless:
            break
        change = change * (FASTER if r >= len(BLURS) // 3 else 1)
        motions += change[:-1].reshape(-1, 3, 2)
        step += change[-1]
    return float(step), error


def _newton(seen: np.ndarray, slopes: np.ndarray, trust: np.ndarray) -> tuple[np.ndarray, float]:
    """Change (6 N + 1,) of all motions and of the step, and the step's standard error.

    Args:
        seen: (N, K) intensities of the frames at the points.
        slopes: (N, K, 7) their derivatives by the parameters of motion and step.
    """
    mean = (trust * seen).sum(0) / np.maximum(trust.sum(0), 1e-9)
    trust = trust * robust_weight(seen - mean, DOUBT) / (ALIKE * DOUBT**2)
    total = np.maximum(trust.sum(0), 1e-9)
    left = seen - (trust * seen).sum(0) / total
    size = 6 * len(seen) + 1
    system, right, mixed = np.zeros((size, size)), np.zeros(size), np.zeros((seen.shape[1], size))
    for k, (slope, weight, error) in enumerate(zip(slopes, trust, left, strict=True)):
        at = np.r_[6 * k : 6 * k + 6, size - 1]
        weighted = slope * weight[:, None]
        system[np.ix_(at, at)] += weighted.T @ slope
        right[at] -= weighted.T @ error
        mixed[:, at] += weighted
    system -= mixed.T @ (mixed / total[:, None])  # the points' own intensities, eliminated
    inverse = np.linalg.inv(system + np.diag(np.r_[np.full(size - 1, FREE**-2), USUAL**-2]))
    return inverse @ right, float(np.sqrt(inverse[-1, -1]))


def _cut(picture: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture (H, W) about some pixels (K, 2), and where they are in it."""
    room, size = FAR + GROUND * max(BLURS), picture.shape[::-1]
    x, y = np.clip(np.floor(pixels.min(0) - room), 0, np.subtract(size, 1)).astype(int)
    right, low = np.clip(np.ceil(pixels.max(0) + room), 1, size).astype(int)
    return picture[y : max(low, y + 1), x : max(right, x + 1)], pixels - [x, y]


def _marks(picture: np.ndarray, blur: float) -> np.ndarray:
    """(H, W, 3) a picture (H, W), band-passed against noise and light, and its slopes right and down."""
    marks = cv2.GaussianBlur(picture, (0, 0), blur) - cv2.GaussianBlur(picture, (0, 0), GROUND * blur)
    return np.stack([marks, *(cv2.Sobel(marks, -1, x, 1 - x, scale=1 / 8) for x in (1, 0))], -1)


def _shift(first: np.ndarray, marks: np.ndarray, pixels: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """(2,) pixels: the shift of points (K, 2) at which ``marks`` (H, W) best agree with ``first`` (K,)."""
    if not trust.any():
        return np.zeros(2)
    way = np.arange(-FAR, FAR + STRIDE / 2, STRIDE)
    shifts = np.stack(np.meshgrid(way, way), -1).reshape(-1, 2)
    cost = [np.average(np.abs(lookup(marks, pixels + s) - first), weights=trust) for s in shifts]
    return shifts[int(np.argmin(cost))]
