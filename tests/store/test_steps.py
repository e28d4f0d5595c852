"""Single steps of reading films and pickles, with their limits, by hand."""

import os
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from hvr_nb.store import atomic_files, decode, memory, safe_pickle, video
from hvr_nb.store.times import frame_seconds, steady_seconds
from hvr_nb.types import HvrError

# -- films -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rate, taken",
    [
        (None, 0),
        (0, 0),
        (-25, 0),
        (0.4, 0.4),
        (Fraction(25), 25),
        (1000, 1000),
        (1000.5, 0),
        (float("nan"), 0),
    ],
)
def test_only_possible_rates_are_believed(rate, taken):
    assert decode._possible(rate) == taken


def test_a_rate_that_is_no_number_is_none():
    assert decode._possible("no rate") == 0


def test_the_length_is_the_streams_else_the_files():
    stream = SimpleNamespace(duration=300, time_base=Fraction(1, 25))
    container = SimpleNamespace(duration=7 * av.time_base)
    assert decode._seconds(container, stream) == 12
    assert decode._seconds(container, SimpleNamespace(duration=None, time_base=Fraction(1, 25))) == 7
    assert decode._seconds(container, SimpleNamespace(duration=300, time_base=None)) == 7
    nothing = SimpleNamespace(duration=None, time_base=None)
    assert decode._seconds(SimpleNamespace(duration=None), nothing) == 0
    assert decode._seconds(container, SimpleNamespace(duration=-300, time_base=Fraction(1, 25))) == 0


@pytest.mark.parametrize("ratio, aspect", [(None, 1), (Fraction(4, 3), 4 / 3), (4, 4), (0.25, 0.25)])
def test_the_shape_of_pixels(tmp_path, ratio, aspect):
    assert decode._pixel_aspect(ratio, tmp_path) == pytest.approx(aspect)


@pytest.mark.parametrize("ratio", [4.01, 0.249])
def test_pixels_more_than_four_times_as_wide_or_high_are_refused(tmp_path, ratio):
    with pytest.raises(HvrError, match="which no film has"):
        decode._pixel_aspect(ratio, tmp_path)


@pytest.mark.parametrize(
    "aspect, width", [(1.0, 20), (1.009, 20), (1.011, 20), (1.5, 30), (0.5, 10), (0.985, 20)]
)
def test_pictures_are_stretched_in_width(aspect, width):
    picture = np.random.default_rng(0).integers(0, 255, (8, 20, 3), dtype=np.uint8)
    frame = SimpleNamespace(width=20, height=8, to_ndarray=lambda **how: picture)
    found = decode._square(frame, aspect)
    assert found.shape == (8, width, 3)
    if aspect == 1.009:
        assert found is picture


def test_pictures_above_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(decode, "MAX_PIXELS", 600)
    decode.check_pixels(30, 20)
    for width, height in ((31, 20), (30, 21), (601, 1), (1, 601)):
        with pytest.raises(HvrError, match=f"{width}x{height}"):
            decode.check_pixels(width, height)
    wide = SimpleNamespace(width=40, height=20)
    with pytest.raises(HvrError, match="40x20"):
        decode._square(wide, 0.5)  # the stored picture counts too


@pytest.mark.parametrize("transfer, said", [(16, "HDR (PQ)"), (18, "HDR (HLG)"), (1, ""), (17, ""), (19, "")])
def test_hdr_is_said(transfer, said):
    info = {"warnings": []}
    decode._warn_of_hdr(SimpleNamespace(color_trc=transfer), info)
    assert len(info["warnings"]) == bool(said) and all(said in text for text in info["warnings"])


def test_the_demuxer_stops_behind_too_much_damage(monkeypatch):
    monkeypatch.setattr(decode, "_MOST_DAMAGED", 3)

    class Packet:
        def decode(self):
            raise av.error.InvalidDataError(1, "damaged")

    read = []
    packets = (read.append(k) or Packet() for k in range(10))
    info = {"dropped": 0}
    assert not list(decode._frames(SimpleNamespace(demux=lambda stream: packets), None, info))
    assert info["dropped"] == 4 and len(read) == 4


@pytest.mark.parametrize(
    "shape, largest, size",
    [
        ((40, 60), 30, (20, 30)),
        ((60, 40), 30, (30, 20)),
        ((40, 60), 60, (40, 60)),
        ((40, 60), 0, (40, 60)),
        ((1, 60), 30, (1, 30)),
    ],
)
def test_pictures_are_shrunk_to_the_largest_side(shape, largest, size):
    picture = np.full((*shape, 3), 77, np.uint8)
    found = video._shrink(picture, largest)
    assert found.shape == (*size, 3) and (found == 77).all()


