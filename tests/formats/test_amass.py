"""AMASS-style motions: round trip, resampling, placing, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model
from hvr_nb.body.worlds import rest_pelvis
from hvr_nb.formats.motion.amass import place_motion, read_motion, write_motion
from hvr_nb.formats.motion.up import _found
from hvr_nb.geometry.camera import default_camera, orbit
from hvr_nb.types import Body, HvrError


@pytest.fixture
def body():
    rng, n = np.random.default_rng(0), 11
    turn = np.linspace(0, 1.0, n)[:, None] * [0.0, 1.0, 0.0]
    return Body(
        betas=rng.standard_normal(10),
        global_orient=turn,
        body_pose=0.3 * rng.standard_normal((n, 69)),
        transl=np.linspace([0, 0.9, 0], [1, 0.9, 2], n),
        camera=default_camera(64, 64),
        valid=np.ones(n, bool),
    )


def test_round_trip_is_exact(body, tmp_path):
    again = read_motion(write_motion(body, tmp_path / "m.npz", fps=30))
    for name in ("betas", "global_orient", "body_pose", "transl"):
        np.testing.assert_allclose(getattr(again, name), getattr(body, name), atol=1e-12)


def test_resampling_follows_time(body, tmp_path):
    path = write_motion(body, tmp_path / "m.npz", fps=10)
    twice, third = read_motion(path, fps=20), read_motion(path, fps=5)
    assert (len(twice), len(third)) == (21, 6)
    np.testing.assert_allclose(twice.global_orient[1], [0, 0.05, 0], atol=1e-9)
    np.testing.assert_allclose(twice.transl[::2], body.transl, atol=1e-9)
    np.testing.assert_allclose(third.body_pose, body.body_pose[::2], atol=1e-9)


def test_smplh_hands_are_dropped_and_z_up_is_turned(tmp_path):
    poses = np.zeros((3, 156))
    poses[:, 3:66], poses[:, 66:] = 0.1, 9.0
    poses[:, :3] = Rotation.from_euler("x", 90, degrees=True).as_rotvec()  # a person upright in Z up
    np.savez(tmp_path / "h.npz", poses=poses, trans=[[0, 0, 1.0]] * 3, betas=np.ones(16))
    body = read_motion(tmp_path / "h.npz", up="z")
    assert np.all(body.body_pose[:, :63] == 0.1) and np.all(body.body_pose[:, 63:] == 0)
    np.testing.assert_allclose(body.global_orient, 0, atol=1e-9)
    pelvis = rest_pelvis(load_body_model(), body.betas)
    turned = Rotation.from_euler("x", -90, degrees=True).apply(pelvis + [0, 0, 1.0])  # the pelvis, a metre up
    np.testing.assert_allclose(body.transl + pelvis, [turned] * 3, atol=1e-9)
    assert body.betas.shape == (10,)


@pytest.mark.parametrize("angle", [0.0, 1.0])
def test_placed_motion_faces_the_camera_where_the_other_stood(body, angle):
    camera = orbit(body.camera, np.array([0, 0, -4.0]), angle)
    like = replace(body, transl=body.transl + [0, 0, -4], camera=camera)
    motion = replace(body, global_orient=body.global_orient + [0, 2.0, 0])
    placed = place_motion(motion, like)
    np.testing.assert_allclose(placed.transl[0], like.transl[0], atol=1e-12)
    facing = Rotation.from_rotvec(placed.global_orient[0]).apply([0, 0, 1.0])
    np.testing.assert_allclose(facing, -like.camera.R[2], atol=1e-9)
    steps = [np.linalg.norm(np.diff(b.transl, axis=0), axis=1) for b in (placed, motion)]
    np.testing.assert_allclose(*steps)
    assert np.array_equal(placed.betas, like.betas)


@pytest.mark.parametrize(
    "arrays",
    [
        {"poses": np.zeros((4, 72))},
        {"poses": np.zeros((4, 70)), "trans": np.zeros((4, 3))},
        {"poses": np.zeros((4, 72)), "trans": np.zeros((3, 3))},
        {"poses": np.full((4, 72), np.nan), "trans": np.zeros((4, 3))},
        {"poses": np.zeros((0, 72)), "trans": np.zeros((0, 3))},
        {"poses": np.zeros((4, 72)), "trans": np.zeros((4, 3)), "mocap_framerate": -1.0},
        {"poses": np.array([{"a": 1}], object), "trans": np.zeros((1, 3))},
    ],
)
def test_what_is_no_motion_is_refused(arrays, tmp_path):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(HvrError, match="bad.npz"):
        read_motion(tmp_path / "bad.npz")


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(HvrError, match="missing"):
        read_motion(tmp_path / "none.npz")
    (tmp_path / "junk.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(HvrError, match="junk.npz"):
        read_motion(tmp_path / "junk.npz")


@pytest.mark.parametrize("axis, step", [("x", 0.1), ("-y", -0.2), ("z", 0.3), ("-z", -0.3), ("y", 0.1)])
def test_up_is_the_way_from_the_ankles_to_the_neck(axis, step):
    joints = np.zeros((4, 24, 3))
    joints[:, 12, "xyz".index(axis[-1])] = step
    joints[:, 7, 1], joints[:, 8, 1] = 0.02, -0.02
    assert _found(joints) == axis
    joints[::2] *= -1  # head over heels in every other frame
    assert _found(joints) == "y"
