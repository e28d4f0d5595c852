"""Pieces of scripts/train/lifter/, on two seconds of made-up motion."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hvr_nb.body.joint_sets import (  # noqa: E402
    COCO_MIRROR,
    H36M17_PARENTS,  # noqa: E402
    H36M_MIRROR,
)
from hvr_nb.lift.checkpoints import save_lifter  # noqa: E402
from hvr_nb.lift.network import Lifter  # noqa: E402
from hvr_nb.types import HvrError  # noqa: E402
from scripts.train.lifter import bank, cameras, detector, judge, learn, people  # noqa: E402


@pytest.fixture(scope="module")
def motions(tmp_path_factory):
    folder, time = tmp_path_factory.mktemp("motions"), np.arange(120)[:, None] / 60
    for k in range(3):
        rng = np.random.default_rng(k)
        poses = rng.normal(0, 0.15, 72) * np.sin(2 * np.pi * time * rng.uniform(0.3, 1, 72))
        poses[:, 1] = k + time[:, 0]
        np.savez(folder / f"{k:02d}_01.npz", poses=poses, trans=np.zeros((120, 3)), mocap_framerate=60.0)
    return bank.motion_files(folder)


@pytest.fixture(scope="module")
def held(motions):
    return bank.load_bank(motions)


def small():
    return Lifter(channels=48, dilations=(3,), context=8)


def test_the_bank_holds_motions_and_their_mirror_images(motions, held, tmp_path):
    assert [bank.subject_of(path) for path in motions] == ["00", "01", "02"]
    assert len(held.names) == 6 and held.starts.tolist() == [0, 120, 240, 360, 480, 600]
    plain, other = held.turns[:120], held.turns[120:240]
    flip = np.diag([-1.0, 1.0, 1.0])
    assert np.allclose(other, flip @ plain[:, bank.MIRROR] @ flip, atol=1e-5)
    with pytest.raises(HvrError, match="no motion"):
        bank.motion_files(tmp_path)


def test_people_have_steady_bones_and_symmetric_limbs(held):
    for natural in (True, False):
        crowd = people.draw_people(held, np.random.default_rng(0), 6, 20, natural=natural)
        assert crowd.joints.shape == crowd.seen.shape == (6, 20, 17, 3)
        bones = (crowd.joints - crowd.joints[:, :, list(H36M17_PARENTS)])[:, :, 1:].norm(dim=-1)
        legs_and_arms = [1, 2, 4, 5, 11, 12, 14, 15]
        assert bones[:, :, legs_and_arms].std(1).max() < 0.005
        left, right = bones[:, :, [4, 5, 11, 12]].mean(1), bones[:, :, [1, 2, 14, 15]].mean(1)
        assert (left - right).abs().max() < 0.02
        assert 1.2 < float((bones[:, 0, [1, 2, 6, 7]]).sum(1).mean()) < 1.7
    assert [H36M_MIRROR[j] for j in H36M_MIRROR] == list(range(17))


def test_cameras_are_level_in_front_and_do_not_mirror(held):
    rng = np.random.default_rng(1)
    crowd = people.draw_people(held, rng, 40, 4, natural=True)
    views = cameras.film(crowd, rng)
    world = crowd.joints - crowd.joints[:, :, :1]
    camera = views.joints - views.joints[:, :, :1]
    R = torch.linalg.lstsq(world.flatten(1, 2), camera.flatten(1, 2)).solution.transpose(1, 2)
    assert torch.allclose(torch.linalg.det(R), torch.ones(40), atol=1e-3)
    assert torch.allclose(R @ R.transpose(1, 2), torch.eye(3).expand(40, 3, 3), atol=1e-3)
    assert (R[:, 1, 1] < -0.4).all()  # up in the world is up in the picture
    assert (views.joints[..., 2].mean((1, 2)) > 1).all()
    assert views.inside.float().mean() > 0.7


def test_a_detector_errs_as_told(held):
    rng = np.random.default_rng(2)
    crowd = people.draw_people(held, rng, 60, 30)
    views = cameras.film(crowd, rng)
    pixels, conf = detector.spoil(views, crowd.pace, np.random.default_rng(0), occlusions=0.0, swaps=0.0)
    error = (pixels - views.pixels).norm(dim=-1) / views.height
    known = conf > 0
    assert known.float().mean() > 0.6 and not (known & ~views.inside).any()
    assert 0.004 < float(error[known].median()) < 0.02
    sure, unsure = error[known & (conf > 0.8) & (conf < 1)].mean(), error[known & (conf < 0.4)].mean()
    assert unsure > 1.5 * sure
    _, fewer = detector.spoil(views, crowd.pace, np.random.default_rng(0), occlusions=3.0, swaps=0.0)
    assert (fewer > 0).float().mean() < known.float().mean() - 0.05


def test_exchanged_sides(held):
    rng = np.random.default_rng(3)
    crowd = people.draw_people(held, rng, 20, 30)
    views = cameras.film(crowd, rng)
    views = replace(views, inside=torch.ones_like(views.inside))
    plain, _ = detector.spoil(views, crowd.pace, np.random.default_rng(4), occlusions=0.0, swaps=0.0)
    swapped, _ = detector.spoil(views, crowd.pace, np.random.default_rng(4), occlusions=0.0, swaps=1.0)
    moved = (plain != swapped).any(-1)
    assert 0.01 < moved[..., 5:].float().mean() < 0.5
    assert torch.equal(swapped[moved], plain[:, :, list(COCO_MIRROR)][moved])


def test_batches_repeat_and_training_lowers_the_loss(motions, held):
    one, two = (learn.draw_batch(held, (0, 5), 4, 20) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert one[0].shape == (4, 20, 18, 3) and one[1].shape == (4, 20, 17, 3)
    assert not torch.equal(one[0], learn.draw_batch(held, (0, 6), 4, 20)[0])
    torch.manual_seed(0)
    _, losses = learn.train(small(), motions, steps=40, frames=192, rate=1e-2, workers=0, half=False)
    assert len(losses) == 40 and np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])


def test_batches_are_used_as_often_as_asked_and_far_apart():
    used = list(learn.replayed(iter(range(60)), 3, 0, store=20))
    assert sorted(used) == [k for k in range(60) for _ in range(3)]
    assert np.mean([np.diff(np.flatnonzero(np.array(used) == k)).mean() for k in range(60)]) > 10
    assert list(learn.replayed(iter(range(5)), 1, 0)) == [*range(5)]


def test_error_counts_place_speed_and_bones():
    truth = torch.randn(1, 6, 17, 3, generator=torch.Generator().manual_seed(0))
    assert learn.error(truth, truth) == 0
    assert float(learn.error(truth + torch.tensor([0.3, 0, 0.4]), truth)) == pytest.approx(0.5, abs=1e-5)


def test_judging_is_done_in_pixels_and_metres(held, tmp_path):
    path = save_lifter(tmp_path / "lifter.npz", small())
    takes = judge.draw_takes(held, seed=0, count=3, frames=12, clean=True)
    take = takes[0]
    assert take.points.shape == (12, 17, 3) and (take.points[..., 2] == 1).all()
    figures = judge.judge(takes, weights=path)
    assert set(figures) == {"mpjpe", "pa_mpjpe", "mean_pose"}
    assert figures["pa_mpjpe"] < figures["mpjpe"] and 50 < figures["mean_pose"] < 500
    rows = judge.judge(
        takes, weights=path, change=lambda p, fps: p * [1, 1, 0.5], rows=lambda fps: slice(2, 4)
    )
    assert np.isfinite(list(rows.values())).all()
