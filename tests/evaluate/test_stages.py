"""Figures against synthetic truth: exact for exact results, right for known errors."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hvr_nb.body.joint_sets import H36M17_NAMES
from hvr_nb.body.model import load_body_model
from hvr_nb.evaluate.stages import (
    at_frames,
    body_quality,
    find_truth,
    frame_quality,
    keep_truth,
    keypoint_quality,
    lift_gain,
    limb_quality,
    mask_quality,
    novel_view_quality,
)
from hvr_nb.render.pictures import Pictures
from hvr_nb.store.clip import Clip
from hvr_nb.store.video import read_video
from hvr_nb.subject import write_synthetic
from hvr_nb.types import SMPL_JOINT_NAMES, HvrError, Joints3D, Keypoints, Masks


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A clip of every second frame of a small synthetic video, and its truth."""
    root = tmp_path_factory.mktemp("evaluate")
    folder = write_synthetic(root / "s", outfit="trousers", frames=6, size=96, hidden_views=2, hidden_every=2)
    video = read_video(folder / "video.mp4", stride=2)
    source = {**video.info, "path": str(folder / "video.mp4")}
    clip = Clip.create(
        root / "clip", video.frames, fps=video.fps, names=video.names, times=video.times, source=source
    )
    assert find_truth(clip) is None, "a path outside the clip is not followed"
    assert keep_truth(clip, folder / "video.mp4")
    return clip, find_truth(clip)


def test_truth_is_found_at_the_clips_frames(made, tmp_path):
    clip, truth = made
    assert len(truth.body) == 3 and truth.alpha.shape == (3, 96, 96)
    assert list(truth.hidden[0].frame_indices) == [0, 1, 2]
    smaller = read_video(clip.info["source"]["path"], max_side=64)
    other = Clip.create(
        tmp_path / "c",
        smaller.frames,
        fps=1,
        names=smaller.names,
        times=smaller.times,
        source=clip.info["source"],
    )
    keep_truth(other, other.info["source"]["path"])
    assert find_truth(other) is None, "pixels of another size do not compare"
    real = Clip.create(
        tmp_path / "d",
        smaller.frames,
        fps=1,
        names=smaller.names,
        times=smaller.times,
        source={"path": str(tmp_path / "me.mp4"), "sha256": "5"},
    )
    assert not keep_truth(real, tmp_path / "me.mp4") and find_truth(real) is None
    shutil.copy(clip.folder / "truth.npz", real.folder)
    assert find_truth(real) is None, "the truth of another film"


def test_a_file_that_is_no_truth_is_not_replaced(made, tmp_path):
    clip = SimpleNamespace(folder=tmp_path)
    (tmp_path / "truth.npz").write_bytes(b"mine")
    with pytest.raises(HvrError, match="truth.npz is damaged"):
        keep_truth(clip, made[0].info["source"]["path"])
    assert (tmp_path / "truth.npz").read_bytes() == b"mine"


def test_limbs_off_by_a_known_distance(made):
    _, truth = made
    names = SMPL_JOINT_NAMES[::-1]
    joints = Joints3D(truth.joints[:, ::-1] + [1.0, 2.0, 3.0], np.ones(len(truth.joints), bool), names)
    assert limb_quality(joints, truth, prefix="lift_") == pytest.approx(
        {"lift_mpjpe_mm": 0, "lift_pampjpe_mm": 0}, abs=1e-3
    )
    wrist = joints.points.copy()
    wrist[:, names.index("left_wrist"), 2] += 0.12
    wrist[2] = np.nan  # a frame without the person does not count
    moved = Joints3D(wrist, np.array([True, True, False]), names)
    assert limb_quality(moved, truth)["mpjpe_mm"] == pytest.approx(10.0, abs=1e-3)  # 120 mm of one in twelve


def test_what_a_lifted_skeleton_brings(made):
    clip, truth = made
    landmarks = np.dstack([truth.points25, np.ones(truth.points25.shape[:2])])
    found = np.ones(len(landmarks), bool)
    keypoints = Keypoints(landmarks, np.zeros((len(found), 25), bool), found, np.zeros((len(found), 4)))
    stand_in = SimpleNamespace(
        keypoints=keypoints,
        masks=Masks(truth.alpha),
        camera=truth.body.camera,
        fps=clip.fps,
        times=clip.times,
    )
    model = load_body_model()
    of = [0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 15, 16, 18, 20, 17, 19, 21]
    lifted = Joints3D(truth.joints[:, of], found, H36M17_NAMES)
    gain = lift_gain(stand_in, lifted, model, truth=truth, frames=2)
    assert sorted(gain) == sorted(
        f"{a}_{b}"
        for a in ("plain", "lifted")
        for b in ("iou_mean", "reprojection_percent", "mpjpe_mm", "pampjpe_mm")
    )
    assert gain["lifted_pampjpe_mm"] < gain["plain_pampjpe_mm"] and 0.4 < gain["plain_iou_mean"] < 1
    assert "plain_mpjpe_mm" not in lift_gain(stand_in, lifted, model, frames=1)
    nobody = replace(keypoints, points=0 * landmarks)
    assert lift_gain(SimpleNamespace(**{**vars(stand_in), "keypoints": nobody}), lifted, model) == {}
    assert len(at_frames(keypoints, slice(1, 3)).points) == 2


