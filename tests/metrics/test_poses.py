"""Metrics of 3D poses over time: numbers of the published functions, and cases worked out by hand."""

import numpy as np
import pytest

from hvr_nb.body.joint_sets import H36M17_NAMES, H36M17_PARENTS, h36m_points
from hvr_nb.metrics.images import mpjpe, pa_mpjpe
from hvr_nb.metrics.poses import bone_length_spread, bone_lengths, coverage, foot_skate, mpjve, n_mpjpe
from hvr_nb.types import HvrError

_I = np.arange(4 * 17 * 3, dtype=float)
TRUTH = np.sin(0.13 * _I).reshape(4, 17, 3)
PRED = (np.sin(0.13 * _I + 0.2) + 0.1 * np.cos(0.31 * _I)).reshape(4, 17, 3)


def test_the_numbers_of_the_published_functions():
    """Their values for these arrays (docs/perception.md, 11), in millimetres here."""
    assert mpjpe(PRED, TRUTH, root=None) == pytest.approx(241.4128485, abs=1e-6)
    assert pa_mpjpe(PRED, TRUTH) == pytest.approx(232.8863777, abs=1e-6)
    assert n_mpjpe(PRED, TRUTH, root=None) == pytest.approx(239.9352273, abs=1e-6)
    assert mpjve(PRED, TRUTH, root=None) == pytest.approx(234.4209112, abs=1e-6)


def test_n_mpjpe_ignores_scale_and_place_mpjve_a_still_offset():
    scale = np.array([0.5, 2.0, 3.0, 1.0])[:, None, None]
    assert n_mpjpe(scale * TRUTH, TRUTH) == pytest.approx(0.0, abs=1e-9)
    assert n_mpjpe(scale * TRUTH + 1.0, TRUTH) == pytest.approx(0.0, abs=1e-9)
    assert n_mpjpe(np.zeros_like(TRUTH), TRUTH, root=None) == pytest.approx(
        mpjpe(0 * TRUTH, TRUTH, root=None)
    )
    assert mpjve(TRUTH + [1, 2, 3], TRUTH, root=None) == pytest.approx(0.0, abs=1e-9)
    moving = TRUTH + 0.01 * np.arange(4)[:, None, None] * [1, 0, 0]
    assert mpjve(moving, TRUTH, root=None) == pytest.approx(10.0)
    assert mpjve(moving, TRUTH) == pytest.approx(0.0, abs=1e-9)  # all of it is the root's
    assert mpjve(TRUTH[:1], TRUTH[:1]) == 0.0


def test_bone_lengths_and_their_spread_over_time():
    joints = np.zeros((2, 3, 3))
    joints[:, 1, 0], joints[0, 2, 0], joints[1, 2, 0] = 1.0, 1.4, 1.6
    np.testing.assert_allclose(bone_lengths(joints, (-1, 0, 1)), [[0, 1, 0.4], [0, 1, 0.6]])
    assert bone_length_spread(joints, (-1, 0, 1)) == pytest.approx((0 + 20.0) / 2)
    gap = np.concatenate([joints, np.full((1, 3, 3), np.nan)])
    assert bone_length_spread(gap, (-1, 0, 1)) == pytest.approx(10.0)
    assert np.isnan(bone_length_spread(gap[2:], (-1, 0, 1)))


def test_foot_skate_counts_only_standing_feet_and_only_along_the_floor():
    joints = np.zeros((4, 2, 3))
    joints[:, 0, 0] = [0.0, 0.01, 0.03, 0.5]  # slides 10 and 20 mm, then is lifted
    joints[:, 0, 1] = [0.0, 0.05, 0.05, 0.3]  # up and down is no sliding
    joints[:, 1, 2] = [0.0, 0.3, 0.6, 0.9]  # never stands
    contacts = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], bool)
    assert foot_skate(joints, contacts, (0, 1)) == pytest.approx(15.0)
    tilted = foot_skate(joints, contacts, (0, 1), up=(2.0, 0, 0))
    assert tilted == pytest.approx(25.0)  # 50 mm and 0
    assert foot_skate(joints, np.zeros((4, 2), bool), (0, 1)) == 0.0


def test_coverage_and_bad_input():
    assert coverage(np.array([True, True, False, True])) == 75.0
    assert coverage(np.zeros(0, bool)) == 0.0
    for function in (n_mpjpe, mpjve):
        with pytest.raises(HvrError, match=r"\(T, J, 3\)"):
            function(TRUTH, TRUTH[:2])


def test_points_of_the_same_places_in_both_orders():
    coco = np.random.default_rng(0).uniform(1, 100, (5, 17, 3))
    points = h36m_points(coco)
    names = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
             "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
             "right_knee", "left_ankle", "right_ankle")  # fmt: skip
    for i, name in enumerate(H36M17_NAMES):
        if name in names:
            np.testing.assert_array_equal(points[:, i], coco[:, names.index(name)])
    np.testing.assert_allclose(points[:, 0, :2], coco[:, 11:13, :2].mean(1))
    assert (points[:, [7, 8, 10]] == 0).all()
    assert [H36M17_NAMES[p] if p >= 0 else "" for p in H36M17_PARENTS][1:4] == [
        "pelvis",
        "right_hip",
        "right_knee",
    ]
