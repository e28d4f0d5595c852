"""Rotations over time, headings, and joint sets that must agree with each other."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body import joint_sets
from hvr_nb.body.headings import headings, turn_shown
from hvr_nb.body.joint_sets import H36M17_NAMES, H36M17_PARENTS, H36M_MIRROR, h36m_from_smpl, h36m_points
from hvr_nb.body.motion import resample, resample_rotations, unwrap_rotations
from hvr_nb.geometry.camera import default_camera, look_at
from hvr_nb.types import SMPL_JOINT_NAMES, Body

COCO = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
        "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
        "right_knee", "left_ankle", "right_ankle")  # fmt: skip


def facing(*degrees, camera=None, valid=None):
    """A body whose pelvis faces the camera at 0 degrees and turns to its left."""
    orient = np.radians(degrees)[:, None] * [0, 1.0, 0]
    n = len(degrees)
    ok = np.ones(n, bool) if valid is None else np.array(valid)
    return Body(np.zeros(10), orient, np.zeros((n, 69)), np.zeros((n, 3)), camera or default_camera(8, 8), ok)


@pytest.mark.parametrize("axis", [(0, 1.0, 0), (0.6, 0, -0.8)])
def test_unwrapped_rotations_have_no_jumps(axis):
    angle = np.linspace(0.3, 6 * np.pi, 60)
    wrapped = Rotation.from_rotvec(np.outer(angle, axis)).as_rotvec()
    np.testing.assert_allclose(unwrap_rotations(wrapped), np.outer(angle, axis), atol=1e-9)
    np.testing.assert_allclose(unwrap_rotations(np.outer(-angle, axis)), np.outer(-angle, axis), atol=1e-9)


def test_no_rotation_keeps_the_axis_and_the_turns_of_the_frame_before():
    turned = np.array([[0, 2 * np.pi - 0.1, 0], [0, 0.0, 0], [0, 0.2, 0]])
    np.testing.assert_allclose(unwrap_rotations(turned)[:, 1], 2 * np.pi + np.array([-0.1, 0, 0.2]))
    np.testing.assert_array_equal(unwrap_rotations(np.zeros((3, 3))), 0)


def test_resampling_turns_evenly_and_keeps_the_ends():
    body = facing(0, 60, 90, valid=[True, False, True])
    body.transl[:, 0] = 0, 1, 5
    body.body_pose[:, 3:6] = [[0, 0, 0], [0.2, 0, 0], [0.4, 0, 0]]
    out = resample(body, np.array([0, 1, 3.0]), np.array([-1, 0.5, 1.0, 2, 2.1, 9]))
    np.testing.assert_allclose(np.degrees(out.global_orient[:, 1]), [0, 30, 60, 75, 76.5, 90])
    np.testing.assert_allclose(out.transl[:, 0], [0, 0.5, 1, 3, 3.2, 5])
    np.testing.assert_allclose(out.body_pose[:, 3], [0, 0.1, 0.2, 0.3, 0.31, 0.4], atol=1e-9)
    assert out.valid.tolist() == [True, True, False, False, True, True]
    single = resample(body.frame(slice(1, 2)), np.array([7.0]), np.array([1.0, 7, 8]))
    np.testing.assert_allclose(np.degrees(single.global_orient[:, 1]), [60] * 3)
    half = resample_rotations(np.array([[[0, 0, 0]], [[0, 0, 1.0]]]), np.array([0, 2.0]), np.array([0.5]))
    np.testing.assert_allclose(half, [[[0, 0, 0.25]]])


def test_headings_are_told_from_the_camera():
    assert headings(facing(0, 90, -45)) == pytest.approx([0, 90, -45])
    assert headings(facing(0, 90, valid=[False, True])) == pytest.approx([90])
    beside = look_at(np.array([5.0, 0, 0]), np.zeros(3), default_camera(8, 8))
    assert headings(facing(90, 100, camera=beside)) == pytest.approx([0, 10])


@pytest.mark.parametrize(
    ("degrees", "shown"),
    [((0,), 0), ((10, 50), 40), ((170, -170), 20), ((0, 90, 180, -90), 270), ((0, 120, -120, 130), 240)],
)
def test_the_turn_shown_is_all_but_the_widest_gap(degrees, shown):
    assert turn_shown(facing(*degrees)) == pytest.approx(shown)
    assert turn_shown(facing(*degrees, valid=[False] * len(degrees))) == 0.0


def test_mirror_images_exchange_left_and_right():
    for names, mirror in ((COCO, joint_sets.COCO_MIRROR), (H36M17_NAMES, H36M_MIRROR)):
        swapped = [n.replace("left", "?").replace("right", "left").replace("?", "right") for n in names]
        assert [names[m] for m in mirror] == swapped


def test_the_trees_and_groups_are_those_of_their_names():
    above = {n: H36M17_NAMES[p] if p >= 0 else "" for n, p in zip(H36M17_NAMES, H36M17_PARENTS, strict=True)}
    for side in ("left", "right"):
        chain = [f"{side}_{n}" for n in ("wrist", "elbow", "shoulder")] + ["thorax", "spine", "pelvis", ""]
        leg = [f"{side}_{n}" for n in ("ankle", "knee", "hip")] + ["pelvis"]
        for below, parent in [*zip(chain, chain[1:], strict=False), *zip(leg, leg[1:], strict=False)]:
            assert above[below] == parent
    assert above["head"] == "nose" and above["nose"] == "thorax"
    assert [H36M17_NAMES[f] for f in joint_sets.H36M17_FEET] == ["right_ankle", "left_ankle"]
    parts = {"arm": ("elbow", "wrist"), "leg": ("knee", "ankle")}
    groups = {k: {COCO[j] for j in v} for k, v in joint_sets.LIMB_GROUPS.items()}
    for side in ("left", "right"):
        for limb, below in parts.items():
            assert groups[f"{side}_{limb}"] == {f"{side}_{n}" for n in below}
        body = ("shoulder", "hip", "elbow", "wrist", "knee", "ankle")
        assert groups[f"{side}_side"] == {f"{side}_{n}" for n in body}
    assert groups["arms"] == groups["left_arm"] | groups["right_arm"]
    assert groups["legs"] == groups["left_leg"] | groups["right_leg"] and groups["head"] == set(COCO[:5])
    assert tuple(COCO[5:]) == tuple(COCO[j] for j in joint_sets.COCO_LIMBS)


def test_h36m_joints_of_coco_and_of_smpl():
    coco = np.random.default_rng(0).uniform(1, 2, (4, 17, 3))
    points = h36m_points(coco)
    for row, name in enumerate(H36M17_NAMES):
        if name in COCO:
            np.testing.assert_array_equal(points[:, row], coco[:, COCO.index(name)])
    np.testing.assert_allclose(points[:, 0, :2], coco[:, [11, 12], :2].mean(1))
    np.testing.assert_array_equal(points[:, 0, 2], coco[:, [11, 12], 2].min(1))
    assert (points[:, [7, 8, 10]] == 0).all()
    smpl = np.random.default_rng(1).standard_normal((2, 24, 3))
    out = h36m_from_smpl(smpl, np.full((2, 3), 7.0), np.full((2, 3), 9.0))
    same = {"spine": "spine2", "thorax": "neck"}
    for row, name in enumerate(H36M17_NAMES):
        if name not in ("pelvis", "nose", "head"):
            np.testing.assert_array_equal(out[:, row], smpl[:, SMPL_JOINT_NAMES.index(same.get(name, name))])
    np.testing.assert_allclose(out[:, 0], smpl[:, [1, 2]].mean(1))
    assert (out[:, 9] == 7).all() and (out[:, 10] == 9).all()