def test_the_rate_is_the_nominal_one_where_times_agree_within_a_hundredth():
    assert video._rate(np.array([5.0]), 24.0) == 24
    assert video._rate(np.arange(11) / 24.2, 24.0) == 24
    assert video._rate(np.arange(11) / 24.3, 24.0) == pytest.approx(24.3)
    assert video._rate(np.arange(11) / 23.8, 24.0) == 24
    assert video._rate(np.arange(11) / 23.7, 24.0) == pytest.approx(23.7)


@pytest.mark.parametrize("times", [[0, np.nan, 2], [0, 1, 1], [0, 2, 1]])
def test_times_that_are_missing_or_run_backwards_are_made(times):
    info = {"fps": 10.0, "warnings": []}
    made = video._clean_times(np.array(times, float), range(4, 100, 3), 0.0, info)
    np.testing.assert_allclose(made, [0.4, 0.7, 1.0])
    assert info["fps"] == 10 and "10 frames per second are assumed" in info["warnings"][0]
    made = video._clean_times(np.array(times, float), range(4, 100, 3), 20.0, info)
    np.testing.assert_allclose(made, [0.2, 0.35, 0.5])
    assert info["fps"] == 20


def test_times_of_the_file_are_kept():
    info = {"fps": 10.0, "warnings": []}
    times = np.array([0.0, 0.1, 0.4])
    assert video._clean_times(times, range(3), 0.0, info) is times
    assert video._clean_times(times, range(3), 10.0, info) is times and not info["warnings"]
    assert video._clean_times(times, range(3), 9.0, info) is times
    assert "fps 9 was not used" in info["warnings"][0]


def test_seconds_of_frames():
    np.testing.assert_allclose(frame_seconds(4, fps=10), [0, 0.1, 0.2, 0.3])
    assert frame_seconds(0, fps=10).shape == (0,)
    steady = np.arange(5) / 10
    rounded = steady + [0, 0.0099, 0, -0.0099, 0]  # a tenth of a frame is 0.01 s
    np.testing.assert_array_equal(frame_seconds(5, fps=10, times=7 + rounded), steady)
    varying = steady + [0, 0.0102, 0, 0, 0]
    np.testing.assert_allclose(frame_seconds(5, fps=10, times=7 + varying), varying, atol=1e-9)
    for times in ([0, 0.1, 0.1, 0.3], [0, 0.1, 0.2], [0, 0.1, np.nan, 0.3], [0, 0.2, 0.1, 0.3]):
        with pytest.raises(HvrError, match="4 frames need as many times"):
            frame_seconds(4, fps=10, times=np.array(times))
    np.testing.assert_allclose(steady_seconds(np.array([0, 0.11, 0.29]), 10), [0, 0.1, 0.2, 0.3])


def test_frames_that_just_fit_into_memory():
    memory.check_fits("a", range(0, 20, 2), (30, 40), 10 * 30 * 40 * 3)
    with pytest.raises(HvrError, match=r"10 frames of 30x40.*max_side = 28, stride = 4 or"):
        memory.check_fits("a", range(0, 20, 2), (30, 40), 10 * 30 * 40 * 3 / 1.9)
    with pytest.raises(HvrError, match="10 frames"):
        memory.check_fits("a", range(10), (30, 40), 10 * 30 * 40 * 3 - 1)


# -- what killed runs leave --------------------------------------------------------------------------


def test_a_half_written_file_of_another_machine_is_abandoned_after_a_day(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_text("")
    os.utime(path, (1000.0, 1000.0))
    for seconds, in_use in ((86399.5, True), (86400.0, False)):
        monkeypatch.setattr(atomic_files.time, "time", lambda now=1000.0 + seconds: now)
        assert atomic_files._in_use(path, "0badcafe", 1) == in_use
    assert atomic_files._in_use(tmp_path / "gone", "0badcafe", 1), "somebody has just moved it"


# -- pickles -----------------------------------------------------------------------------------------


def nested(depth):
    """An expression x of x of ... of a number, ``depth`` deep."""
    value = 5.0
    for _ in range(depth):
        outer = safe_pickle.InertObject.__new__(safe_pickle.InertObject)
        outer.state = {"x": value}
        value = outer
    return value


def test_expressions_of_the_largest_depth():
    assert safe_pickle.dense(nested(safe_pickle.MAX_DEPTH), {}) == 5
    with pytest.raises(ValueError, match="nested too deeply"):
        safe_pickle.dense(nested(safe_pickle.MAX_DEPTH + 1), {})
