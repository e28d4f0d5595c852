"""Human3.6M's 17 joints, what the 3D-pose lifters give: names, tree, and the 2D points that belong to them.

`specs/pose3d_pamir.md` A2.
"""

from __future__ import annotations

import numpy as np

H36M17_NAMES = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine",
    "thorax", "nose", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
    "right_wrist",
)  # fmt: skip
H36M17_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
H36M17_FEET = (3, 6)  # the ankles
# H36M joint -> COCO joint of the same place; the pelvis is made of the hips
_FROM_COCO = {1: 12, 2: 14, 3: 16, 4: 11, 5: 13, 6: 15, 9: 0, 11: 5, 12: 7, 13: 9, 14: 6, 15: 8, 16: 10}


def h36m_points(coco: np.ndarray) -> np.ndarray:
    """(..., 17, 3) points in Human3.6M order of COCO points (..., 17, 3), pixels and confidence.

    Spine, thorax and head, which COCO does not have, get confidence 0.
    """
    out = np.zeros(coco.shape)
    out[..., list(_FROM_COCO), :] = coco[..., list(_FROM_COCO.values()), :]
    hips = coco[..., [11, 12], :]
    out[..., 0, :2] = hips[..., :2].mean(-2)
    out[..., 0, 2] = hips[..., 2].min(-1)
    return out


H36M_MIRROR = (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13)


COCO_MIRROR = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


COCO_LIMBS = tuple(range(5, 17))  # shoulders, elbows, wrists, hips, knees, ankles


# limb group -> COCO joints that a picture edge or a thing in front hides together
LIMB_GROUPS = {
    "left_arm": (7, 9), "right_arm": (8, 10), "arms": (7, 8, 9, 10), "left_leg": (13, 15),
    "right_leg": (14, 16), "legs": (13, 14, 15, 16), "head": (0, 1, 2, 3, 4),
    "left_side": (5, 7, 9, 11, 13, 15), "right_side": (6, 8, 10, 12, 14, 16),
}  # fmt: skip


H36M_SMPL = (
    -1,
    2,
    5,
    8,
    1,
    4,
    7,
    6,
    12,
    -1,
    -1,
    16,
    18,
    20,
    17,
    19,
    21,
)  # SMPL joint of each, -1: made below


def h36m_from_smpl(joints: np.ndarray, nose: np.ndarray, head_top: np.ndarray) -> np.ndarray:
    """SMPL joints (..., 24, 3), nose and top of the head (..., 3) to Human3.6M joints (..., 17, 3)."""
    out = joints[..., H36M_SMPL, :].copy()
    out[..., 0, :] = (out[..., 1, :] + out[..., 4, :]) / 2
    out[..., 9, :], out[..., 10, :] = nose, head_top
    return out
