"""Rotations, chains and blending against scipy, finite differences and their own inverses."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hvr_nb.body.skinning import (
    axis_angle_to_matrix,
    big_pose_rotations,
    blend_transforms,
    forward_kinematics,
    invert_transforms,
    rest_relative,
    transform_points,
)

PARENTS = (-1, 0, 0, 1, 2, 3)
J = len(PARENTS)


def chain(batch=3, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    pose = torch.randn(batch, J, 3, generator=g, dtype=dtype)
    joints = torch.randn(J, 3, generator=g, dtype=dtype)
    world, placed = forward_kinematics(axis_angle_to_matrix(pose), joints, PARENTS)
    return pose, joints, world, placed


@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-5, 9.9e-5, 1.01e-4, 1e-3, 0.1, 1.0, math.pi, 6.0, 20.0])
def test_rodrigues_is_scipys(size):
    axes = np.random.default_rng(0).normal(size=(50, 3))
    rotvec = size * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    want = Rotation.from_rotvec(rotvec).as_matrix()
    np.testing.assert_allclose(axis_angle_to_matrix(torch.tensor(rotvec)), want, atol=1e-12)
    single = axis_angle_to_matrix(torch.tensor(rotvec, dtype=torch.float32))
    np.testing.assert_allclose(single, want, atol=3e-6 if size > 4 else 4e-7)


@pytest.mark.parametrize("size", [0.0, 1e-6, 1e-3, 0.5, 3.0])
def test_rodrigues_has_the_right_gradient_everywhere(size):
    """Zero pose included, where the naive formula divides zero by zero."""
    g = torch.Generator().manual_seed(1)
    rotvec = torch.nn.functional.normalize(torch.randn(4, 3, generator=g, dtype=torch.float64), dim=1) * size
    rotvec.requires_grad_(True)
    assert torch.autograd.gradcheck(axis_angle_to_matrix, rotvec, eps=1e-7, atol=1e-5)


def test_the_gradient_at_zero_is_the_cross_product():
    rotvec = torch.zeros(3, requires_grad=True)
    rows = torch.autograd.functional.jacobian(axis_angle_to_matrix, rotvec)
    for axis in range(3):
        np.testing.assert_allclose(
            rows[..., axis] @ torch.eye(3), np.cross(np.eye(3)[axis], np.eye(3)).T, atol=0
        )


def test_single_precision_gradients_are_smooth_at_small_angles():
    for size in (2e-4, 1e-3, 1e-2):
        got = torch.autograd.functional.jacobian(axis_angle_to_matrix, torch.tensor([size, -size, size / 2]))
        want = torch.autograd.functional.jacobian(
            axis_angle_to_matrix, torch.tensor([size, -size, size / 2], dtype=torch.float64)
        )
        np.testing.assert_allclose(got, want, atol=2e-6)


def test_a_chain_turns_as_its_links_do():
    """Two links of length one: the elbow at a right angle to a shoulder at a right angle."""
    joints = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    pose = torch.zeros(1, 3, 3)
    pose[0, 0, 2] = pose[0, 1, 2] = math.pi / 2
    world, placed = forward_kinematics(axis_angle_to_matrix(pose), joints, (-1, 0, 1))
    np.testing.assert_allclose(placed[0], [[0, 0, 0], [0, 1, 0], [-1, 1, 0]], atol=1e-6)
    np.testing.assert_allclose(world[0, 1] @ torch.tensor([1.0, 0, 0]), [-1, 0, 0], atol=1e-6)


def test_forward_kinematics_is_the_product_of_4x4_matrices():
    pose, joints, world, placed = chain()
    for b in range(3):
        made = []
        for j, parent in enumerate(PARENTS):
            local = np.eye(4)
            local[:3, :3] = Rotation.from_rotvec(pose[b, j]).as_matrix()
            local[:3, 3] = joints[j] - (joints[parent] if parent >= 0 else 0)
            made.append(made[parent] @ local if parent >= 0 else local)
        np.testing.assert_allclose(placed[b], [m[:3, 3] for m in made], atol=1e-12)
        np.testing.assert_allclose(world[b], [m[:3, :3] for m in made], atol=1e-12)


def test_joints_may_differ_over_the_batch():
    pose, joints, _, placed = chain()
    many = torch.stack([joints, 2 * joints, joints])
    _, moved = forward_kinematics(axis_angle_to_matrix(pose), many, PARENTS)
    np.testing.assert_allclose(moved[0], placed[0])
    np.testing.assert_allclose(moved[1], 2 * placed[1])
    A = rest_relative(forward_kinematics(axis_angle_to_matrix(pose), many, PARENTS)[0], moved, many)
    np.testing.assert_allclose(transform_points(A[1], many[1]), moved[1], atol=1e-12)


def test_rest_relative_carries_joints_to_their_places():
    _, joints, world, placed = chain()
    A = rest_relative(world, placed, joints)
    np.testing.assert_allclose(transform_points(A, joints.expand(3, J, 3)), placed, atol=1e-12)
    still = axis_angle_to_matrix(torch.zeros(1, J, 3, dtype=torch.float64))
    A = rest_relative(*forward_kinematics(still, joints, PARENTS), joints)
    np.testing.assert_allclose(A[0], np.eye(3, 4)[None].repeat(J, 0), atol=1e-15)


def test_the_whole_chain_is_differentiable():
    _, joints, _, _ = chain()
    weights = torch.softmax(
        torch.randn(5, J, generator=torch.Generator().manual_seed(2), dtype=torch.float64), 1
    )
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def skin(pose, joints):
        A = rest_relative(*forward_kinematics(axis_angle_to_matrix(pose), joints, PARENTS), joints)
        return transform_points(blend_transforms(A, weights), points)

    pose = torch.zeros(1, J, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(skin, (pose, joints.requires_grad_(True)), atol=1e-6)


def test_blending_with_and_without_a_batch():
    _, joints, world, placed = chain()
    A = rest_relative(world, placed, joints)
    pick = torch.eye(J, dtype=torch.float64)[[2, 0]]
    np.testing.assert_array_equal(blend_transforms(A, pick), A[:, [2, 0]])
    np.testing.assert_array_equal(blend_transforms(A[1], pick), A[1, [2, 0]])
    halves = torch.zeros(1, J, dtype=torch.float64)
    halves[0, [1, 4]] = 0.5
    np.testing.assert_allclose(blend_transforms(A, halves)[:, 0], (A[:, 1] + A[:, 4]) / 2, atol=1e-15)


def test_invert_undoes_any_affine():
    m = torch.randn(40, 7, 3, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    back = invert_transforms(m)
    np.testing.assert_allclose(back[..., :3], np.linalg.inv(m[..., :3]), rtol=1e-9)
    points = torch.randn(40, 7, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    np.testing.assert_allclose(transform_points(back, transform_points(m, points)), points, atol=1e-10)


def test_skinning_there_and_back():
    """Points skinned to a pose and through the inverted blend return, in single precision too."""
    _, joints, world, placed = chain(dtype=torch.float32)
    g = torch.Generator().manual_seed(6)
    weights = torch.softmax(3 * torch.randn(200, J, generator=g), 1)
    points = torch.randn(3, 200, 3, generator=g)
    T = blend_transforms(rest_relative(world, placed, joints), weights)
    keep = torch.linalg.det(T[..., :3]) > 0.1
    back = transform_points(invert_transforms(T), transform_points(T, points))
    np.testing.assert_allclose(back[keep], points[keep], atol=2e-4)
    assert keep.float().mean() > 0.8


def test_the_big_pose_spreads_the_legs_by_thirty_degrees():
    R = big_pose_rotations()
    assert R.shape == (1, 24, 3, 3)
    down = torch.tensor([0.0, -1, 0])
    np.testing.assert_allclose(R[0, 1] @ down, [0.5, -math.sqrt(3) / 2, 0], atol=1e-6)  # left leg to +x
    np.testing.assert_allclose(R[0, 2] @ down, [-0.5, -math.sqrt(3) / 2, 0], atol=1e-6)
    others = [j for j in range(24) if j not in (1, 2)]
    np.testing.assert_array_equal(R[0, others], np.eye(3)[None].repeat(22, 0))
