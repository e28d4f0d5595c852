"""Reading and writing videos: exact sizes, rotation, times, and damage that does not stop it."""

import warnings
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image

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
    np.testing.assert_array_equal(phone.frames, np.rot90(plain.frames, turn // 90 % 4, axes=(1, 2)))
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


def test_memory_limit_is_an_error_with_the_remedy(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", card(20), fps=30)
    monkeypatch.setattr("hvr_nb.store.video.MAX_BYTES", 10 * 64 * 96 * 3)
    with pytest.raises(HvrError, match="20 frames.*stride"):
        read_video(path)
    assert len(read_video(path, stride=2).frames) == 10
    monkeypatch.setattr("hvr_nb.store.video.MAX_PIXELS", 1000)
    with pytest.raises(HvrError, match="scale it down"):
        read_video(path)


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
