"""Checks of the values that flow."""

import pytest

from hvr_nb.types import HvrError, check_fps


@pytest.mark.parametrize("fps", [0, -30.0, float("nan"), float("inf")])
def test_a_rate_is_positive_and_finite(fps):
    check_fps(29.97)
    with pytest.raises(HvrError, match="fps is"):
        check_fps(fps)
