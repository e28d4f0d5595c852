"""The skeleton in numpy against the torch forward pass, its derivatives against differences."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hvr_nb.body.kinematics import (
    ancestors,
    joint_slopes,
    pose_body,
    pose_rig,
    rig_of,
    turn_joints,
    turn_slopes,
    turn_slopes_along,
)
from hvr_nb.body.model import load_body_model
from hvr_nb.geometry.camera import default_camera
from hvr_nb.types import Body


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def rig(model):
    return rig_of(model)


def some_turns(count=2, seed=0, size=0.6):
    rotvec = size * np.random.default_rng(seed).standard_normal((count, 24, 3))
    return rotvec, matrices(rotvec)


def matrices(rotvec):
    return Rotation.from_rotvec(np.reshape(rotvec, (-1, 3))).as_matrix().reshape(-1, 24, 3, 3)


def test_joints_are_those_of_the_forward_pass(model, rig):
    rotvec, turns = some_turns()
    rng = np.random.default_rng(1)
    betas, transl = rng.standard_normal(10), rng.standard_normal((2, 3))
    posed = pose_rig(rig, turns, transl, betas)
    single = [torch.as_tensor(a, dtype=torch.float32) for a in (betas, rotvec.reshape(2, 72), transl)]
    np.testing.assert_allclose(posed.joints, model.pose(*single)[1], atol=2e-5)
    np.testing.assert_allclose(posed.turned[:, 4], turns[:, 0] @ turns[:, 1] @ turns[:, 4], atol=1e-12)
    body = Body(
        betas, rotvec[:, 0], rotvec[:, 1:].reshape(2, 69), transl, default_camera(4, 4), np.ones(2, bool)
    )
    np.testing.assert_allclose(pose_body(rig, body).joints, posed.joints, atol=1e-12)


def test_derivatives_of_joints_are_their_differences(rig):
    rng = np.random.default_rng(0)
    _, turns = some_turns()
    betas, h = rng.standard_normal(10), 1e-6
    turn, shape = h * rng.standard_normal((2, 72)), h * rng.standard_normal(10)
    before = pose_rig(rig, turns, np.zeros((2, 3)), betas)
    moved = pose_rig(rig, turns @ matrices(turn), np.zeros((2, 3)), betas)
    expected = np.einsum("npcd,nd->npc", joint_slopes(rig, before), turn)
    np.testing.assert_allclose(moved.joints - before.joints, expected, atol=1e-10)
    grown = pose_rig(rig, turns, np.zeros((2, 3)), betas + shape)
    np.testing.assert_allclose(grown.joints - before.joints, before.d_betas @ shape, atol=1e-12)


def test_slopes_of_skinned_points_are_their_differences(rig):
    """Points held by two joints each, as vertices are; also along one direction each."""
    rng = np.random.default_rng(2)
    _, turns = some_turns(1)
    mass = np.zeros((3, 24))
    mass[0, [4, 7]], mass[1, [18, 20]], mass[2, 15] = (0.25, 0.75), 0.5, 1
    offsets, step = rng.standard_normal((3, 24, 3)), 1e-6 * rng.standard_normal((1, 72))

    def parts(pose):
        turned = np.einsum("njab,pjb->npja", pose.turned, offsets)
        return mass[None, :, :, None] * (pose.joints[:, None] + turned)

    before = pose_rig(rig, turns, np.ones((1, 3)), np.zeros(10))
    after = pose_rig(rig, turns @ matrices(step), np.ones((1, 3)), np.zeros(10))
    slopes = turn_slopes(rig, before, parts(before), mass)
    moved = (parts(after) - parts(before)).sum(2)
    np.testing.assert_allclose(moved, np.einsum("npcd,nd->npc", slopes, step), atol=1e-10)
    direction = rng.standard_normal((3, 3))
    along = turn_slopes_along(rig, before, parts(before)[0], mass, direction)
    np.testing.assert_allclose(along, np.einsum("pcd,pc->pd", slopes[0], direction), atol=1e-12)


def test_stature_is_the_height_of_the_head_over_the_ankles(rig):
    betas, h = np.linspace(-1, 1, 10), 1e-6
    size, slope = rig.size(betas)
    rest = rig.rest(betas)
    tall = rest[15, 1] - rest[[7, 8], 1].mean()
    assert size == pytest.approx(tall / (rig.joints[15, 1] - rig.joints[[7, 8], 1].mean()))
    assert rig.size(np.zeros(10))[0] == 1.0
    for k in range(10):
        grown = rig.size(betas + h * np.eye(10)[k])[0]
        assert (grown - size) / h == pytest.approx(slope[k], abs=1e-7)


def test_every_joint_is_below_its_ancestors():
    assert ancestors((-1, 0, 1, 1, 0)).tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 0, 0, 0, 1],
    ]


def test_a_turn_about_a_world_axis_turns_what_is_below(model, rig):
    rotvec, turns = some_turns(1)
    turn = np.zeros((1, 24, 3))
    turn[0, 16] = (0.1, -0.2, 0.3)  # the left shoulder
    poses, transl = turn_joints(
        rotvec.reshape(1, 72), np.ones((1, 3)), turn, np.full((1, 3), 0.5), model.parents
    )
    np.testing.assert_array_equal(transl, 1.5)
    before = pose_rig(rig, turns, np.ones((1, 3)), np.zeros(10))
    after = pose_rig(rig, matrices(poses), np.ones((1, 3)), np.zeros(10))
    arm = [16, 18, 20, 22]
    still = np.setdiff1d(np.arange(24), arm)
    np.testing.assert_allclose(after.joints[:, still], before.joints[:, still], atol=1e-12)
    lever = before.joints[0, arm] - before.joints[0, 16]
    turned = Rotation.from_rotvec(turn[0, 16]).apply(lever) + before.joints[0, 16]
    np.testing.assert_allclose(after.joints[0, arm], turned, atol=1e-12)
    turn[0, 16], turn[0, 0] = 0, (0, 0.4, 0)  # the root turns all
    poses, _ = turn_joints(rotvec.reshape(1, 72), np.ones((1, 3)), turn, np.zeros((1, 3)), model.parents)
    root = Rotation.from_rotvec([0, 0.4, 0]) * Rotation.from_rotvec(rotvec[0, 0])
    np.testing.assert_allclose(Rotation.from_rotvec(poses[0, :3]).as_matrix(), root.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(matrices(poses)[0, 1:], turns[0, 1:], atol=1e-12)
