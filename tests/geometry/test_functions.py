"""Small functions of many callers."""

import numpy as np
import pytest

from hvr_nb.geometry.functions import geman_mcclure, robust_weight, smoothstep, spread_indices


def test_indices_are_spread_over_all_with_both_ends():
    assert spread_indices(100, 5).tolist() == [0, 24, 49, 74, 99]
    assert spread_indices(3, 8).tolist() == [0, 1, 2]
    assert spread_indices(5, 1).tolist() == [0]
    assert spread_indices(0, 4).tolist() == []


@pytest.mark.parametrize("count", [2, 16, 61, 1000])
def test_no_index_comes_twice(count):
    for wanted in (2, 7, 60):
        chosen = spread_indices(count, wanted)
        assert len(set(chosen.tolist())) == min(count, wanted)
        assert np.ptp(np.diff(chosen)) <= 1 and (chosen[0], chosen[-1]) == (0, count - 1)


def test_a_smooth_step_is_the_cubic_between_its_ends():
    x = np.array([-9.0, 2, 2.5, 3, 3.5, 4, 9])
    np.testing.assert_allclose(smoothstep(x, 2, 4), [0, 0, 0.15625, 0.5, 0.84375, 1, 1])


def test_the_robust_cost_is_capped_and_its_derivative_is_the_weight():
    e = np.array([0.0, 0.5, 1, 9, 1e9])
    cost, weight = geman_mcclure(e, 3.0)
    np.testing.assert_allclose(cost, [0, 0.5 * 9 / 9.5, 0.9, 4.5, 9], rtol=1e-7)
    slope = (geman_mcclure(e + 1e-6, 3.0)[0] - geman_mcclure(e - 1e-6, 3.0)[0]) / 2e-6
    np.testing.assert_allclose(slope, weight, atol=1e-7)
    np.testing.assert_allclose(robust_weight(np.array([0.0, 2, -4]), 2.0), [1, 0.25, 0.04])
