"""What silhouettes tell of cloth between the legs."""

import numpy as np
import pytest

from hvr_nb.surface.unexplained import STATIONS, MaskView, _gaps, hem_of_skirt


def view(gaps, cloth=()):
    """One frame with ``gaps`` (station, width, filled) and the stations whose pixels are cloth."""
    seen = np.stack([np.full(len(STATIONS), 10), np.isin(STATIONS.round(1), np.round(cloth, 1)) * 10], 1)
    return MaskView(np.zeros((1, 1)), 0.5, np.array(gaps, float).reshape(-1, 3), seen)


def legs(filled):
    """Two legs in a picture of 20 x 30, 6 pixels apart; the mask holds the gap in the upper rows only."""
    side = np.full((20, 30), -1)
    side[:, 6:12], side[:, 18:24] = 1, 2
    station = np.where(side > 0, np.linspace(0, 2, 20)[:, None], np.nan)
    inside = (side > 0) | ((np.arange(20) < filled)[:, None] & (side < 0))
    return side, station, inside


def test_gaps_between_legs_are_covered_where_the_mask_fills_them():
    gaps = _gaps(*legs(filled=8), 0.01)
    assert len(gaps) == 20
    np.testing.assert_allclose(gaps[:, 1], 0.06)
    np.testing.assert_array_equal(gaps[:, 2], [1] * 8 + [0] * 12)
    np.testing.assert_allclose(gaps[:, 0], np.linspace(0, 2, 20))


def test_what_lies_beside_a_leg_or_between_a_leg_and_a_hand_is_no_gap():
    side, station, inside = legs(filled=20)
    side[side == 2] = 0  # no leg, but a hand beside the thigh
    assert not len(_gaps(side, station, inside, 0.01))


@pytest.mark.parametrize("labels", [True, False])
def test_a_skirt_covers_all_gaps_above_its_hem(labels):
    hem = 0.8
    frames = [view([(s, 0.02, float(s <= hem)) for s in STATIONS[3:]], STATIONS[STATIONS <= hem + 1e-9])] * 3
    assert hem_of_skirt(frames, labels=labels) == pytest.approx(hem)


def test_a_long_skirt_ends_at_the_ankles():
    frames = [view([(s, 0.02, 1.0) for s in STATIONS[3:]], STATIONS)] * 3
    assert hem_of_skirt(frames, labels=True) == pytest.approx(2)


def test_trousers_shorts_and_closed_legs_are_no_skirt():
    trousers = [view([(s, 0.02 * s, float(s < 0.4)) for s in STATIONS[2:]], STATIONS)] * 3
    assert hem_of_skirt(trousers, labels=True) is None
    assert hem_of_skirt(trousers, labels=False) is None, "the seat alone spans both legs"
    shorts = [view([(s, 0.02 * s, float(s < 0.4)) for s in STATIONS[2:]], STATIONS[:9])] * 3
    assert hem_of_skirt(shorts, labels=True) is None
    assert hem_of_skirt([view([])] * 3, labels=True) is None
    bare = [view([(s, 0.02, 1.0) for s in STATIONS[2:]])] * 3
    assert hem_of_skirt(bare, labels=True) is None, "nothing is worn there"


def test_wide_gaps_count_for_more_than_narrow_ones():
    hem = STATIONS[:9]
    mostly = [
        view([(0.7, 0.05, 1.0), (0.8, 0.05, 1.0)], hem),
        view([(0.7, 0.01, 0.0), (0.8, 0.01, 0.0)], hem),
    ]
    assert hem_of_skirt(mostly, labels=True) == pytest.approx(0.8)
    hardly = [
        view([(0.7, 0.01, 1.0), (0.8, 0.01, 1.0)], hem),
        view([(0.7, 0.05, 0.0), (0.8, 0.05, 0.0)], hem),
    ]
    assert hem_of_skirt(hardly, labels=True) is None
