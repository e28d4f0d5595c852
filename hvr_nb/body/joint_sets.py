"""COCO's and Human3.6M's 17 joints: orders, mirror images, tree, and the joints they share (docs/body.md, 4).

The 3D lifters take COCO-17 and give Human3.6M-17.
"""

from __future__ import annotations

import numpy as np

COCO_LIMBS = tuple(range(5, 17))  # shoulders, elbows, wrists, hips, knees, ankles

COCO_MIRROR = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)

H36M17_NAMES = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine",
    "thorax", "nose", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
    "right_wrist",
)  # fmt: skip

H36M17_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)

H36M17_FEET = (3, 6)  # the ankles

H36M_MIRROR = (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13)

# Human3.6M joint -> the same joint of COCO; the pelvis is the middle of the hips
_FROM_COCO = {1: 12, 2: 14, 3: 16, 4: 11, 5: 13, 6: 15, 9: 0, 11: 5, 12: 7, 13: 9, 14: 6, 15: 8, 16: 10}

# Human3.6M joint -> the same joint of SMPL; -1 where h36m_from_smpl computes it
H36M_SMPL = (-1, 2, 5, 8, 1, 4, 7, 6, 12, -1, -1, 16, 18, 20, 17, 19, 21)

# group of limbs -> the COCO joints that an edge of the picture or an obstacle hides together
LIMB_GROUPS = {
    "left_arm": (7, 9),
    "right_arm": (8, 10),
    "arms": (7, 8, 9, 10),
    "left_leg": (13, 15),
    "right_leg": (14, 16),
    "legs": (13, 14, 15, 16),
    "head": (0, 1, 2, 3, 4),
    "left_side": (5, 7, 9, 11, 13, 15),
    "right_side": (6, 8, 10, 12, 14, 16),
}


def h36m_points(coco: np.ndarray) -> np.ndarray:
    """(..., 17, 3) points in Human3.6M order of COCO points (..., 17, 3), pixels and confidence.

    Spine, thorax and top of the head, which COCO does not have, get confidence 0.
    """
    out = np.zeros(coco.shape)
    out[..., list(_FROM_COCO), :] = coco[..., list(_FROM_COCO.values()), :]
    hips = coco[..., [11, 12], :]
    out[..., 0, :2] = hips[..., :2].mean(-2)
    out[..., 0, 2] = hips[..., 2].min(-1)
    return out


def h36m_from_smpl(joints: np.ndarray, nose: np.ndarray, head_top: np.ndarray) -> np.ndarray:
    """Human3.6M joints (..., 17, 3) of SMPL joints (..., 24, 3), nose and top of the head (..., 3)."""
    out = joints[..., H36M_SMPL, :].copy()
    out[..., 0, :] = (out[..., 1, :] + out[..., 4, :]) / 2
    out[..., 9, :], out[..., 10, :] = nose, head_top
    return out
