"""Metrics: exact values, invariances and refusals."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.metrics.images import (
    acceleration,
    image_quality,
    iou,
    mpjpe,
    pa_mpjpe,
    psnr,
    published_protocol,
    ssim,
)
from hvr_nb.types import HvrError


@pytest.fixture
def picture():
    return np.random.default_rng(0).random((40, 32, 3))


def test_psnr_of_known_noise(picture):
    assert psnr(picture, picture) == float("inf")
    assert psnr(picture, picture + 0.1) == pytest.approx(20.0)
    a = np.full((8, 8, 3), 100, np.uint8)
    assert psnr(a, a + 51) == pytest.approx(20 * np.log10(5))


def test_psnr_counts_only_the_mask(picture):
    wrong, mask = picture.copy(), np.zeros((40, 32), bool)
    mask[:10] = True
    wrong[:10] += 0.1
    assert psnr(picture, wrong, mask) == pytest.approx(20.0)
    assert psnr(picture, wrong, ~mask) == float("inf")
    assert psnr(picture, wrong) == pytest.approx(20.0 + 10 * np.log10(4))


def test_ssim_does_not_depend_on_the_range_of_the_values(picture):
    assert ssim(picture, picture) == pytest.approx(1.0)
    worse = picture + 0.2 * np.random.default_rng(1).standard_normal(picture.shape)
    value = ssim(picture, worse)
    assert 0.3 < value < 0.95
    scaled = [(255 * np.clip(x, 0, 1)).round().astype(np.uint8) for x in (picture, worse)]
    assert ssim(*scaled) == pytest.approx(ssim(picture, np.clip(worse, 0, 1)), abs=5e-3)
    assert ssim(np.stack([picture] * 2), np.stack([picture, worse])) == pytest.approx((1 + value) / 2)


def test_image_quality_separates_body_from_background(picture):
    alpha = np.zeros((40, 32), np.uint8)
    alpha[10:30, 8:24] = 255
    wrong = np.where(alpha[..., None] > 0, picture + 0.1, picture)
    q = image_quality(wrong, picture, alpha)
    assert q["psnr_body"] == pytest.approx(20.0)
    assert q["psnr"] > q["psnr_box"] > q["psnr_body"]
    assert q["ssim"] > q["ssim_body"]
    assert set(q) == {"psnr", "psnr_box", "psnr_body", "ssim", "ssim_box", "ssim_body"}
    empty = image_quality(wrong, picture, np.zeros_like(alpha))
    assert np.isnan(empty["psnr_body"]) and empty["psnr"] == pytest.approx(q["psnr"])


def test_the_published_protocol_flatters_and_ignores_what_is_outside_the_box(picture):
    worse = picture + 0.2 * np.random.default_rng(1).standard_normal(picture.shape)
    found = published_protocol(worse[None], picture[None])
    assert found["published_psnr"] == pytest.approx(psnr(worse, picture))
    faint = [0.5 + 0.1 * (x - 0.5) for x in (worse, picture)]  # as skin and cloth are
    assert published_protocol(faint[0][None], faint[1][None])["published_ssim"] > ssim(*faint) + 0.05
    box = np.zeros((1, 40, 32), bool)
    box[:, :20] = True
    half = published_protocol(worse[None], picture[None], box)
    mse = ((worse - picture)[:20] ** 2).sum() / picture.size
    assert half["published_psnr"] == pytest.approx(-10 * np.log10(mse))
    as_bytes = [(255 * np.clip(x, 0, 1)).round().astype(np.uint8)[None] for x in (worse, picture)]
    floats = [x / 255.0 for x in as_bytes]
    assert published_protocol(*as_bytes) == pytest.approx(published_protocol(*floats))


def test_iou_of_half_overlapping_and_of_empty_masks():
    a, b = np.zeros((2, 4, 4), bool), np.zeros((2, 4, 4), bool)
    a[0, :2], b[0, 1:3] = True, True
    assert iou(a, b) == pytest.approx([1 / 3, 1.0])
    assert iou((a[0] * 255).astype(np.uint8), b[0].astype(float)) == pytest.approx(1 / 3)


def test_pose_errors_and_their_invariances():
    truth = np.random.default_rng(0).standard_normal((5, 24, 3))
    shifted = truth + [0.1, 0, 0]
    assert mpjpe(shifted, truth, root=None) == pytest.approx(100.0)
    assert mpjpe(shifted, truth) == pytest.approx(0.0, abs=1e-9)
    R = Rotation.from_rotvec([0.3, -0.2, 1.0]).as_matrix()
    assert pa_mpjpe(1.3 * truth @ R.T + 2.0, truth) == pytest.approx(0.0, abs=1e-9)
    assert pa_mpjpe(truth * [-1, 1, 1], truth) > 100.0  # a mirror image is not a similarity


def test_acceleration():
    t = np.arange(6.0)[:, None, None]
    assert acceleration(np.tile(0.01 * t, (1, 3, 3))) == pytest.approx(0.0, abs=1e-9)
    assert acceleration(0.5 * t**2 * np.array([0.001, 0, 0])) == pytest.approx(1.0)
    assert acceleration(np.zeros((2, 3, 3))) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: psnr(np.zeros((4, 4, 3)), np.zeros((4, 5, 3))),
        lambda: psnr(np.zeros((4, 4, 3)), np.zeros((4, 4, 3), np.uint8)),
        lambda: ssim(np.zeros((4, 4, 3)), np.zeros((4, 4, 3))),
        lambda: mpjpe(np.zeros((24, 3)), np.zeros((24, 3))),
        lambda: iou(np.zeros((4, 4), bool), np.zeros((4, 5), bool)),
        lambda: image_quality(np.zeros((8, 8, 3)), np.zeros((8, 8, 3)), np.zeros((8, 9))),
    ],
)
def test_bad_input_is_named(call):
    with pytest.raises(HvrError):
        call()
