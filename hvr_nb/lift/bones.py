"""Bone lengths of a clip, and the size of a person from a height or bone lengths (docs/perception.md, 10).

Joints are Human3.6M's 17 unless another tree is given.
"""

from __future__ import annotations

import numpy as np

from hvr_nb.body.joint_sets import H36M17_PARENTS
from hvr_nb.types import HvrError

ANKLE = 0.039  # height of the ankle as a share of the stature (Winter, Biomechanics and Motor Control, 2009)


def metric_scale(
    joints: np.ndarray,
    parents: tuple[int, ...] = H36M17_PARENTS,
    *,
    height: float = 0.0,
    lengths: np.ndarray | None = None,
) -> float:
    """The factor that brings joints (T, J, 3) to metres; 1.0 where nothing is known.

    Args:
        height: stature in metres. It is compared with legs, trunk and head of Human3.6M's 17 joints,
            from the ankles (0.039 of the stature above the floor) to the top of the head.
        lengths: (J,) metres of the bones that end in the joints, NaN where unknown.

    Raises:
        HvrError: negative values, no known length, or a height with another skeleton.
    """
    if height < 0 or (lengths is not None and (np.asarray(lengths) < 0).any()):
        raise HvrError("the height and the bone lengths must be positive, in metres")
    mine = median_lengths(joints, parents)
    if lengths is not None:
        known = np.isfinite(lengths) & (np.asarray(parents) >= 0) & (mine > 0)
        if not known.any():
            raise HvrError(f"none of the {len(lengths)} bone lengths is known; give at least one")
        return float((mine[known] * np.asarray(lengths)[known]).sum() / (mine[known] ** 2).sum())
    if not height:
        return 1.0
    if tuple(parents) != H36M17_PARENTS:
        raise HvrError(
            "a height can only be used with Human3.6M's 17 joints; for another skeleton give lengths="
        )
    legs = mine[[2, 3, 5, 6]].sum() / 2
    head = np.nanmedian(np.linalg.norm(joints[:, 10] - joints[:, 8], axis=-1))
    return float(height * (1 - ANKLE) / (legs + mine[[7, 8]].sum() + head))


def median_lengths(joints: np.ndarray, parents: tuple[int, ...] = H36M17_PARENTS) -> np.ndarray:
    """(J,) median length of the bone that ends in each joint of (T, J, 3); 0 for the root."""
    up = [p if p >= 0 else j for j, p in enumerate(parents)]
    lengths = np.linalg.norm(joints - joints[:, up], axis=-1)
    known = np.isfinite(lengths).all(1)
    if not known.any():
        raise HvrError("no frame has all joints; bone lengths cannot be measured")
    return np.median(lengths[known], axis=0)


def fix_bone_lengths(
    joints: np.ndarray, parents: tuple[int, ...] = H36M17_PARENTS, lengths: np.ndarray | None = None
) -> np.ndarray:
    """Joints (T, J, 3) whose bones keep their directions but have the same length in all frames.

    Args:
        lengths: (J,) metres of the bones that end in the joints; None takes their medians.
    """
    lengths = median_lengths(joints, parents) if lengths is None else np.asarray(lengths, float)
    out, done = np.array(joints, np.float64), {j for j, p in enumerate(parents) if p < 0}
    while len(done) < len(parents):
        ready = [j for j, p in enumerate(parents) if p in done and j not in done]
        if not ready:
            raise HvrError("the skeleton's parents do not form trees; every joint must lead to a root")
        for j in ready:
            bone = joints[:, j] - joints[:, parents[j]]
            size = np.linalg.norm(bone, axis=1, keepdims=True)
            out[:, j] = out[:, parents[j]] + bone * (lengths[j] / np.where(size > 1e-9, size, 1.0))
        done |= set(ready)
    return out
