"""The joints that go into and come out of the lifters: COCO's 17 and Human3.6M's 17.

`specs/pose3d_pamir.md` A2. The 3D joints are defined on the body model here: the root is the middle of the
hips, the trunk follows SMPL's spine2 and neck, the head its nose and the top of its head.
"""

from __future__ import annotations

import numpy as np

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
