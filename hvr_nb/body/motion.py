"""Motions in time: rotation vectors without jumps, and other frame rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from hvr_nb.types import Body


def unwrap_rotations(rotvec: np.ndarray) -> np.ndarray:
    """Rotation vectors (T, 3) that are continuous in time.

    Vectors that differ by full turns are the same rotation; the one nearest to the frame before is taken.
    """
    out = np.array(rotvec, np.float64)
    for k in range(1, len(out)):
        angle = np.linalg.norm(out[k])
        axis = out[k] if angle > 1e-6 else out[k - 1]  # no rotation, any axis: keep the last one
        axis = axis / max(np.linalg.norm(axis), 1e-12)
        turns = np.round((out[k - 1] @ axis - angle) / (2 * np.pi))
        out[k] = axis * (angle + 2 * np.pi * turns)
    return out


def resample_rotations(rotvec: np.ndarray, at: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rotation vectors (N, J, 3) at times ``at`` (N,), interpolated (slerp) at ``wanted`` (M,): (M, J, 3)."""
    turned = [Slerp(at, Rotation.from_rotvec(rotvec[:, j]))(wanted) for j in range(rotvec.shape[1])]
    return np.stack([turn.as_rotvec() for turn in turned], 1)


def resample(body: Body, at: np.ndarray, wanted: np.ndarray) -> Body:
    """A body known at the times ``at`` (N,), interpolated (slerp) at the times ``wanted`` (M,).

    Before the first and after the last time the end pose is kept.
    """
    wanted = np.clip(np.asarray(wanted, float), at[0], at[-1])
    if len(at) == 1:
        return body.frame(np.zeros(len(wanted), int))
    turned = resample_rotations(body.poses.reshape(len(body), 24, 3), at, wanted)
    transl = np.stack([np.interp(wanted, at, body.transl[:, k]) for k in range(3)], 1)
    nearest = np.abs(wanted[:, None] - np.asarray(at)).argmin(1)
    return replace(
        body,
        global_orient=unwrap_rotations(turned[:, 0]),
        body_pose=turned[:, 1:].reshape(len(wanted), 69),
        transl=transl,
        valid=body.valid[nearest],
    )
