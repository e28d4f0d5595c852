"""The outline of an open jacket as two open curves: the hem, and the opening up, round the neck and down."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

REACH = 0.04  # metres before and behind a corner over which the outline's direction is taken
LOW = 0.3  # share of the outline's height within which its corners lie


def split_outline(loop: np.ndarray, places: np.ndarray) -> dict[str, np.ndarray]:
    """Hem and opening of a closed loop of vertices (L,), whose mesh is at places (N, 3) in the big pose.

    They share their ends, the corners of the front edges: the places low on either side where the outline
    turns most. Both run from the person's left (+x) to the right, the hem round the back.
    """
    x = places[loop]
    turn, low = _turns(x), x[:, 1] < x[:, 1].min() + LOW * np.ptp(x[:, 1])
    middle = (x[:, 0].max() + x[:, 0].min()) / 2
    front = x[:, 2] > np.median(x[low, 2])
    sides = [low & front & side for side in (x[:, 0] > middle, x[:, 0] <= middle)]
    left, right = (int(np.where(side, turn, -1.0).argmax()) for side in sides)
    first, last = sorted((left, right))
    one, other = loop[first : last + 1], np.r_[loop[last:], loop[: first + 1]]
    hem, opening = sorted((one, other), key=lambda part: np.mean(places[part, 1]))
    start = loop[left]
    return {n: p if p[0] == start else p[::-1] for n, p in (("hem", hem), ("opening", opening))}


def _turns(x: np.ndarray) -> np.ndarray:
    """(L,) radians that a closed curve (L, 3) turns by within ``REACH`` on either side of its points."""
    step = np.linalg.norm(np.roll(x, -1, 0) - x, axis=1)
    count = max(1, min(round(REACH / step.mean()), len(x) // 8))
    back, ahead = x - np.roll(x, count, 0), np.roll(x, -count, 0) - x
    cosine = (back * ahead).sum(1) / np.maximum(
        np.linalg.norm(back, axis=1) * np.linalg.norm(ahead, axis=1), 1e-12
    )
    angle = np.arccos(np.clip(cosine, -1, 1))
    near = cKDTree(x).query_ball_point(x, REACH / 4)
    return np.array([angle[k].mean() for k in near])