def test_keypoints_off_by_a_known_distance(made):
    _, truth = made
    count = len(truth.points25)
    points = np.concatenate([truth.points25 + [3.0, 4.0], np.ones((count, 25, 1))], -1)
    found = np.array([True, True, False])
    points[2] = 0  # a frame without the person does not count as an error
    keypoints = Keypoints(points, np.zeros((count, 25), bool), found, np.zeros((count, 4)))
    row = keypoint_quality(keypoints, truth)
    assert row["keypoint_px"] == pytest.approx(5.0)
    height = np.ptp(truth.points25[:2, :, 1], axis=1)
    assert row["keypoint_pct"] == pytest.approx(np.mean(500 / height))
    assert row["found_pct"] == pytest.approx(200 / 3)


def test_true_masks_and_body_are_perfect(made):
    clip, truth = made
    model = load_body_model()
    assert mask_quality(Masks(alpha=truth.alpha), truth) == {"mask_iou": 1.0, "mask_iou_min": 1.0}
    half = truth.alpha.copy()
    half[0] = 0
    assert mask_quality(Masks(alpha=half), truth)["mask_iou"] == pytest.approx(2 / 3)
    exact = body_quality(truth.body, truth, model)
    assert exact["mpjpe_mm"] < 0.01 and exact["pampjpe_mm"] < 0.01
    moved = replace(truth.body, transl=truth.body.transl + [0.1, 0, 0])
    assert body_quality(moved, truth, model)["mpjpe_mm"] < 0.01, "MPJPE is pelvis aligned"
    turned = replace(truth.body, global_orient=truth.body.global_orient + [0.0, 0.2, 0.0])
    row = body_quality(turned, truth, model)
    assert row["mpjpe_mm"] > 10 > 0.01 > row["pampjpe_mm"]


def test_frames_against_themselves(made):
    clip, truth = made
    masks = Masks(alpha=truth.alpha)
    black = (clip.frames * (truth.alpha[..., None] / 255.0)).astype(np.uint8)
    same = Pictures(black, truth.alpha, np.zeros(truth.alpha.shape, np.uint16))
    row = frame_quality(same, clip.frames, masks, np.array([0, 2]))
    assert row["psnr_body"] == np.inf and row["render_iou"] == 1.0 and row["ssim"] == pytest.approx(1.0)
    off = replace(same, rgb=np.where(truth.alpha[..., None] > 127, np.clip(black, 0, 245) + 10, black))
    reference = replace(same, rgb=np.clip(black, 0, 245))
    row = frame_quality(
        off, reference.rgb, Masks(alpha=np.where(truth.alpha > 127, 255, 0).astype(np.uint8)), np.array([1])
    )
    assert row["psnr_body"] == pytest.approx(20 * np.log10(25.5), abs=1e-6)
    assert row["psnr"] > row["psnr_box"] > row["psnr_body"], "the whole picture flatters"


def test_lpips_stands_beside_the_others_where_its_weights_are(made, vgg_places, made_up_vgg):
    clip, truth = made
    black = (clip.frames * (truth.alpha[..., None] / 255.0)).astype(np.uint8)
    pictures = Pictures(black // 2, truth.alpha, np.zeros(truth.alpha.shape, np.uint16))
    arguments = pictures, clip.frames, Masks(alpha=truth.alpha), np.array([1])
    assert "lpips" not in frame_quality(*arguments)
    torch.save(made_up_vgg, vgg_places[0])
    row = frame_quality(*arguments)
    assert row["lpips"] > 0 and row["published_lpips"] > 0 and row["lpips"] != row["published_lpips"]


def test_unseen_views_do_not_depend_on_what_a_camera_cannot_know(made):
    """A body scaled away from the camera, or in a turned world, is compared as if it were not."""
    _, truth = made
    model = load_body_model()
    cameras = []

    def render(camera, pose, frame=None):
        cameras.append(camera)
        return SimpleNamespace(rgb=np.zeros((96, 96, 3), np.float32))

    avatar = SimpleNamespace(render=render)
    row, pairs = novel_view_quality(avatar, truth.body, truth, model, limit=1)
    assert len(pairs) == 2 and set(row) >= {"novel_body_psnr", "novel_psnr", "novel_ssim"}
    hidden = truth.hidden[0].camera
    assert np.allclose(cameras[0].R, hidden.R, atol=1e-5) and np.allclose(cameras[0].t, hidden.t, atol=1e-4)
    turn = Rotation.from_rotvec([0, 0.7, 0])
    turned = replace(
        truth.body, global_orient=(turn * Rotation.from_rotvec(truth.body.global_orient)).as_rotvec()
    )
    cameras.clear()
    novel_view_quality(avatar, turned, truth, model, limit=1)
    assert np.allclose(cameras[0].R, hidden.R @ turn.as_matrix().T, atol=1e-4)
