"""Checks of the values that flow."""

import numpy as np
import pytest

from hvr_nb.types import HvrError, check_fps


@pytest.mark.parametrize("fps", [0, -30.0, float("nan"), float("inf"), True, "30", None])
def test_a_rate_is_a_positive_finite_number(fps):
    check_fps(29.97)
    check_fps(np.float32(30))
    with pytest.raises(HvrError, match="fps is .*; it must be positive"):
        check_fps(fps)


def test_a_rate_has_an_upper_limit_where_one_is_given():
    check_fps(1000, most=1000.0)
    with pytest.raises(HvrError, match="fps is 1001; it must be positive and at most 1000"):
        check_fps(1001, most=1000.0)
