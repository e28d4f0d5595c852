"""2D joints to skeletons: clips of all kinds, gaps, mirrors, speeds and mistakes."""

import numpy as np
import pytest
import torch
from scenes import FPS, FRAMES, film

from hvr_nb.body.joint_sets import COCO_MIRROR, H36M17_NAMES, H36M17_PARENTS, H36M_MIRROR
from hvr_nb.drawing.skeletons import bones
from hvr_nb.lift import lift_keypoints, to_world
from hvr_nb.lift.network import Lifter
from hvr_nb.lift.stmo import Stmo
from hvr_nb.lift.temporal import TemporalModel
from hvr_nb.lift.view import look_straight
from hvr_nb.metrics.images import mpjpe
from hvr_nb.types import HvrError


@pytest.fixture(scope="module")
def walk():
    return film()


def test_layouts_belong_together():
    assert len(H36M17_NAMES) == len(H36M17_PARENTS) == 17
    for mirror, names in ((H36M_MIRROR, H36M17_NAMES),):
        assert [mirror[j] for j in mirror] == list(range(17))
        for j, name in enumerate(names):
            other = name.replace("left", "#").replace("right", "left").replace("#", "right")
            assert names[mirror[j]] == other
    assert [COCO_MIRROR[j] for j in COCO_MIRROR] == list(range(17))
    assert {child for _, child in bones(H36M17_NAMES)} == set(range(1, 17))


@pytest.mark.parametrize("size", [(640, 480), (480, 853)])
def test_a_walk_is_lifted(size):
    points, true, camera = film(*size)
    lifted = lift_keypoints(points, fps=FPS, camera=camera)
    assert lifted.joints.shape == (FRAMES, 17, 3) and lifted.joints.dtype == np.float32
    assert lifted.valid.all() and lifted.confidence == pytest.approx(1.0)
    assert np.all(lifted.joints[:, 0] == 0)
    error, constant = mpjpe(lifted.joints, true), mpjpe(np.broadcast_to(true.mean(0), true.shape), true)
    assert error < 70 and error < 0.5 * constant
    world = to_world(lifted, camera)
    assert world.names == H36M17_NAMES and (world.points[:, 10, 1] > world.points[:, 3, 1] + 1).all()  # Y up


def test_without_a_camera(walk):
    points, true, _ = walk
    assert mpjpe(lift_keypoints(points, fps=FPS).joints, true) < 90


def test_same_in_same_out_and_body25_too(walk):
    points, _, camera = walk
    first, second = (lift_keypoints(points, fps=FPS, camera=camera).joints for _ in range(2))
    assert np.array_equal(first, second)
    body25 = np.zeros((FRAMES, 25, 3))
    body25[:, (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)] = points
    assert np.array_equal(lift_keypoints(body25, fps=FPS, camera=camera).joints, first)
    assert np.array_equal(lift_keypoints(points[..., :2], fps=FPS, camera=camera).joints, first)


def test_the_mirrored_person_is_lifted_to_the_mirror_image(walk):
    points, _, camera = walk
    mirrored = points[:, COCO_MIRROR] * [-1, 1, 1] + [camera.width, 0, 0]
    ours, theirs = (lift_keypoints(p, fps=FPS, camera=camera).joints for p in (points, mirrored))
    assert np.abs(theirs - ours[:, H36M_MIRROR] * [-1, 1, 1]).max() < 2e-3
    plain = lift_keypoints(points, fps=FPS, camera=camera, flip=False).joints
    assert 0 < np.abs(plain - ours).max() < 0.3


@pytest.mark.parametrize("joints", [(7, 9), (8, 10), (13, 15), (14, 16), (0, 1, 2, 3, 4)])
def test_half_a_second_without_a_limb(walk, joints):
    points, true, camera = walk
    whole = mpjpe(lift_keypoints(points, fps=FPS, camera=camera).joints, true)
    hurt = points.copy()
    hurt[20:35, joints, 2] = 0
    hurt[20:35, joints, :2] = 1e6  # what is written there does not matter
    lifted = lift_keypoints(hurt, fps=FPS, camera=camera)
    assert lifted.valid.all() and mpjpe(lifted.joints, true) < 1.5 * whole
    hurt[20:35, joints] = np.nan
    assert np.array_equal(lift_keypoints(hurt, fps=FPS, camera=camera).joints, lifted.joints)


def test_gaps_are_flagged_and_bridged(walk):
    points, true, camera = walk
    hurt = points.copy()
    hurt[10:40] = np.nan
    lifted = lift_keypoints(hurt, fps=FPS, camera=camera)
    assert np.isfinite(lifted.joints).all() and (lifted.confidence[10:40] == 0).all()
    expected = np.ones(FRAMES, bool)
    expected[18:32] = False  # a quarter of a second from what is seen
    assert np.array_equal(lifted.valid, expected)


