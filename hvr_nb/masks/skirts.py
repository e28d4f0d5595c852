"""Trousers, skirt or dress: whether cloth covers the gap between the legs near the hem, in one piece.

Legs of trousers part above the hem and show the background between them. A skirt does so in no view. Places
where the legs are close together say little, so votes are weighted by the distance of the legs.
docs/perception.md, 6.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from hvr_nb.geometry.functions import spread_indices
from hvr_nb.masks.colour_model import colour_features
from hvr_nb.types import Keypoints

_PLACES = np.arange(0.3, 1.96, 0.05)  # along the leg: 0 hip, 1 knee, 2 ankle
_REACH = 0.35  # share of the leg above the hem that is tested
_APART = 0.05  # extents of the person, least distance between the axes of two legs that are apart
_SPAN = np.linspace(0.35, 0.65, 7)  # across the gap, 0 and 1 on the axes of the legs
_COVERED = 0.65  # least share of the gap that a skirt covers
_VOTES = 6  # least number of points with a vote
_ALIKE = 0.9  # Bhattacharyya coefficient: dresses of one cloth 0.99, two garments of like colours to 0.85
_FRAMES, _SIDE = 15, 256  # frames whose colours are compared, and their longer side


def covers_gap(labels: np.ndarray, keypoints: Keypoints, size: np.ndarray, *, cloth: int) -> bool:
    """Whether the lower garment is a skirt: it covers the gap between the legs just above its hem.

    Args:
        labels: (T, H, W) uint8. keypoints: of the person. size: (T,) pixels, the person's extent.
        cloth: the label of the lower garment.

    Returns:
        False also where legs are never seen apart under the garment.
    """
    right, left, known = _legs(keypoints, size)
    apart = np.linalg.norm(right - left, axis=-1) / size[:, None]
    both = known & (_at(labels, right) == cloth) & (_at(labels, left) == cloth)  # (T, P)
    if not both.any():
        return False
    seen = both.sum(0) / np.maximum(known.sum(0), 1)
    hem = np.flatnonzero(seen >= 0.4 * seen.max()).max()
    near = both & (apart >= _APART) & (_PLACES > _PLACES[hem] - _REACH) & (_PLACES <= _PLACES[hem])
    gap = right[..., None, :] + (left - right)[..., None, :] * _SPAN[:, None]
    covered = (_at(labels, gap) == cloth).mean(-1)
    weight = near * apart
    return bool(near.sum() >= _VOTES and (weight * covered).sum() >= _COVERED * weight.sum())


def _legs(keypoints: Keypoints, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (T, P, 2) along the right and the left leg, and where both are known (T, P)."""
    joints = keypoints.points[:, [[9, 10, 11], [12, 13, 14]]]  # (T, right and left, hip knee ankle, 3)
    bone = np.minimum(_PLACES.astype(int), 1)
    u = (_PLACES - bone)[:, None]
    legs = joints[:, :, bone, :2] * (1 - u) + joints[:, :, bone + 1, :2] * u
    sure = (joints[..., 2] > 0.2).all(1) & keypoints.found[:, None]  # (T, 3)
    length = np.linalg.norm(np.diff(joints[..., :2], axis=2), axis=-1).min(1) / size[:, None]  # (T, 2)
    straight = length > 0.75 * np.max(np.where(sure[:, 1:], length, 0), axis=0)  # not towards the camera
    known = (sure[:, :2] & sure[:, 1:] & straight)[:, bone]
    return legs[:, 0], legs[:, 1], known


def _at(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(T, ...) labels at points (T, ..., 2) x, y; 0 outside the picture."""
    height, width = labels.shape[1:]
    x, y = np.moveaxis(np.floor(np.nan_to_num(points, nan=-1)).astype(int), -1, 0)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    t = np.arange(len(labels)).reshape(-1, *[1] * (x.ndim - 1))
    return np.where(inside, labels[t, y.clip(0, height - 1), x.clip(0, width - 1)], 0)


def same_cloth(
    frames: np.ndarray, labels: np.ndarray, upper: int, lower: int, *, which: Sequence[int] = ()
) -> bool:
    """Whether two labels cover one garment: their colours have nearly the same distribution.

    Compared are smoothed histograms of ``colour_features`` by the Bhattacharyya coefficient.

    Args:
        frames: (T, H, W, 3) uint8 RGB. labels: (T, H, W) uint8. upper, lower: the two labels.
        which: frames to choose from; (): all.
    """
    which = which or range(len(frames))
    colours: dict[int, list[np.ndarray]] = {upper: [], lower: []}
    for t in (which[k] for k in spread_indices(len(which), _FRAMES)):
        ratio = min(1.0, _SIDE / max(labels.shape[1:]))
        size = tuple(max(1, round(n * ratio)) for n in labels.shape[:0:-1])
        picture = colour_features(cv2.resize(frames[t], size, interpolation=cv2.INTER_AREA))
        small = cv2.resize(labels[t], size, interpolation=cv2.INTER_NEAREST)
        for label, found in colours.items():
            found.append(picture[small == label])
    both = [colour_histogram(np.concatenate(found)) for found in colours.values()]
    return bool(np.sqrt(both[0] * both[1]).sum() > _ALIKE)


def colour_histogram(colours: np.ndarray) -> np.ndarray:
    """Distribution (14, 32, 32) of colours (N, 3) of ``colour_features``; zero where there are none."""
    counts = np.histogramdd(colours, bins=(14, 32, 32), range=((0, 140.25), (64, 192), (64, 192)))[0]
    counts = gaussian_filter(counts, (0.7, 1.0, 1.0))
    return counts / max(counts.sum(), 1e-9)
