"""From several noisy looks at a person to one clean track: swaps, merging, gaps, low-pass.

`specs/perception.md` 1, "clean-up recipe". Arrays are (T, C, 33, 2 or 3): T frames, C looks (passes)
at the same person, 33 BlazePose landmarks. Lengths are parts of the person's height.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded

from hvr_nb.keypoints.blazepose import MIRROR

GROUPS = (np.arange(11), np.arange(11, 23), np.arange(23, 33))  # face, arms, legs: they swap apart
TRUNK = np.array([11, 12, 23, 24])  # shoulders and hips
CLIP = 0.25  # of the height: a jump costs no more than this
SWAP_COST, SWAP_COST_AGREED = 0.1, 0.3  # per second against the majority; the second where all looks agree
AGREE = 0.03  # of the height: looks closer than this agree
MERGE = 0.04  # of the height: looks this close to the chosen one are averaged with it


def swapped(points: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Landmarks (..., 33, D) with left and right exchanged in one group."""
    out = points.copy()
    out[..., group, :] = points[..., np.array(MIRROR)[group], :]
    return out


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean over landmarks of the clipped distance of (..., G, 2) arrays, in heights."""
    return np.minimum(np.linalg.norm(a - b, axis=-1), CLIP).mean(-1)


def choose_looks(points: np.ndarray, group: np.ndarray, *, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """The smoothest way through the looks at one group of landmarks, by Viterbi.

    A state is a look, as it is or with left and right exchanged. It costs its distance from the
    median look (in the left/right order that is nearer), a little for the order the median does
    not have, and its motion from one frame to the next. The price of an order is by the second:
    even where all looks are wrong for half a second, the two jumps cost more.

    Args:
        points: (T, C, 33, 2) looks at the person, in heights.
        group: the landmarks that swap together.
        fps: frames per second.

    Returns:
        look (T,) chosen look, swap (T,) bool whether it is to be exchanged.
    """
    frames, looks = points.shape[:2]
    points = points - points[:, :, TRUNK].mean(2, keepdims=True)  # the limbs' own motion, not the person's
    states = np.concatenate([points, swapped(points, group)], axis=1)[:, :, group]  # (T, 2C, G, 2)
    median = np.median(points, axis=1, keepdims=True)
    near, far = (_distance(states, m[:, :, group]) for m in (median, swapped(median, group)))
    price = np.where(near[:, :looks].max(1) < AGREE, SWAP_COST_AGREED, SWAP_COST) / fps
    unary = CLIP * np.minimum(near, far) + np.where(far < near, price[:, None], 0)
    cost, back = unary[0], np.zeros((frames, 2 * looks), int)
    for t in range(1, frames):
        move = cost[:, None] + _distance(states[t - 1][:, None], states[t][None])
        back[t] = move.argmin(0)
        cost = move.min(0) + unary[t]
    path = np.empty(frames, int)
    path[-1] = cost.argmin()
    for t in range(frames - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path % looks, path >= looks


def merge_looks(points: np.ndarray, visibility: np.ndarray, world: np.ndarray, *, fps: float):
    """Repair left/right swaps and average the looks that agree with the chosen one.

    Args:
        points: (T, C, 33, 2), in heights. visibility: (T, C, 33) 0..1. world: (T, C, 33, 3) metres.
        fps: frames per second.

    Returns:
        points (T, 33, 2), visibility (T, 33), world (T, 33, 3) and spread (T, 33): root mean
        square distance of the looks from their mean, in heights.
    """
    everything = np.concatenate([points, world, visibility[..., None]], axis=-1)  # (T, C, 33, 6)
    frames, looks = points.shape[:2]
    rows = np.arange(frames)
    merged, spread = np.empty((frames, 33, 6)), np.empty((frames, 33))
    for group in GROUPS:
        look, swap = choose_looks(points, group, fps=fps)
        kept, exchanged = everything[:, :, group], swapped(everything, group)[:, :, group]
        chosen = np.where(swap[:, None, None], exchanged[rows, look], kept[rows, look])[:, None]
        # every other look joins in the left/right order that is nearer to the chosen one
        nearer = _distance(kept[..., :2], chosen[..., :2]) <= _distance(exchanged[..., :2], chosen[..., :2])
        sorted_looks = np.where(nearer[..., None, None], kept, exchanged)
        distance = np.linalg.norm(sorted_looks[..., :2] - chosen[..., :2], axis=-1)  # (T, C, G)
        weight = (distance < MERGE) * (sorted_looks[..., 5] + 1e-3)
        weight /= weight.sum(1, keepdims=True)
        merged[:, group] = (weight[..., None] * sorted_looks).sum(1)
        about = sorted_looks[..., :2] - sorted_looks[..., :2].mean(1, keepdims=True)
        spread[:, group] = np.sqrt((about**2).sum(-1).mean(1))
    return merged[..., :2], merged[..., 5], merged[..., 2:5], spread


def confidence(visibility: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The network's visibility (...), 0..1, lowered by the looks' spread (...): half at 1.5 % of the height."""
    return np.clip(visibility, 0, 1) / (1 + (spread / 0.015) ** 2)


def low_pass(values: np.ndarray, weights: np.ndarray, *, fps: float, cutoff: float = 6.0) -> np.ndarray:
    """Zero-phase low-pass of each column, trusting samples by their weights.

    Whittaker smoother with second differences: min sum w (y - x)^2 + a sum (D^2 x)^2. With equal
    weights it is the zero-phase second-order Butterworth filter with its half-amplitude at ``cutoff``.

    Args:
        values: (T, N) samples. weights: (T, N) 0..1; where 0, the value is interpolated.
        fps: samples per second. cutoff: Hz.
    """
    frames = len(values)
    if frames < 4 or cutoff >= fps / 2:
        return values.copy()
    stiff = (2 * np.sin(np.pi * cutoff / fps)) ** -4.0
    bands = stiff * _second_difference_bands(frames)
    out = np.empty(values.shape)
    for j in range(values.shape[1]):
        system = bands.copy()
        weight = np.maximum(weights[:, j], 1e-3)
        system[-1] += weight
        out[:, j] = solveh_banded(system, weight * values[:, j])
    return out


def _second_difference_bands(frames: int) -> np.ndarray:
    """(3, T) upper bands of D^T D for second differences D of T >= 4 samples."""
    bands = np.zeros((3, frames))
    for row, kernel in ((2, (1, 4, 1)), (1, (-2, -2)), (0, (1,))):  # diagonal, first, second above it
        offset = 2 - row
        for i, value in enumerate(kernel):
            bands[row, offset + i : offset + i + frames - 2] += value
    return bands


def fill_gaps(values: np.ndarray, known: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate each column over runs of unknown samples between known ones.

    Args:
        values: (T, N, D) samples. known: (T, N) bool. longest: frames a gap may last.

    Returns:
        values with short gaps filled, and (T, N) bool, where they were.
    """
    out, filled = values.copy(), np.zeros(known.shape, bool)
    for j in range(known.shape[1]):
        for start, stop in runs(~known[:, j]):
            if 0 < start and stop < len(known) and stop - start <= longest:
                ratio = (np.arange(start, stop) - start + 1)[:, None] / (stop - start + 1)
                out[start:stop, j] = (1 - ratio) * values[start - 1, j] + ratio * values[stop, j]
                filled[start:stop, j] = True
    return out, filled


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of each run of True in (T,) bool."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
