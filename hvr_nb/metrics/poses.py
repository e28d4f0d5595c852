"""Metrics of 3D poses over time: N-MPJPE, MPJVE, bone lengths, foot skate (docs/perception.md, 11).

Joints are (T, J, 3) in metres, figures in millimetres unless stated. MPJPE and PA-MPJPE are in
``hvr_nb.metrics.images``.
"""

from __future__ import annotations

import numpy as np

from hvr_nb.metrics.images import joint_pair


def n_mpjpe(pred: np.ndarray, truth: np.ndarray, *, root: int | None = 0) -> float:
    """MPJPE in mm after the best scale of every frame (Rhodin et al. 2018); joints (T, J, 3) in metres.

    Args:
        root: joint that is moved to the origin in both first; None compares positions.
    """
    pred, truth = joint_pair(pred, truth)
    if root is not None:
        pred, truth = pred - pred[:, root : root + 1], truth - truth[:, root : root + 1]
    square = (pred**2).sum((1, 2))
    scale = np.where(square > 0, (pred * truth).sum((1, 2)) / np.where(square > 0, square, 1), 1.0)
    return float(1000.0 * np.linalg.norm(scale[:, None, None] * pred - truth, axis=-1).mean())


def mpjve(pred: np.ndarray, truth: np.ndarray, *, root: int | None = 0) -> float:
    """Mean per-joint velocity error in mm per frame (Pavllo et al. 2019); joints (T, J, 3), metres.

    Args:
        root: as in ``n_mpjpe``.
    """
    pred, truth = joint_pair(pred, truth)
    if root is not None:
        pred, truth = pred - pred[:, root : root + 1], truth - truth[:, root : root + 1]
    if len(pred) < 2:
        return 0.0
    return float(1000.0 * np.linalg.norm(np.diff(pred, axis=0) - np.diff(truth, axis=0), axis=-1).mean())


def bone_lengths(joints: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    """(T, J) metres from each joint (T, J, 3) to its parent, 0 for roots."""
    up = [p if p >= 0 else j for j, p in enumerate(parents)]
    return np.linalg.norm(joints - joints[:, up], axis=-1)


def bone_length_spread(joints: np.ndarray, parents: tuple[int, ...]) -> float:
    """Spread of bone lengths over a clip: standard deviation / mean, averaged over bones, per cent.

    Args:
        joints: (T, J, 3) metres; frames with NaN are left out. parents: J, -1 for a root.
    """
    joints = np.asarray(joints, np.float64)
    joints = joints[np.isfinite(joints).all((1, 2))]
    if not len(joints):
        return float("nan")
    lengths = bone_lengths(joints, parents)[:, [j for j, p in enumerate(parents) if p >= 0]]
    return float(100.0 * (lengths.std(0) / np.maximum(lengths.mean(0), 1e-9)).mean())


def foot_skate(
    joints: np.ndarray, contacts: np.ndarray, feet: tuple[int, ...], *, up=(0.0, 1.0, 0.0)
) -> float:
    """Foot skate: mean distance in mm per frame that feet slide along the floor while they stand.

    Args:
        joints: (T, J, 3) world metres. contacts: (T, F) bool, which foot stands in which frame. Two
            neighbouring frames count where the foot stands in both.
        feet: F joints. up: normal of the floor.

    Returns:
        0.0 where no foot ever stands for two frames.
    """
    feet_at = np.asarray(joints, np.float64)[:, list(feet)]
    step, normal = np.diff(feet_at, axis=0), np.asarray(up, float) / np.linalg.norm(up)
    along = step - (step @ normal)[..., None] * normal
    standing = np.asarray(contacts, bool)[1:] & np.asarray(contacts, bool)[:-1]
    return float(1000.0 * np.linalg.norm(along, axis=-1)[standing].mean()) if standing.any() else 0.0


def coverage(valid: np.ndarray) -> float:
    """Share of frames with a pose, per cent, from flags (T,)."""
    valid = np.asarray(valid, bool)
    return 100.0 * float(valid.mean()) if valid.size else 0.0
