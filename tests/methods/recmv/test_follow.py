"""The garments of one clip in another: their shape stays, poses and displacements follow the outlines."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model
from hvr_nb.evaluate.stages import synthetic_video
from hvr_nb.methods import recmv
from hvr_nb.methods.recmv.follow import ROUNDS
from hvr_nb.metrics.images import iou
from hvr_nb.store.clip import Clip
from hvr_nb.store.video import read_video
from hvr_nb.subject.take import load_truth
from hvr_nb.types import HvrError, Masks

FRAMES = 8
QUICK = recmv.Options(cell=0.02)


@pytest.fixture(scope="module")
def avatar(turning_clip):
    return recmv.reconstruct(turning_clip, QUICK)


@pytest.fixture(scope="module")
def walking(tmp_path_factory):
    """The same person walks; the arms of the fitted body are off by 0.1 radians."""
    root = tmp_path_factory.mktemp("walking")
    source = synthetic_video(root, outfit="shorts", motion="walk", frames=FRAMES, size=160, seed=1)
    truth, film = load_truth(source), read_video(source / "video.mp4")
    clip = Clip.create(
        root / "clip", film.frames, fps=film.fps, names=film.names, times=film.times, source={}
    )
    clip.save("camera", truth.body.camera)
    clip.save("masks", Masks(alpha=truth.alpha))  # no labels are needed
    poses = truth.body.body_pose.copy()
    poses[:, 3 * 15 + 2] += 0.1  # joint 16, the left shoulder
    body = replace(truth.body, body_pose=poses, model_hash=load_body_model().hash)
    clip.save("body", body)
    return clip


@pytest.fixture(scope="module")
def followed(avatar, walking, turning_clip):
    return recmv.reconstruct(walking, replace(QUICK, garments_from=str(turning_clip.folder), hold_out=4))


def overlap(avatar, clip, *, frames, own=True):
    drawn = [
        avatar.render(clip.camera, avatar.body.frame(k), frame=k if own else None).alpha > 0.5 for k in frames
    ]
    return np.mean([iou(d, clip.masks.alpha[k] > 127) for d, k in zip(drawn, frames, strict=True)])


def test_the_garments_are_kept_and_their_motion_is_fitted(followed, avatar, walking):
    assert followed.names == avatar.names and followed.curves == avatar.curves
    np.testing.assert_array_equal(followed.made.vertices, avatar.made.vertices)
    np.testing.assert_array_equal(followed.made.albedo, avatar.made.albedo)
    assert len(followed.body) == FRAMES and followed.held_out.tolist() == [3, 7]
    assert followed.history["step"] == list(range(1, ROUNDS + 1))
    before = replace(followed, body=replace(walking.body, betas=avatar.body.betas))
    taught = [0, 1, 2, 4, 5, 6]
    unmoved = overlap(before, walking, frames=taught, own=False)
    posed = overlap(followed, walking, frames=taught, own=False)
    assert overlap(followed, walking, frames=taught) > posed > unmoved + 0.005
    assert overlap(followed, walking, frames=[3, 7]) > 0.85, "a quarter of a second between two frames"


def test_it_is_the_clips_avatar(followed, walking):
    back = walking.avatar("recmv")
    assert back.fingerprint == followed.fingerprint and back.options["garments_from"]
    assert len(back.garments(back.body.frame(2), frame=2)) == len(followed.names) - 1


def test_stopped_it_says_so(avatar, walking, turning_clip):
    options = replace(QUICK, garments_from=str(turning_clip.avatar_folder("recmv")))
    with pytest.raises(HvrError, match="stopped after 2 of 4 rounds"):
        recmv.reconstruct(walking, options, progress=lambda now: now.done == 2)


def test_garments_that_do_not_fit_are_named(avatar, walking, turning_clip, tmp_path):
    with pytest.raises(HvrError, match="where no garments are"):
        recmv.reconstruct(walking, replace(QUICK, garments_from=str(tmp_path)))
    other = Clip.open(shutil.copytree(walking.folder, tmp_path / "clip"))
    other.save("body", replace(walking.body, model_hash="0" * 64))
    with pytest.raises(HvrError, match="model"):
        recmv.reconstruct(other, replace(QUICK, garments_from=str(turning_clip.folder)))
