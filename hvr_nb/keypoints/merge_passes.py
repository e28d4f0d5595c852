"""Test-time augmentation merged: several passes to one clean track of landmarks (docs/perception.md, 3).

Left/right swaps are repaired, passes averaged, gaps interpolated, noise filtered. Arrays are
(T, C, 33, 2 or 3): T frames, C passes of the network over the same person, 33 BlazePose landmarks. Lengths
are in heights of the person.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded

from hvr_nb.keypoints.blazepose import MIRROR

GROUPS = (np.arange(11), np.arange(11, 23), np.arange(23, 33))  # face, arms, legs: each may be swapped alone
TRUNK = np.array([11, 12, 23, 24])  # shoulders and hips
CLIP = 0.25  # heights, largest distance that counts
SWAP_COST, SWAP_COST_AGREED = 0.1, 0.3  # per second of an order against the median; where all passes agree
AGREE = 0.03  # heights; passes that are closer agree
MERGE = 0.04  # heights; passes this close to the chosen one are averaged with it


def swapped(points: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Landmarks (..., 33, D) with left and right exchanged in one group of them."""
    out = points.copy()
    out[..., group, :] = points[..., np.array(MIRROR)[group], :]
    return out


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...,) mean over G landmarks of the clipped distance of (..., G, 2) arrays, in heights."""
    return np.minimum(np.linalg.norm(a - b, axis=-1), CLIP).mean(-1)


def choose_passes(points: np.ndarray, group: np.ndarray, *, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """The best sequence of passes for one group of landmarks, by Viterbi's algorithm.

    A state is a pass, as it is or with left and right exchanged. It costs its distance from the median
    of all passes (in the nearer left/right order), a price for the order that the median does not have,
    and its motion between frames. That price is per second, so half a second in which all passes are
    wrong costs less than the two jumps at its ends.

    Args:
        points: (T, C, 33, 2) passes, in heights.
        group: the landmarks that are swapped together.
        fps: frames per second.

    Returns:
        chosen (T,) index of the pass, swap (T,) bool whether left and right are to be exchanged.
    """
    frames, passes = points.shape[:2]
    points = points - points[:, :, TRUNK].mean(2, keepdims=True)  # motion of the limbs relative to the trunk
    states = np.concatenate([points, swapped(points, group)], axis=1)[:, :, group]  # (T, 2C, G, 2)
    median = np.median(points, axis=1, keepdims=True)
    near, far = (_distance(states, m[:, :, group]) for m in (median, swapped(median, group)))
    price = np.where(near[:, :passes].max(1) < AGREE, SWAP_COST_AGREED, SWAP_COST) / fps
    unary = CLIP * np.minimum(near, far) + np.where(far < near, price[:, None], 0)
    cost, back = unary[0], np.zeros((frames, 2 * passes), int)
    for t in range(1, frames):
        move = cost[:, None] + _distance(states[t - 1][:, None], states[t][None])
        back[t] = move.argmin(0)
        cost = move.min(0) + unary[t]
    path = np.empty(frames, int)
    path[-1] = cost.argmin()
    for t in range(frames - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path % passes, path >= passes


def merge_passes(points: np.ndarray, visibility: np.ndarray, world: np.ndarray, *, fps: float):
    """Repair left/right swaps, and average the passes that agree with the chosen one.

    Args:
        points: (T, C, 33, 2), in heights. visibility: (T, C, 33) 0..1. world: (T, C, 33, 3) metres.
        fps: frames per second.

    Returns:
        points (T, 33, 2), visibility (T, 33), world (T, 33, 3), and spread (T, 33): root mean square
        distance of the passes from their mean, in heights.
    """
    everything = np.concatenate([points, world, visibility[..., None]], axis=-1)  # (T, C, 33, 6)
    frames = len(points)
    rows = np.arange(frames)
    merged, spread = np.empty((frames, 33, 6)), np.empty((frames, 33))
    for group in GROUPS:
        best, swap = choose_passes(points, group, fps=fps)
        kept, exchanged = everything[:, :, group], swapped(everything, group)[:, :, group]
        chosen = np.where(swap[:, None, None], exchanged[rows, best], kept[rows, best])[:, None]
        # the other passes are averaged in the left/right order that is nearer to the chosen one
        nearer = _distance(kept[..., :2], chosen[..., :2]) <= _distance(exchanged[..., :2], chosen[..., :2])
        ordered = np.where(nearer[..., None, None], kept, exchanged)
        distance = np.linalg.norm(ordered[..., :2] - chosen[..., :2], axis=-1)  # (T, C, G)
        weight = (distance < MERGE) * (ordered[..., 5] + 1e-3)
        weight /= weight.sum(1, keepdims=True)
        merged[:, group] = (weight[..., None] * ordered).sum(1)
        about = ordered[..., :2] - ordered[..., :2].mean(1, keepdims=True)
        spread[:, group] = np.sqrt((about**2).sum(-1).mean(1))
    return merged[..., :2], merged[..., 5], merged[..., 2:5], spread


def confidence(visibility: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The network's visibility (...), 0..1, reduced by the passes' spread (...): half at 0.015 heights."""
    return np.clip(visibility, 0, 1) / (1 + (spread / 0.015) ** 2)


def low_pass(values: np.ndarray, weights: np.ndarray, *, fps: float, cutoff: float = 6.0) -> np.ndarray:
    """Zero-phase low-pass filter of each column, with weighted samples.

    Whittaker smoothing with second differences: min sum w (y - x)^2 + a sum (D^2 x)^2. With equal weights
    it is the zero-phase second-order Butterworth filter with half the amplitude at ``cutoff``.

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
    """Interpolate each column over short gaps between known samples.

    Args:
        values: (T, N, D) samples. known: (T, N) bool. longest: longest gap that is filled, frames.

    Returns:
        values (T, N, D) with short gaps filled, and (T, N) bool where they were.
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
