"""Bodies of other data sets: other axes, other parameters, the shape of another model."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body.kinematics import pose_body, rig_of
from hvr_nb.body.model import load_body_model
from hvr_nb.body.worlds import (
    from_standard,
    on_model,
    rest_pelvis,
    shape_from_height,
    shape_from_joints,
    to_standard,
    turned,
    turned_camera,
    upright_turn,
)
from hvr_nb.geometry.camera import default_camera, look_at, project
from hvr_nb.types import Body


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def body(model):
    rng = np.random.default_rng(0)
    camera = look_at(np.array([0.3, 0.2, 4.0]), np.zeros(3), default_camera(64, 48))
    turns = [0.3 * rng.standard_normal((2, n)) for n in (3, 69)]
    return Body(
        rng.standard_normal(10), *turns, rng.standard_normal((2, 3)), camera, np.ones(2, bool), model.hash
    )


def test_a_turned_world_gives_the_same_pictures(model, body):
    rig, turn = rig_of(model), Rotation.from_rotvec([0.4, -0.7, 0.2]).as_matrix()
    other = turned(body, turn, rest_pelvis(model, body.betas))
    before, after = pose_body(rig, body).joints, pose_body(rig, other).joints
    np.testing.assert_allclose(after, before @ turn.T, atol=1e-6)
    np.testing.assert_allclose(project(after, other.camera), project(before, body.camera), atol=1e-3)
    np.testing.assert_allclose(turned_camera(body.camera, turn).R, body.camera.R @ turn.T)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1, 1])
def test_people_of_any_world_are_turned_upright(axis, sign):
    """The neck is up from the ankles, also for who leans; other joints have no say."""
    joints = np.random.default_rng(0).standard_normal((3, 24, 3))
    up = 0.3 * np.ones(3)
    up[axis] = sign
    joints[:, 7], joints[:, 8] = joints[:, 12] - up + [0.2, 0, 0], joints[:, 12] - up - [0.2, 0, 0]
    turn = upright_turn(joints)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1) and (turn @ (sign * np.eye(3)[axis])).tolist() == [0, 1, 0]


def test_up_is_measured_from_the_middle_of_both_ankles():
    joints = np.zeros((1, 24, 3))
    joints[0, 12] = (0, 1.0, 0)
    joints[0, 7], joints[0, 8] = (3.0, 0, 0), (-3.0, 0, 0)  # the splits
    np.testing.assert_array_equal(upright_turn(joints), np.eye(3))


def test_the_shape_is_found_from_joints_and_from_height(model):
    rig, betas = rig_of(model), np.linspace(1, -1, 10)
    found = shape_from_joints(model, rig.rest(betas) + [3.0, -2, 1])
    np.testing.assert_allclose(
        rig.rest(found) - rig.rest(found)[0], rig.rest(betas) - rig.rest(betas)[0], atol=1e-3
    )
    np.testing.assert_allclose(shape_from_joints(model, rig.joints), 0, atol=1e-6)
    y = model.v_template[:, 1]
    top, bottom = int(y.argmax()), int(y.argmin())
    for height in (1.5, 1.9):
        found = shape_from_height(model, height)
        vertices = model.shaped(model.v_template.new_tensor(found))[0]
        assert float(vertices[top, 1] - vertices[bottom, 1]) == pytest.approx(height, abs=1e-5)
    slope = (model.shapedirs[top, 1] - model.shapedirs[bottom, 1]).double().numpy()
    np.testing.assert_allclose(
        np.cross(found[:3], slope[:3]), 0, atol=1e-9
    )  # the smallest betas are along it


def test_another_shape_keeps_the_pelvis_where_it_was(model, body):
    betas = np.linspace(-1, 1, 10)
    other = on_model(body, model, betas, rest_pelvis(model, body.betas))
    rig = rig_of(model)
    np.testing.assert_allclose(
        pose_body(rig, other).joints[:, 0], pose_body(rig, body).joints[:, 0], atol=1e-6
    )
    assert other.model_hash == model.hash and other.betas is betas
    np.testing.assert_allclose(rest_pelvis(model, betas), rig.rest(betas)[0], atol=1e-6)


def test_easymocap_turns_about_the_origin():
    """R_h (v) + T_h there is R (v - pelvis) + pelvis + transl here."""
    rng = np.random.default_rng(0)
    orient, transl, pelvis, point = (rng.standard_normal(s) for s in ((2, 3), (2, 3), 3, 3))
    Rh, Th = from_standard(orient, transl, pelvis)
    turn = Rotation.from_rotvec(orient)
    np.testing.assert_allclose(
        Rotation.from_rotvec(Rh).apply(point) + Th, turn.apply(point - pelvis) + pelvis + transl, atol=1e-12
    )
    back = to_standard(Rh, Th, pelvis)
    np.testing.assert_allclose(back[0], orient)
    np.testing.assert_allclose(back[1], transl, atol=1e-12)
