"""Reading and writing videos: exact sizes, rotation, times, and damage that does not stop it."""

import os
import re
import warnings
from fractions import Fraction

import av
import cv2
import numpy as np
import psutil
import pytest
from PIL import Image

from hvr_nb.store import decode, memory
from hvr_nb.store.fields import is_woven
from hvr_nb.store.video import focal_from_metadata, read_video, write_video
from hvr_nb.types import HvrError


def card(frames: int, height: int = 64, width: int = 96) -> np.ndarray:
    """Frames whose four corners differ and whose grey middle counts the frame, so order shows."""
    out = np.zeros((frames, height, width, 3), np.uint8)
    h, w = height // 2, width // 2
    out[:, :h, :w], out[:, :h, w:] = (220, 40, 40), (40, 200, 40)
    out[:, h:, :w], out[:, h:, w:] = (40, 40, 220), (230, 230, 60)
    for i in range(frames):
        out[i, h - 12 : h + 12, w - 12 : w + 12] = 40 + 6 * i
    return out


def middle(video) -> np.ndarray:
    t, h, w = video.frames.shape[:3]
    return video.frames[:, h // 2 - 6 : h // 2 + 6, w // 2 - 6 : w // 2 + 6].reshape(t, -1).mean(1)


def encode(path, frames, *, pts=None, rotation=0, gop=12, pixel="yuv420p", options=None, prepare=None):
    """Mux frames with chosen time stamps (1/1000 s), rotation flag or stream options."""
    with av.open(str(path), "w") as container:
        options = {"crf": "10", "g": str(gop), **(options or {})}
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixel
        if rotation:
            stream.set_display_rotation(rotation)
        if prepare:
            prepare(container, stream)
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if pts is not None:
                frame.pts, frame.time_base = int(pts[i]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_write_and_read_keep_frames_rate_and_colour(tmp_path):
    path = write_video(tmp_path / "a.mp4", card(20), fps=25)
    video = read_video(path)
    assert video.frames.shape == (20, 64, 96, 3) and video.frames.flags.c_contiguous
    assert video.fps == 25 and video.names[:2] == ["000000", "000001"]
    np.testing.assert_allclose(video.times, np.arange(20) / 25, atol=1e-9)
    np.testing.assert_allclose(middle(video), 40 + 6 * np.arange(20), atol=3)
    assert np.abs(video.frames[0, 4, 4].astype(int) - (220, 40, 40)).max() < 8
    assert video.info["dropped"] == 0 and len(video.info["sha256"]) == 64
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]  # no partial file stays


def test_odd_sizes_are_padded_when_written_and_kept_when_read(tmp_path):
    path = write_video(tmp_path / "odd.mp4", card(3, 63, 81), fps=30)
    assert read_video(path).frames.shape == (3, 64, 82, 3)
    encode(tmp_path / "odd444.mp4", card(3, 63, 81), pixel="yuv444p")
    video = read_video(tmp_path / "odd444.mp4")
    assert video.frames.shape == (3, 63, 81, 3)
    assert np.abs(video.frames[0, -3, -3].astype(int) - (230, 230, 60)).max() < 12


def test_range_stride_and_size(tmp_path):
    path = write_video(tmp_path / "a.mp4", card(20), fps=30)
    video = read_video(path, start=3, stop=15, stride=4, max_side=48)
    assert video.names == ["000003", "000007", "000011"]
    assert video.frames.shape == (3, 32, 48, 3) and video.info["size"] == [96, 64]
    assert video.fps == pytest.approx(7.5)
    np.testing.assert_allclose(video.times, np.array([3, 7, 11]) / 30, atol=1e-6)


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_rotation_flag_is_applied_exactly(tmp_path, turn):
    frames = card(6)
    encode(tmp_path / "plain.mp4", frames)
    encode(tmp_path / "phone.mp4", frames, rotation=turn)
    plain, phone = read_video(tmp_path / "plain.mp4"), read_video(tmp_path / "phone.mp4")
    assert abs(phone.info["rotation"]) == abs(turn)
    # the flag turns the picture counter-clockwise by that angle: the first row's start, red, goes there
    turned = np.rot90(plain.frames, turn // 90 % 4, axes=(1, 2))
    np.testing.assert_allclose(phone.frames.astype(int), turned, atol=3)
    if turn == 90:
        assert phone.frames[0, -4, 4, 0] > 180 and phone.frames[0, 4, 4, 1] > 160  # red below green
        assert phone.frames.shape[1:3] == (96, 64) and phone.info["size"] == [64, 96]


def test_variable_rate_keeps_true_times(tmp_path):
    pts = np.array([0, 33, 67, 100, 300, 333, 700, 733])
    encode(tmp_path / "vfr.mp4", card(8), pts=pts, options={"bf": "0"})
    video = read_video(tmp_path / "vfr.mp4")
    assert len(video.frames) == 8
    np.testing.assert_allclose(video.times, pts / 1000, atol=2e-3)
    assert video.fps == pytest.approx(7 / 0.733, rel=0.01)


def test_a_varying_rate_is_written(tmp_path):
    times = np.array([0, 0.1, 0.15, 0.4, 0.7, 0.72]) + 3.0
    video = read_video(write_video(tmp_path / "a.mp4", card(6), fps=5 / 0.72, times=times))
    np.testing.assert_allclose(video.times, times - 3.0, atol=1e-4)
    np.testing.assert_allclose(middle(video), 40 + 6 * np.arange(6), atol=3)
    with pytest.raises(HvrError, match="6 times do not belong"):
        write_video(tmp_path / "b.mp4", card(4), fps=7, times=times)
    with pytest.raises(HvrError, match="6 times do not belong"):
        write_video(tmp_path / "b.mp4", card(8), fps=7, times=times)
    assert not (tmp_path / "b.mp4").exists()


def test_written_times_are_exact_to_a_tick(tmp_path):
    seconds = np.array([0.0, 10.0, 10.5, 900.0])
    path = write_video(tmp_path / "a.mp4", card(4), fps=1, times=seconds)
    np.testing.assert_allclose(read_video(path).times, seconds, atol=1e-4)


def test_five_frames_a_second(tmp_path):
    video = read_video(write_video(tmp_path / "slow.mp4", card(10), fps=5))
    assert video.fps == 5 and video.times[-1] == pytest.approx(1.8)


def test_truncated_file_gives_what_it_holds_and_says_so(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (30, 64, 96, 3), np.uint8)  # noise: frames of much the same size
    data = write_video(tmp_path / "whole.mp4", frames, fps=30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    with pytest.warns(UserWarning, match="cut short|damaged"):
        video = read_video(tmp_path / "cut.mp4")
    assert 12 <= len(video.frames) < 30
    assert video.info["warnings"]


def test_damaged_packets_are_skipped_and_counted(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (40, 64, 96, 3), np.uint8)
    encode(tmp_path / "a.mkv", frames, gop=4, options={"bf": "0"})
    data = bytearray((tmp_path / "a.mkv").read_bytes())
    for at in range(len(data) // 3, len(data) // 2, 97):
        data[at : at + 8] = bytes(8)
    (tmp_path / "bad.mkv").write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        video = read_video(tmp_path / "bad.mkv")
    assert 10 <= len(video.frames) <= 40
    assert (np.diff(video.times) > 0).all()
    assert video.info["dropped"] > 0 or len(video.frames) == 40


def test_a_file_without_its_index_is_an_error_that_names_it(tmp_path):
    encode(tmp_path / "a.mp4", card(10))  # the index comes last
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "noindex.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(HvrError, match="noindex.mp4.*cut short"):
        read_video(tmp_path / "noindex.mp4")


def test_bad_input_is_named(tmp_path):
    with pytest.raises(HvrError, match="nowhere.mp4 does not exist"):
        read_video(tmp_path / "nowhere.mp4")
    (tmp_path / "text.mp4").write_text("this is no video, whatever its name says " * 50)
    with pytest.raises(HvrError, match="text.mp4"):
        read_video(tmp_path / "text.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(HvrError, match="empty.mp4"):
        read_video(tmp_path / "empty.mp4")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(HvrError, match="no video stream"):
        read_video(tmp_path / "sound.wav")
    path = write_video(tmp_path / "a.mp4", card(5), fps=30)
    with pytest.raises(HvrError, match="no frame in the range 9"):
        read_video(path, start=9)
    with pytest.raises(HvrError, match="stride 0"):
        read_video(path, stride=0)
    with pytest.raises(HvrError, match="no frames to write"):
        write_video(tmp_path / "none.mp4", [], fps=30)
    with pytest.raises(HvrError, match="fps is 0"):
        write_video(tmp_path / "none.mp4", card(2), fps=0)
    with pytest.raises(HvrError, match="must end in"):
        write_video(tmp_path / "none.txt", card(2), fps=30)
    assert not (tmp_path / "none.mp4").exists()


def test_hdr_is_read_with_a_warning(tmp_path):
    def tag(_, stream):
        stream.codec_context.color_trc = 18

    encode(tmp_path / "hlg.mp4", card(4), prepare=tag, options={"x264-params": "transfer=arib-std-b67"})
    with pytest.warns(UserWarning, match="HDR"):
        assert len(read_video(tmp_path / "hlg.mp4").frames) == 4


def test_oblong_pixels_become_square(tmp_path):
    def tag(_, stream):
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    encode(tmp_path / "dv.mp4", card(3), prepare=tag)
    assert read_video(tmp_path / "dv.mp4").frames.shape == (3, 64, 128, 3)


def test_memory_limit_is_an_error_with_sizes_that_fit(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", card(20), fps=30)
    monkeypatch.setattr("hvr_nb.store.video.room_for_films", lambda: 10 * 64 * 96 * 3)
    with pytest.raises(HvrError, match="20 frames of 96x64 need") as refused:
        read_video(path)
    side, stride = map(int, re.search(r"max_side = (\d+), stride = (\d+)", str(refused.value)).groups())
    assert len(read_video(path, stride=stride).frames) == 10
    assert 60 < side < 96 and len(read_video(path, max_side=side).frames) == 20
    encode(tmp_path / "live.mkv", card(20))  # its header does not count the frames
    with pytest.raises(HvrError, match="frames of 96x64 need"):
        read_video(tmp_path / "live.mkv")
    monkeypatch.setattr("hvr_nb.store.decode.MAX_PIXELS", 1000)
    with pytest.raises(HvrError, match="scale it down"):
        read_video(path)


def test_frames_that_a_film_claims_are_counted_before_they_are_read(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", card(6), fps=25)
    one = card(1).nbytes
    for most, fits in ((5.5 * one, False), (6.5 * one, True)):  # the claimed 6 frames, before they are read
        monkeypatch.setattr("hvr_nb.store.video.room_for_films", lambda most=most: most)
        if fits:
            assert len(read_video(path).frames) == 6
        else:
            with pytest.raises(HvrError, match="6 frames of 96x64"):
                read_video(path)
    with pytest.raises(HvrError, match="3 frames of 96x64"):  # every second one
        monkeypatch.setattr("hvr_nb.store.video.room_for_films", lambda: 2.5 * one)
        read_video(path, stride=2)


def test_free_memory_is_that_of_the_container(tmp_path, monkeypatch):
    assert 0 < memory.free_memory() <= psutil.virtual_memory().total
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    (tmp_path / "memory.stat").write_text("anon 1500000\nfile 500000\n")
    assert memory.free_memory() == 1_500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() > 1_500_000


def test_chroma_is_interpolated(tmp_path):
    """A slanted edge between colours of one brightness: its steps have one pixel, not two."""
    y, x = np.mgrid[:64, :96]
    inside = np.clip(x - 20 - 0.7 * y + 0.5, 0, 1)[..., None]  # an edge of one pixel
    picture = np.round(inside * (210, 60, 60) + (1 - inside) * (60, 135, 60)).astype(np.uint8)
    encode(tmp_path / "a.mp4", np.stack([picture] * 3), options={"crf": "0"})
    read = read_video(tmp_path / "a.mp4").frames[1].astype(int)
    with av.open(str(tmp_path / "a.mp4")) as container:
        blocks = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    error, before = (np.abs(image - picture)[8:56, 8:88].mean() for image in (read, blocks))
    assert error < 0.75 * before
    even, odd = (np.abs(np.diff(read[..., 0], axis=1)[:, k::2]).mean() for k in (0, 1))
    assert 0.7 < even / odd < 1.4  # repeated chroma changes only between blocks


@pytest.mark.parametrize("pixel", ["yuv422p", "yuv420p10le", "gray", "yuvj420p", "rgb24"])
def test_other_pixel_formats_keep_their_colours(tmp_path, pixel):
    frames = card(4, 63, 81) if pixel == "rgb24" else card(4)
    if pixel == "rgb24":
        with av.open(str(tmp_path / "a.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=30)
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgr0"
            for image in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        np.testing.assert_array_equal(read_video(tmp_path / "a.mkv").frames, frames)
        return
    encode(tmp_path / "a.mkv", frames, pixel=pixel)
    read = read_video(tmp_path / "a.mkv").frames[0].astype(int)
    corner = read[4, 4]
    if pixel == "gray":
        assert np.ptp(corner) < 3
    else:
        assert np.abs(corner - (220, 40, 40)).max() < 10


RIGHT, DOWN, LEFT, UP = (1, 0), (0, 1), (-1, 0), (0, -1)


@pytest.mark.parametrize(
    ("right", "down"),
    [(a, b) for a in (RIGHT, DOWN, LEFT, UP) for b in (RIGHT, DOWN, LEFT, UP) if np.dot(a, b) == 0],
)
def test_display_matrix_turns_and_mirrors(tmp_path, right, down):
    """All eight ways to hold and mirror a picture: the stored right and down go where the matrix says."""

    def hold(_, stream):
        axes = [[int(65536 * v) for v in axis] + [0] for axis in (right, down)]
        stream.set_display_matrix([*axes[0], *axes[1], 0, 0, 1 << 30])

    encode(tmp_path / "plain.mp4", card(3))
    encode(tmp_path / "held.mp4", card(3), prepare=hold)
    plain, held = read_video(tmp_path / "plain.mp4").frames, read_video(tmp_path / "held.mp4")
    t, h, w = plain.shape[:3]
    y, x = np.mgrid[:h, :w]
    place = x[..., None] * np.array(right) + y[..., None] * np.array(down)
    place -= place.reshape(-1, 2).min(0)
    expected = np.zeros((t, *(place.reshape(-1, 2).max(0)[::-1] + 1), 3), np.uint8)
    expected[:, place[..., 1], place[..., 0]] = plain
    # the encoder does not always give the same bytes twice
    np.testing.assert_allclose(held.frames.astype(int), expected, atol=3)
    assert held.info["mirrored"] == (right[0] * down[1] - right[1] * down[0] < 0)
    with av.open(str(tmp_path / "held.mp4")) as container:
        turned = next(container.decode(video=0)).rotation
    if not held.info["mirrored"]:
        assert (held.info["rotation"] - turned) % 360 == 0


def test_the_mirrored_phone_film_stands_upright(shared_cases):
    """Its display matrix mirrors left and right; the stored head is above, so it must stay above."""
    path = shared_cases / "mirrored_rotation" / "selfie_hflip_matrix.mp4"
    video = read_video(path, stop=2)
    with av.open(str(path)) as container:
        stored = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(video.frames[0].astype(int) - stored[:, ::-1]).mean() < 2
    assert video.info["mirrored"] and video.info["rotation"] == 0


@pytest.mark.parametrize(
    "matrix",
    [[0] * 9, [65536, 0, 0, 65536, 0, 0, 0, 0, 1 << 30], [46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30]],
)
def test_a_display_matrix_that_turns_nothing_is_ignored_with_a_word(tmp_path, matrix):
    encode(tmp_path / "a.mp4", card(3), prepare=lambda _, stream: stream.set_display_matrix(matrix))
    encode(tmp_path / "plain.mp4", card(3))
    with pytest.warns(UserWarning, match="display matrix is no turn"):
        video = read_video(tmp_path / "a.mp4")
    plain = read_video(tmp_path / "plain.mp4").frames
    np.testing.assert_allclose(video.frames.astype(int), plain, atol=3)


def woven(count: int, height: int = 128, width: int = 160) -> np.ndarray:
    """Interlaced frames: a bright bar moves on between the upper and the lower lines."""
    out = np.full((count, height, width, 3), 40, np.uint8)
    for k in range(2 * count):
        out[k // 2, k % 2 :: 2, 10 + 3 * k : 40 + 3 * k] = 220
    return out


def combing(image: np.ndarray) -> float:
    """How much lines differ from both their neighbours, beyond what the neighbours differ."""
    grey = image.astype(float).mean(-1)
    return float(
        np.maximum(0, np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2) - np.abs(grey[:-2] - grey[2:])).mean()
    )


def test_interlaced_film_is_deinterlaced(tmp_path):
    frames = woven(12)
    encode(tmp_path / "fields.mp4", frames, options={"x264-params": "tff=1"})
    video = read_video(tmp_path / "fields.mp4")
    assert video.frames.shape == frames.shape and video.info["deinterlaced"] == 12
    np.testing.assert_allclose(video.times, np.arange(12) / 30, atol=1e-6)
    assert max(map(combing, video.frames)) < 0.15 * combing(frames[5])
    bar = np.flatnonzero(video.frames[6, :, :, 0].mean(0) > 130)  # where one of the two fields has it
    assert min(abs(bar.mean() - (10 + 3 * k + 14.5)) for k in (12, 13)) < 0.6 and len(bar) == 30
    part = read_video(tmp_path / "fields.mp4", start=3, stop=10, stride=2)
    np.testing.assert_array_equal(part.frames, video.frames[3:10:2])


def test_film_that_shows_combs_is_deinterlaced_whatever_it_says(tmp_path):
    frames = woven(12)
    encode(tmp_path / "silent.mp4", frames)
    video = read_video(tmp_path / "silent.mp4")
    assert video.frames.shape == frames.shape and video.info["deinterlaced"] == 12
    assert max(map(combing, video.frames)) < 0.15 * combing(frames[5])
    whole = np.repeat(frames[:, ::2], 2, axis=1)  # the same motion in whole pictures
    encode(tmp_path / "whole.mp4", whole)
    assert read_video(tmp_path / "whole.mp4").info["deinterlaced"] == 0


def test_stripes_and_few_moving_pixels_are_no_combs():
    stripes = np.zeros((40, 60), np.uint8)
    stripes[::2] = 200  # a still pattern of two lines
    assert not is_woven([stripes, stripes])
    moving = woven(3)[..., 0]
    assert is_woven(list(moving)) and not is_woven(list(moving[:, :6]))
    assert not is_woven([]) and not is_woven([moving[0], moving[1, :50]])


def test_the_interlaced_case_has_no_combs(shared_cases):
    path = shared_cases / "interlaced" / "interlaced.mp4"
    video = read_video(path)
    with av.open(str(path)) as container:
        stored = np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])
    assert len(video.frames) == len(stored) == video.info["deinterlaced"]

    def comb(grey):
        return np.minimum(*(grey[:, 1:-1] - grey[:, k : k + grey.shape[1] - 2] for k in (0, 2)))

    before = comb(stored.astype(float))
    after = comb(np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in video.frames]).astype(float))
    combed = before > 25  # lines brighter than both their neighbours
    assert combed.sum() > 500 and after[combed].mean() < 0.5 * before[combed].mean()


def test_the_variable_rate_case_keeps_its_times(shared_cases):
    video = read_video(shared_cases / "variable_rate" / "vfr.mp4")
    steps = np.diff(video.times)
    assert len(video.times) == 22 and steps.max() > 1.5 * steps.min()
    assert video.fps == pytest.approx(21 / video.times[-1])


@pytest.mark.parametrize("shape", [Fraction(20), Fraction(1, 30)])
def test_pixels_of_an_impossible_shape_are_refused(tmp_path, shape):
    def tag(_, stream):
        stream.codec_context.sample_aspect_ratio = shape

    encode(tmp_path / "a.mp4", card(3), prepare=tag)
    with pytest.raises(HvrError, match=f"a.mp4 says that its pixels are {float(shape):.3g} times"):
        read_video(tmp_path / "a.mp4")


@pytest.mark.parametrize("rate", [None, Fraction(0), Fraction(90_000), Fraction(-5)])
def test_a_rate_that_cannot_be_is_not_believed(tmp_path, monkeypatch, rate):
    """Times decide; where there are none either, 30 or what the caller knows."""
    assert decode._possible(rate) == 0
    path = write_video(tmp_path / "a.mp4", card(6), fps=25)
    monkeypatch.setattr(decode, "_possible", lambda _: 0.0)
    assert read_video(path).fps == pytest.approx(25)
    monkeypatch.setattr(
        "hvr_nb.store.video.decode_film",
        lambda *args: ((name, None, image) for name, _, image in decode.decode_film(*args)),
    )
    with pytest.warns(UserWarning, match="30 frames per second are assumed"):
        assert read_video(path).fps == 30
    with pytest.warns(UserWarning, match="12 frames per second are assumed"):
        video = read_video(path, fps=12, stride=2)
    assert video.fps == 6
    np.testing.assert_allclose(video.times, [0, 2 / 12, 4 / 12])


def test_fps_is_for_what_has_no_times(tmp_path):
    path = write_video(tmp_path / "a.mp4", card(6), fps=25)
    with pytest.warns(UserWarning, match="fps 10 was not used"):
        assert read_video(path, fps=10).fps == 25
    for fps in (float("nan"), float("inf"), -1.0, 1e6):
        with pytest.raises(HvrError, match="fps is"):
            read_video(path, fps=fps)


def test_only_ordinary_files_of_a_folder_are_pictures(tmp_path):
    for i in range(3):
        Image.fromarray(card(1)[0]).save(tmp_path / f"{i}.png")
    (tmp_path / "3.png").mkdir()
    (tmp_path / "4.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "5.png")
    with pytest.warns(UserWarning, match=r"3.png \(a folder\), 4.png \(a link to nothing\), 5.png \(no ord"):
        video = read_video(tmp_path)
    assert video.names == ["0", "1", "2"]
    with pytest.raises(HvrError, match="5.png is no ordinary file"):
        read_video(tmp_path / "5.png")
    with pytest.raises(HvrError, match="4.png does not exist"):
        read_video(tmp_path / "4.png")


def test_a_focal_length_that_is_no_number_is_not_recorded(tmp_path):
    for text in ("inf", "nan", "-4", "wide", "1e9"):
        with av.open(
            str(tmp_path / "phone.mov"), "w", options={"movflags": "use_metadata_tags"}
        ) as container:
            container.metadata["com.apple.quicktime.camera.focal_length.35mm_equivalent"] = text
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(card(1)[0], format="rgb24")))
            container.mux(stream.encode())
        assert read_video(tmp_path / "phone.mov").info["focal"] == 0


def test_picture_folder_in_natural_order_with_its_exif(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    frames = card(12)
    for i in range(12):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = 26
        if i % 2:
            Image.fromarray(frames[i]).save(folder / f"{i}.png")
        else:
            Image.fromarray(frames[i]).save(folder / f"{i}.jpg", exif=exif, quality=95)
    (folder / "notes.txt").write_text("not a picture")
    video = read_video(folder, fps=12)
    assert video.names == [str(i) for i in range(12)] and video.fps == 12
    np.testing.assert_allclose(middle(video), 40 + 6 * np.arange(12), atol=3)
    focal = focal_from_metadata(folder, width=96, height=64)
    assert focal == pytest.approx(26 / 43.2666 * np.hypot(96, 64))
    assert video.info["focal"] == focal
    assert read_video(folder, stride=3).fps == 10  # 30 where nothing is said


def test_picture_turned_by_exif_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it
    Image.fromarray(card(1)[0]).save(tmp_path / "a.jpg", exif=exif, quality=95)
    video = read_video(tmp_path)
    assert video.frames.shape == (1, 96, 64, 3)
    assert video.frames[0, 4, -4, 0] > 180  # red now at the upper right


def test_a_single_picture_is_a_film_of_one_frame(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it
    exif.get_ifd(0x8769)[0xA405] = 26
    path = tmp_path / "my photo.JPG"
    Image.fromarray(card(1)[0]).save(path, format="jpeg", exif=exif, quality=95)
    video = read_video(path, max_side=48)
    assert video.frames.shape == (1, 48, 32, 3) and video.info["size"] == [64, 96], "upright"
    assert video.names == ["my photo"] and video.times.tolist() == [0.0] and video.info["frames"] == 1
    assert video.info["focal"] == pytest.approx(26 / 43.2666 * np.hypot(48, 32))
    path.write_bytes(b"no picture")
    with pytest.raises(HvrError, match="my photo.JPG is not a readable picture"):
        read_video(path)


def test_bad_picture_folders(tmp_path):
    with pytest.raises(HvrError, match="no jpg or png"):
        read_video(tmp_path)
    cv2.imwrite(str(tmp_path / "a.png"), card(1)[0])
    cv2.imwrite(str(tmp_path / "b.png"), card(1, 60, 80)[0])
    with pytest.raises(HvrError, match="b.png is 80x60"):
        read_video(tmp_path)
    (tmp_path / "b.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(HvrError, match="b.png is not a readable"):
        read_video(tmp_path)
    (tmp_path / "b.png").rename(tmp_path / "a.jpg")
    with pytest.raises(HvrError, match="two pictures of one name"):
        read_video(tmp_path)


def test_phone_focal_tag(tmp_path):
    with av.open(str(tmp_path / "phone.mov"), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["com.apple.quicktime.camera.focal_length.35mm_equivalent"] = "28"
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for image in card(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    video = read_video(tmp_path / "phone.mov", max_side=48)
    assert video.info["focal"] == pytest.approx(28 / 43.2666 * np.hypot(48, 32))
    assert read_video(write_video(tmp_path / "a.mp4", card(2), fps=30)).info["focal"] == 0


def test_real_footage_is_read_whole(shared_data):
    video = read_video(shared_data / "videos" / "iper_023_1_1_turn_512.mp4", max_side=128)
    assert video.frames.shape == (53, 128, 128, 3) and video.fps == 30


def test_a_name_with_a_colon_is_no_address(tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", card(3), fps=30).rename(tmp_path / "take:1.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(read_video("take:1.mp4").frames) == 3
    with pytest.raises(HvrError, match=r"cannot be looked at \(File name too long\)"):
        read_video("x" * 5000)


def test_free_memory_is_that_of_the_job_whose_control_group_is_nested(tmp_path, monkeypatch):
    """As SLURM makes them: the limit is two groups up, or at the process's own."""
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OURS", tmp_path / "ours")
    (tmp_path / "ours").write_text("5:cpu,cpuacct:/x\n4:memory:/slurm/job_7/step_0\n0::/slurm/job_7\n")
    job = tmp_path / "memory" / "slurm" / "job_7"
    job.mkdir(parents=True)
    for name, text in (("limit_in_bytes", "3000"), ("usage_in_bytes", "1000"), ("stat", "total_cache 50")):
        (job / f"memory.{name}").write_text(text)
    assert memory.free_memory() == 2050
    newer = tmp_path / "slurm" / "job_7"
    newer.mkdir(parents=True)
    for name, text in (("max", "900"), ("current", "400"), ("stat", "anon 1\nfile 5")):
        (newer / f"memory.{name}").write_text(text)
    assert memory.free_memory() == 505


def test_a_codec_that_nobody_has_is_named(tmp_path):
    path = write_video(tmp_path / "a.mp4", card(3), fps=30)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"drmi"))
    with pytest.raises(HvrError, match="a.mp4.*convert it to mp4"):
        read_video(path)
