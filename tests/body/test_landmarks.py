"""Landmarks of detectors on the body: where they lie, and how they move with pose and shape."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body import landmarks
from hvr_nb.body.joint_sets import H36M17_NAMES
from hvr_nb.body.kinematics import pose_rig, rig_of
from hvr_nb.body.landmarks import blazepose_table, body25_table, h36m_table, place_landmarks, table_for
from hvr_nb.body.model import LANDMARK_VERTICES, load_body_model
from hvr_nb.types import BODY25_NAMES, SMPL_JOINT_NAMES, HvrError, Keypoints


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def rig(model):
    return rig_of(model)


def at_rest(table, rig):
    betas = np.zeros(10)
    turns = np.tile(np.eye(3), (1, 24, 1, 1))
    return place_landmarks(table, rig, pose_rig(rig, turns, np.zeros((1, 3)), betas), betas).points[0]


def test_body25_at_rest_lies_on_joints_and_vertices(model, rig):
    table = body25_table(model)
    points, vertices = at_rest(table, rig), model.v_template.double().numpy()
    for row, name in enumerate(BODY25_NAMES):
        if name in LANDMARK_VERTICES:
            np.testing.assert_allclose(
                points[row], vertices[LANDMARK_VERTICES[name]], atol=1e-7, err_msg=name
            )
        elif name in SMPL_JOINT_NAMES and name != "neck":
            np.testing.assert_allclose(
                points[row], rig.joints[SMPL_JOINT_NAMES.index(name)], atol=1e-9, err_msg=name
            )
    unused = [BODY25_NAMES[row] for row in np.flatnonzero(np.isinf(table.sigma))]
    assert unused == ["neck", "mid_hip"]
    used = np.isfinite(table.sigma)
    assert (table.sigma[used] == 0.025).all() and (table.weights[used].sum(1) == 1).all()
    heads = [BODY25_NAMES.index(n) for n in ("nose", "right_eye", "left_eye", "right_ear", "left_ear")]
    assert (table.weights[heads, SMPL_JOINT_NAMES.index("head")] == 1).all()
    for side in ("left", "right"):  # toes move with the foot, the heel with the ankle
        rows = [BODY25_NAMES.index(f"{side}_{n}") for n in ("big_toe", "small_toe", "heel")]
        joints = [SMPL_JOINT_NAMES.index(f"{side}_{n}") for n in ("foot", "foot", "ankle")]
        assert (table.weights[rows, joints] == 1).all()


def test_h36m_at_rest_lies_on_joints_nose_and_top_of_the_head(model, rig):
    points, v = at_rest(h36m_table(model), rig), model.v_template.double().numpy()
    same = {"spine": "spine2", "thorax": "neck"}
    for row, name in enumerate(H36M17_NAMES):
        joint = same.get(name, name)
        if joint in SMPL_JOINT_NAMES and name not in ("pelvis", "head"):
            np.testing.assert_allclose(
                points[row], rig.joints[SMPL_JOINT_NAMES.index(joint)], atol=1e-9, err_msg=name
            )
    np.testing.assert_allclose(points[0], rig.joints[[1, 2]].mean(0), atol=1e-9)
    np.testing.assert_allclose(points[9], v[LANDMARK_VERTICES["nose"]], atol=1e-7)
    np.testing.assert_allclose(points[10], v[v[:, 1].argmax()], atol=1e-7)
    assert (h36m_table(model).sigma == 0.025).all()


def test_blazepose_landmarks_lie_near_the_joints_of_their_names(rig):
    table = blazepose_table()
    points = at_rest(table, rig)
    np.testing.assert_allclose(table.weights.sum(1), 1, atol=1e-6)
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        for side in ("left", "right"):
            row, joint = table.rows(f"{side}_{part}")[0], SMPL_JOINT_NAMES.index(f"{side}_{part}")
            assert np.linalg.norm(points[row] - rig.joints[joint]) < 0.08, (side, part)


def test_landmarks_move_as_their_derivatives_say(model, rig):
    rng = np.random.default_rng(0)
    turns = Rotation.from_rotvec(0.5 * rng.standard_normal((48, 3))).as_matrix().reshape(2, 24, 3, 3)
    betas, turn, shape = (
        rng.standard_normal(10),
        1e-6 * rng.standard_normal((2, 72)),
        1e-6 * rng.standard_normal(10),
    )
    moved = turns @ Rotation.from_rotvec(turn.reshape(-1, 3)).as_matrix().reshape(2, 24, 3, 3)

    def place(table, turns, betas):
        return place_landmarks(table, rig, pose_rig(rig, turns, np.ones((2, 3)), betas), betas)

    for table in (blazepose_table(), body25_table(model), h36m_table(model)):
        before = place(table, turns, betas)
        expected = np.einsum("npcd,nd->npc", before.d_turn, turn)
        np.testing.assert_allclose(place(table, moved, betas).points - before.points, expected, atol=1e-10)
        expected = before.d_betas @ shape
        np.testing.assert_allclose(
            place(table, turns, betas + shape).points - before.points, expected, atol=1e-11
        )


def test_the_table_follows_the_detector(model, monkeypatch, tmp_path):
    empty = {"filled": np.zeros((1, 25), bool), "found": np.ones(1, bool), "boxes": np.zeros((1, 4))}
    plain = Keypoints(points=np.zeros((1, 25, 3)), **empty)
    blaze = Keypoints(
        points=np.zeros((1, 25, 3)), landmarks=np.zeros((1, 33, 3)), world=np.zeros((1, 33, 3)), **empty
    )
    assert table_for(plain, model).names == BODY25_NAMES
    assert table_for(blaze, model).names == landmarks.BLAZE_NAMES
    monkeypatch.setattr(landmarks, "OFFSETS_FILE", tmp_path / "none.npz")
    with pytest.raises(HvrError, match="none.npz is missing"):
        blazepose_table()
