"""Small functions of many callers."""

import numpy as np
import pytest

from hvr_nb.geometry.functions import spread_indices


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
