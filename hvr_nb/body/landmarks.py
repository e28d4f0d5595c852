"""A detector's landmarks on an SMPL body (docs/body.md, 3).

A landmark is a mixture of joint positions plus offsets that rotate with the joints,
``p_l = sum_j w_lj x_j + s sum_j G_j o_lj`` (x_j joint, G_j its world rotation, s the body's size).
No skinning is needed, so a whole clip takes milliseconds. `scripts/train/landmarks.py` measures the
table of BlazePose; BODY_25 is defined by joints and vertices of the body model.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hvr_nb.body.joint_sets import H36M17_NAMES, H36M_SMPL
from hvr_nb.body.kinematics import PosedRig, Rig, turn_slopes
from hvr_nb.body.model import LANDMARK_VERTICES, BodyModel
from hvr_nb.store.places import ASSETS
from hvr_nb.types import BODY25_NAMES, HvrError, Keypoints

OFFSETS_FILE = ASSETS / "landmark_offsets.npz"
BLAZE_NAMES = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye",
    "right_eye_outer", "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_pinky",
    "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel",
    "left_foot_index", "right_foot_index",
)  # fmt: skip
# row of BODY_25 -> the SMPL joint that it is, or that its vertex moves with
BODY25_JOINTS = {2: 17, 3: 19, 4: 21, 5: 16, 6: 18, 7: 20, 9: 2, 10: 5, 11: 8, 12: 1, 13: 4, 14: 7, 0: 15,
                 15: 15, 16: 15, 17: 15, 18: 15, 19: 10, 20: 10, 21: 7, 22: 11, 23: 11, 24: 8}  # fmt: skip
BODY25_SIGMA = 0.025  # metres, usual error of a BODY_25 joint
HEAD = 15  # SMPL joint


@dataclass(frozen=True)
class LandmarkTable:
    """L landmarks of one detector as functions of the posed joints."""

    names: tuple[str, ...]  # L names
    weights: np.ndarray  # (L, 24) mixture of joint positions, rows sum to 1 (0: not used)
    offsets: np.ndarray  # (L, 24, 3) metres at the mean body's size, in the axes of each joint
    sigma: np.ndarray  # (L,) metres, usual error of a detected landmark; inf = not used

    def rows(self, *names: str) -> list[int]:
        """Rows of landmarks by name."""
        return [self.names.index(name) for name in names]


@dataclass(frozen=True)
class PlacedLandmarks:
    """Landmarks of N posed bodies and their derivatives with respect to rotations and shape."""

    points: np.ndarray  # (N, L, 3) world, metres
    d_betas: np.ndarray  # (N, L, 3, 10)
    turning: Callable[[], np.ndarray]  # gives ``d_turn``

    @functools.cached_property
    def d_turn(self) -> np.ndarray:
        """(N, L, 3, 72) derivatives with respect to the rotations: large, so made when first asked for."""
        return self.turning()


def place_landmarks(table: LandmarkTable, rig: Rig, pose: PosedRig, betas: np.ndarray) -> PlacedLandmarks:
    """Landmarks of N posed bodies of shape ``betas`` (10,), and their derivatives."""
    size, d_size = rig.size(betas)
    # (N, 24, L, 3) -> (N, L, 24, 3)
    local = np.swapaxes(table.offsets.swapaxes(0, 1) @ np.swapaxes(pose.turned, -1, -2), 1, 2)
    parts = table.weights[None, :, :, None] * pose.joints[:, None] + size * local
    d_betas = np.tensordot(pose.d_betas, table.weights, (1, 1)).transpose(0, 3, 1, 2)
    d_betas = d_betas + local.sum(2)[..., None] * d_size
    turning = functools.partial(turn_slopes, rig, pose, parts, table.weights)
    return PlacedLandmarks(parts.sum(2), d_betas, turning)


def body25_table(model: BodyModel) -> LandmarkTable:
    """BODY_25: joints, and vertices that move rigidly with the head and the feet."""
    v = model.v_template.double().numpy()
    joints = model.J_regressor.double().numpy() @ v
    weights, offsets, sigma = np.zeros((25, 24)), np.zeros((25, 24, 3)), np.full(25, np.inf)
    for row, joint in BODY25_JOINTS.items():
        weights[row, joint], sigma[row] = 1.0, BODY25_SIGMA
        if BODY25_NAMES[row] in LANDMARK_VERTICES:
            offsets[row, joint] = v[LANDMARK_VERTICES[BODY25_NAMES[row]]] - joints[joint]
    return LandmarkTable(BODY25_NAMES, weights, offsets, sigma)


def blazepose_table() -> LandmarkTable:
    """The 33 BlazePose landmarks as measured on synthetic people."""
    if not OFFSETS_FILE.exists():
        raise HvrError(f"{OFFSETS_FILE} is missing; run scripts/train/landmarks.py")
    with np.load(OFFSETS_FILE, allow_pickle=False) as file:
        weights, offsets, sigma = (file[k].astype(np.float64) for k in ("weights", "offsets", "sigma"))
    return LandmarkTable(BLAZE_NAMES, weights, offsets, sigma)


def h36m_table(model: BodyModel) -> LandmarkTable:
    """Human3.6M's 17 joints, as the lifter gives them; nose and top of the head move with the head."""
    v = model.v_template.double().numpy()
    joints = model.J_regressor.double().numpy() @ v
    weights, offsets = np.zeros((17, 24)), np.zeros((17, 24, 3))
    weights[range(17), H36M_SMPL] = 1.0
    for row, point in ((9, v[LANDMARK_VERTICES["nose"]]), (10, v[v[:, 1].argmax()])):
        weights[row, H36M_SMPL[row]], weights[row, HEAD] = 0.0, 1.0
        offsets[row, HEAD] = point - joints[HEAD]
    weights[0] = (weights[1] + weights[4]) / 2
    return LandmarkTable(H36M17_NAMES, weights, offsets, np.full(17, BODY25_SIGMA))


def table_for(keypoints: Keypoints, model: BodyModel) -> LandmarkTable:
    """The table for ``keypoints``: BlazePose where they hold its 33 landmarks, otherwise BODY_25."""
    return body25_table(model) if keypoints.landmarks is None else blazepose_table()
