"""The video of frames beside 3D skeletons: its rate, its length, what is in it."""

import numpy as np
import pytest

from hvr_nb.body.joint_sets import H36M17_NAMES
from hvr_nb.drawing import pictures
from hvr_nb.export.pose_video import _Stage, pose_pictures, write_pose_video
from hvr_nb.store.video import read_video
from hvr_nb.types import HvrError, Joints3D, Keypoints

STANDING = np.array([(0, 0.9, 0), (-0.1, 0.9, 0), (-0.1, 0.5, 0), (-0.1, 0.07, 0), (0.1, 0.9, 0),
                     (0.1, 0.5, 0), (0.1, 0.07, 0), (0, 1.15, 0), (0, 1.4, 0), (0, 1.5, 0.1), (0, 1.7, 0),
                     (0.2, 1.4, 0), (0.25, 1.1, 0), (0.25, 0.9, 0), (-0.2, 1.4, 0), (-0.25, 1.1, 0),
                     (-0.25, 0.9, 0)])  # fmt: skip


def scene(frames=7, x=0.0):
    points = np.full((frames, 25, 3), 0.9)
    points[..., :2] = np.random.default_rng(0).uniform(10, 50, (25, 2))
    every = np.ones(frames, bool)
    keypoints = Keypoints(points, np.zeros((frames, 25), bool), every, np.zeros((frames, 4)))
    joints = (
        np.repeat(STANDING[None], frames, 0)
        + np.linspace(0, 0.5, frames)[:, None, None] * [1, 0, 0]
        + [x, 0, -4]
    )
    return np.full((frames, 80, 60, 3), 90, np.uint8), keypoints, Joints3D(joints, every.copy(), H36M17_NAMES)


def has(picture: np.ndarray, colour) -> int:
    """Pixels near a colour."""
    return int((np.abs(picture.astype(int) - colour).max(2) < 40).sum())


def test_the_video_has_the_frames_and_the_rate_of_the_source(tmp_path):
    frames, keypoints, joints = scene()
    path = write_pose_video(tmp_path / "pose.mp4", frames, keypoints, joints, fps=23.976, height=160)
    video = read_video(path)
    assert len(video.frames) == 7 and video.fps == pytest.approx(23.976, abs=1e-3)
    assert video.frames.shape[1:3] == (160, 120 + 144)
    for picture in video.frames:
        left, right = picture[:, :120], picture[:, 120:]
        assert np.median(left) < 110 and np.median(right) > 240
        for colour in (pictures.LEFT, pictures.RIGHT):
            assert has(left, colour) > 20 and has(right, colour) > 20


def test_the_view_turns_and_the_floor_stays():
    frames, keypoints, joints = scene(60)
    turned = list(pose_pictures(frames, keypoints, joints, fps=30, height=160))
    still = list(pose_pictures(frames, keypoints, joints, fps=30, height=160, turn=0.0))
    np.testing.assert_array_equal(turned[0], still[0])
    assert (turned[40][:, 120:] != still[40][:, 120:]).any(2).sum() > 200
    np.testing.assert_array_equal(turned[40][:, :120], still[40][:, :120])
    stage = _Stage([joints], fps=30, height=160)
    assert stage.floor == 0.0 and stage.reach < 0.9
    lifted = Joints3D(joints.points + [0, 2.0, 0], joints.valid, joints.names)
    assert _Stage([lifted], fps=30, height=160).floor == pytest.approx(2.07, abs=0.01)


def test_several_people_and_frames_without_them():
    frames, keypoints, first = scene(5)
    _, _, second = scene(5, x=1.0)
    second.valid[2:] = False
    first.valid[3] = False
    second.points[2:] = np.nan
    shown = [
        picture[:, 120:]
        for picture in pose_pictures(frames, [keypoints, keypoints], [first, second], fps=30, height=160)
    ]
    blue = [has(picture, pictures.LEFT) for picture in shown]
    assert blue[0] > 1.5 * blue[2] > 0 and blue[3] == 0 and blue[4] > 0
    assert has(shown[3], (200, 40, 40)) > 20 and has(shown[4], (200, 40, 40)) == 0  # "not observed"


def test_bad_input_is_named(tmp_path):
    frames, keypoints, joints = scene()
    with pytest.raises(HvrError, match=r"different lengths \(\[6, 7\]\)"):
        write_pose_video(tmp_path / "x.mp4", frames[:6], keypoints, joints, fps=30)
    joints.valid[:] = False
    with pytest.raises(HvrError, match="no 3D pose in any frame"):
        write_pose_video(tmp_path / "x.mp4", frames, keypoints, joints, fps=30)
    assert not list(tmp_path.iterdir())
