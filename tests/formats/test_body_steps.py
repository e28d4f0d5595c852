"""Steps of importing bodies of other systems: lenses, order, layouts, distances."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from golden import Golden
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model
from hvr_nb.formats.bodies import motions, people, read
from hvr_nb.geometry.camera import default_camera, project
from hvr_nb.types import Body, HvrError, Keypoints

GOLDEN = Golden(__file__)


def waves(*shape, step=0.7) -> np.ndarray:
    """Numbers between -1 and 1 that look random and never change."""
    return np.sin(step * np.arange(np.prod(shape)) ** 1.3).reshape(shape)


def a_body(count=5) -> Body:
    return Body(
        np.zeros(10),
        0.2 * waves(count, 3),
        0.1 * waves(count, 69),
        waves(count, 3) - [0, 0, 4],
        default_camera(64, 48),
        np.ones(count, bool),
    )


def found_person(**camera) -> people.FoundPerson:
    return people.FoundPerson(np.arange(2), np.zeros((2, 72)), np.zeros((2, 3)), np.zeros(10), **camera)


@pytest.mark.parametrize(
    "camera, expected",
    [
        ({"focal": 500.0}, (500, 40, 30)),
        ({"focal": 500.0, "size": (160, 120)}, (250, 40, 30)),
        ({"focal": 500.0, "height": 120, "centre": (90.0, 50.0)}, (125 * 2, 45, 25)),
        ({"focal": 500.0, "centre": (90.0, 50.0)}, (500, 90, 50)),
        ({"focal_share": 2.0}, (160, 40, 30)),
        ({"focal_share": 2.0, "diagonal": True}, (200, 40, 30)),
    ],
)
def test_lenses_of_other_systems(camera, expected):
    K = found_person(**camera).lens((80, 60))
    np.testing.assert_allclose(K, [[expected[0], 0, expected[1]], [0, expected[0], expected[2]], [0, 0, 1]])


def test_lenses_that_cannot_be():
    for camera in ({}, {"focal": -3.0}, {"focal": np.nan}, {"focal": 5.0, "centre": (np.inf, 1.0)}):
        with pytest.raises(HvrError, match="make no camera"):
            found_person(**camera).lens((80, 60))


def test_people_of_other_systems_are_put_in_order():
    turns = Rotation.from_rotvec(waves(3 * 24, 3)).as_matrix().reshape(3, 24, 3, 3)
    found = people.person([7, 5, 7], 2 * turns, np.arange(9.0), [[1.0, 5], [3, 6], [2, 9]])
    assert found.frames.tolist() == [5, 7] and found.transl.tolist() == [[3, 4, 5], [0, 1, 2]]
    np.testing.assert_allclose(
        found.poses.reshape(2, 24, 3), waves(3 * 24, 3).reshape(3, 24, 3)[[1, 0]], atol=1e-9
    )
    assert found.betas.tolist() == [2, 6] + [0] * 8
    found = people.person([0], np.ones((1, 66)), np.zeros(3), np.arange(12.0))
    assert found.poses[0].tolist() == [1] * 66 + [0] * 6 and found.betas.tolist() == list(range(10))
    assert (people.person([0], np.ones((1, 156)), np.zeros(3), np.zeros(10)).poses[0, 66:] == 0).all()
    assert (people.person([0], np.ones((1, 24, 3)), np.zeros(3), np.zeros(10)).poses == 1).all()


@pytest.mark.parametrize(
    "frames_, poses, transl, betas, words",
    [
        ([0], np.ones((1, 65)), np.zeros(3), np.zeros(10), "poses of 65 values"),
        ([0, 1], np.ones((1, 66)), np.zeros(3), np.zeros(10), "1 poses, 1 translations and 2 frame numbers"),
        ([0], np.ones((1, 66)), np.zeros(6), np.zeros(10), "1 poses, 2 translations and 1 frame"),
        ([], np.ones((0, 66)), np.zeros(0), np.zeros(10), "0 poses"),
        ([0], np.ones((1, 66)), np.full(3, np.nan), np.zeros(10), "not finite"),
        ([0], np.ones((1, 66)), np.zeros(3), np.full(10, np.inf), "not finite"),
    ],
)
def test_people_that_do_not_belong_together(frames_, poses, transl, betas, words):
    with pytest.raises(ValueError, match=words):
        people.person(frames_, poses, transl, betas)


def test_the_longest_motion_of_another_system(monkeypatch):
    monkeypatch.setattr(people, "LONGEST", 2)
    people.person([0, 1], np.ones((2, 66)), np.zeros(6), np.zeros(10))
    with pytest.raises(ValueError, match="3 poses"):
        people.person([0, 1, 2], np.ones((3, 66)), np.zeros(9), np.zeros(10))


@pytest.mark.parametrize("width, kind", [(66, "smpl"), (72, "smpl"), (156, "smpl"), (165, "smplx")])
def test_archives_by_their_width(width, kind):
    content = {"poses": np.zeros((2, width)), "trans": np.zeros((2, 3))}
    assert motions.is_amass(content) and not motions.is_amass({"poses": 1}) and not motions.is_amass([1])
    name, (one,) = motions.read_amass(content, {})
    assert (name, one.kind, one.axes) == ("AMASS", kind, "world")
    assert motions.read_amass(content | {"surface_model_type": "smplx"}, {})[1][0].kind == "smplx"
    with pytest.raises(ValueError, match="poses of 67 values"):
        motions.read_amass({"poses": np.zeros((2, 67)), "trans": np.zeros((2, 3))}, {})


@pytest.mark.parametrize("version, kind", [(0, "smpl"), (1, "smpl"), (2, "smplx"), (3, None), (-1, None)])
def test_versions_of_smpl_files(version, kind):
    content = {"bodyPose": np.zeros((2, 22, 3)), "frameCount": 2, "smplVersion": version}
    assert motions.is_smpl_codec(content) and not motions.is_smpl_codec({"bodyPose": 1})
    if kind is None:
        with pytest.raises(ValueError, match="which is neither SMPL, SMPL-H nor SMPL-X"):
            motions.read_smpl_codec(content, {})
    else:
        assert motions.read_smpl_codec(content, {})[1][0].kind == kind


def test_a_shift_onto_joints_of_the_picture():
    camera = default_camera(200, 160, focal=180.0)
    joints = 0.3 * waves(3, 12, 3)
    true = np.array([[0.1, -0.2, 3.0], [0.2, 0.1, 4.0], [0.0, 0.0, 5.0]])
    at = joints + true[:, None]
    points = np.concatenate([at[..., :2] / at[..., 2:] * 180 + [100, 80], np.ones((3, 12, 1))], 2)
    points[1, 5:, 2] = 0.1  # five joints are too few: between its neighbours
    points[0, 6:, 2] = 0.1
    shift, miss = read._shift(joints, points, camera)
    np.testing.assert_allclose(shift, [true[0], (true[0] + true[2]) / 2, true[2]], atol=1e-9)
    assert miss == pytest.approx(0, abs=1e-9)
    points[2, :, 0] += 9 * waves(12)
    GOLDEN.check("shift", read._shift(joints, points, camera)[0], abs=1e-7)
    GOLDEN.check("miss of a shift", [read._shift(joints, points, camera)[1]], abs=1e-9)
    shift, miss = read._shift(joints, points * [1, 1, 0.1], camera)
    assert np.isnan(shift).all() and miss == np.inf
    behind = joints * [1, 1, 20]  # some of it lies behind the camera
    assert read._shift(behind, points, camera)[1] == np.inf


def test_the_distance_of_a_body_from_joints_of_the_picture(monkeypatch):
    model, camera = load_body_model(), default_camera(200, 160)
    body = replace(a_body(3), camera=camera, valid=np.array([True, True, False]))
    drawn = project(read.posed(model, body)[1][:, read._SMPL], camera)
    points = np.zeros((3, 25, 3))
    points[:, read._BODY25, :2], points[:, read._BODY25, 2] = drawn + [3, 0], 0.11
    points[0, 12] = 900, 900, 0.1
    points[2, :, :2] += 50
    keypoints = Keypoints(points, np.zeros((3, 25), bool), np.ones(3, bool), np.zeros((3, 4)))
    heights = [np.ptp(drawn[0, 1:, 1]), np.ptp(drawn[1, :, 1])]
    assert read._off(body, keypoints, model) == pytest.approx(3 / np.median(heights), rel=1e-6)
    keypoints.found[:] = False
    assert read._off(body, keypoints, model) == np.inf
    for off, refused in ((0.499, False), (0.5, True), (np.nan, True)):
        monkeypatch.setattr(read, "_off", lambda *args, off=off: off)
        if refused:
            with pytest.raises(HvrError, match="nobody in it is where the clip's person is"):
                read._checked(body, "x", keypoints, model, Path("a.pkl"))
        else:
            found = read._checked(body, "x", keypoints, model, Path("a.pkl"))
            assert (
                repr(found) == "ImportedBody(x: 2 frames, 49.9 % off)"
                and found.by(refined=True) == "x, refined here"
            )