@pytest.mark.parametrize("frames", [1, 2, 5, 26])
@pytest.mark.parametrize("fps", [5.0, 30.0, 240.0])
def test_short_clips_at_all_rates(walk, frames, fps):
    points, true, camera = walk
    lifted = lift_keypoints(points[:frames], fps=fps, camera=camera)
    assert lifted.joints.shape == (frames, 17, 3) and np.isfinite(lifted.joints).all()
    assert mpjpe(lifted.joints, true[:frames]) < 130


def test_somebody_lost_for_long_is_no_trouble(walk):
    points, _, camera = walk
    long = np.full((600, 17, 3), np.nan)
    long[:60] = points
    for known in (camera, None):
        lifted = lift_keypoints(long, fps=FPS, camera=known)
        assert np.isfinite(lifted.joints).all() and lifted.valid.sum() == 60 + round(0.25 * FPS)


def test_mistakes_are_named(walk):
    points, _, camera = walk
    for wrong in (points[0], points[:, :16], points[..., :1], np.zeros((0, 5, 3))):
        with pytest.raises(HvrError, match=r"\(T, 17, 3\)"):
            lift_keypoints(wrong, fps=FPS)
    for fps in (0.0, -1.0, np.nan):
        with pytest.raises(HvrError, match="fps"):
            lift_keypoints(points, fps=fps)
    for empty in (points * [1, 1, 0], points * np.nan, points[:0]):
        with pytest.raises(HvrError, match="no person"):
            lift_keypoints(empty, fps=FPS, camera=camera)
    with pytest.raises(HvrError, match="nowhere.bin is missing"):
        lift_keypoints(points, fps=FPS, camera=camera, weights="nowhere.bin")


def test_a_thousand_frames_go_through_the_network_once(walk, monkeypatch):
    """And mirrored once more; not window by window, which would take minutes."""
    points, _, camera = walk
    seen, forward = [], Lifter.forward
    counted = lambda self, x: seen.append(x.shape[:2].numel()) or forward(self, x)  # noqa: E731
    monkeypatch.setattr(Lifter, "forward", counted)
    lift_keypoints(np.tile(points, (17, 1, 1))[:1000], fps=FPS, camera=camera)
    assert len(seen) == 2 and max(seen) <= 1001


def test_what_the_lifter_sees_does_not_depend_on_the_place_in_the_picture(walk):
    points, _, camera = walk
    rays = torch.from_numpy((points[..., :2] - [320, 240]) / camera.K[0, 0]).float()[None]
    conf = torch.ones(rays.shape[:3])
    x, R = look_straight(rays, conf, 30.0)
    assert torch.allclose(R @ R.transpose(2, 3), torch.eye(3).expand_as(R), atol=1e-5)
    assert torch.allclose(torch.linalg.det(R), torch.ones(R.shape[:2]), atol=1e-5)
    c, s = np.cos(0.3), np.sin(0.3)
    aside = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ torch.tensor(
        [[c, 0, -s], [0, 1, 0], [s, 0, c]], dtype=torch.float32
    )
    y, _ = look_straight(aside[..., :2] / aside[..., 2:], conf, 30.0)
    assert (x - y).abs().max() < 0.05
    assert torch.allclose(x[:, :, 17, 1], torch.full((1, FRAMES), float(np.log(2))))


@pytest.mark.parametrize("kind", ["temporal", "stmo"])
def test_published_networks_run_on_the_screen(tmp_path, walk, kind):
    torch.manual_seed(0)
    if kind == "temporal":
        path, model = tmp_path / "detectron_coco.bin", TemporalModel(widths=(3, 3), channels=8).eval()
        torch.save({"model_pos": model.state_dict()}, path)
    else:
        path, model = (
            tmp_path / "in_the_wild.pth",
            Stmo(9, 1, channels=16, hidden=16, strides=(1, 3, 3)).eval(),
        )
        torch.save({"module." + k: v for k, v in model.state_dict().items()}, path)
    points, _, camera = walk
    points = points.copy()
    points[5, 3] = np.nan
    with pytest.raises(HvrError, match="give the camera"):
        lift_keypoints(points, fps=FPS, weights=path)
    out = lift_keypoints(points, fps=FPS, camera=camera, weights=path, flip=False)
    assert out.joints.shape == (FRAMES, 17, 3) and out.source == path.name and np.isfinite(out.joints).all()
    x = torch.from_numpy((points[20:29, :, :2] - [320, 240]) / 320).float()[None]
    with torch.inference_mode():
        y = (
            model(x)[0, 0]
            if kind == "temporal"
            else model(x.permute(0, 3, 1, 2)[..., None])[0][0, :, 0, :, 0].T
        )
    assert np.allclose(out.joints[24], (y - y[:1]).numpy(), atol=1e-5)
    assert not np.allclose(out.joints, lift_keypoints(points, fps=FPS, camera=camera, weights=path).joints)
