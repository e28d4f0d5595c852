"""A video file as upright pictures in the order of display (PyAV)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation

from hvr_nb.store.fields import is_woven
from hvr_nb.store.files import MAX_PIXELS
from hvr_nb.types import HvrError

MAX_RATE = 1000.0  # frames per second; more is taken for a damaged header
WIDEST_PIXEL = 4.0  # wide or tall; anamorphic film has 2
FALLBACK_FPS = 30.0  # where nothing is said: pictures carry no rate
_LOOKED_AT = 16  # frames from which film that is interlaced without saying so is known
_MOST_DAMAGED = 10_000  # packets, of a demuxer that cannot get past the damage
_HDR = {16: "PQ", 18: "HLG"}  # ITU-T H.273 transfer characteristics
# Without these flags swscale repeats the chroma of 4:2:0 film over 2 x 2 pixels (docs/formats.md, 3).
_SMOOTH_CHROMA = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def open_film(path: Path):
    """PyAV's container of a file with a video stream.

    Raises:
        HvrError: no video, cut short or damaged.
    """
    try:
        container = av.open(f"file:{path}")  # else a name such as take:1.mp4 would be an address
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise HvrError(
            f"{path} cannot be read as a video ({error}); it may be cut short (no index, "
            "'moov') or not a video: copy it again or convert it to mp4"
        ) from error
    if not container.streams.video:
        container.close()
        raise HvrError(f"{path} has no video stream (sound only?); choose another file")
    return container


def decode_film(path: Path, picked: range, info: dict) -> Iterator[tuple[str, float | None, np.ndarray]]:
    """Yield name, seconds since the first frame (None if the file does not say) and picture.

    Args:
        path: the video file. picked: numbers of the frames to give.
        info: filled on the way, see ``hvr_nb.store.video.read_video``.

    Returns:
        Pictures are (H, W, 3) uint8 RGB, turned and mirrored as the file's display matrix says, with square
        pixels; frames that are flagged as interlaced are deinterlaced, and all where the film shows combs.

    Raises:
        HvrError: not a video, too large, or pixels of an impossible shape.
    """
    woven = _shows_combs(path)
    with open_film(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = _possible(stream.average_rate) or _possible(stream.guessed_rate)
        aspect = _pixel_aspect(stream.sample_aspect_ratio, path)
        info |= {
            "frames": int(stream.frames),
            "seconds": _seconds(container, stream),
            "fps": rate or FALLBACK_FPS,
            "pixel_aspect": aspect,
            "deinterlaced": 0,
        }
        turn, first, count = None, None, 0
        for frame in _deinterlaced(_frames(container, stream, info), info, woven):
            if count >= picked.stop:
                return
            if turn is None:
                turn = _Turn(frame, info)
                _warn_of_hdr(frame, info)
            first = frame.time if first is None else first
            if count in picked:
                time = None if frame.time is None else frame.time - first
                yield f"{count:06d}", time, turn(_square(frame, aspect))
            count += 1
        # reached only when the whole file was read
        if info["dropped"]:
            info["warnings"].append(f"{info['dropped']} damaged packets were skipped")
        if count < info["frames"] - info["dropped"]:
            info["warnings"].append(
                f"only {count} of {info['frames']} frames could be read; the file is cut short"
            )


def _possible(rate) -> float:
    """A frame rate as the file gives it, or 0 where it is missing or impossible."""
    try:
        value = float(rate or 0)
    except (ZeroDivisionError, OverflowError, ValueError):
        return 0.0
    return value if 0 < value <= MAX_RATE else 0.0


def _seconds(container, stream) -> float:
    """Length that the file claims; 0 where it does not."""
    if stream.duration and stream.time_base:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, (container.duration or 0) / av.time_base)


def _pixel_aspect(ratio, path: Path) -> float:
    """Width over height of one stored pixel."""
    aspect = float(ratio or 1)
    if not 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL:
        raise HvrError(
            f"{path} says that its pixels are {aspect:.3g} times as wide as high, which no film has; write "
            f"it "
            "again with square pixels (sample aspect ratio 1:1)"
        )
    return aspect


def _frames(container, stream, info: dict) -> Iterator[av.VideoFrame]:
    """Decode packet by packet; a damaged one is counted and skipped."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            yield from packet.decode()
        except (av.error.InvalidDataError, av.error.PatchWelcomeError):
            info["dropped"] += 1
            if info["dropped"] > _MOST_DAMAGED:
                return
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:  # an unknown codec, or one that is locked (DRM)
            name = container.name.removeprefix("file:")
            raise HvrError(f"{name} cannot be decoded ({error}); convert it to mp4 (H.264)") from error


def _shows_combs(path: Path) -> bool:
    """Whether the first frames are interlaced, whatever their flags say."""
    pictures: list[np.ndarray] = []
    with open_film(path) as container:
        for frame in _frames(container, container.streams.video[0], {"dropped": 0}):
            check_pixels(frame.width, frame.height)
            pictures.append(frame.to_ndarray(format="gray"))
            if len(pictures) == _LOOKED_AT:
                break
    return is_woven(pictures)


def _deinterlaced(frames: Iterator[av.VideoFrame], info: dict, every: bool) -> Iterator[av.VideoFrame]:
    """Interlaced frames become whole pictures (bwdif), one each: those flagged, or ``every`` one."""
    graph, layout = None, None
    for frame in frames:
        now = frame.width, frame.height, frame.format.name
        if graph and layout != now:
            graph = yield from _finished(graph)
        if not graph and (every or frame.interlaced_frame):
            graph, layout = _deinterlacer(frame, every), now
        if graph:
            info["deinterlaced"] += every or frame.interlaced_frame
            graph.push(frame)
            yield from _pulled(graph)
        else:
            yield frame
    if graph:
        yield from _finished(graph)


def _deinterlacer(frame: av.VideoFrame, every: bool) -> av.filter.Graph:
    graph = av.filter.Graph()
    size = {"width": frame.width, "height": frame.height}
    graph.link_nodes(
        graph.add_buffer(format=frame.format, time_base=frame.time_base, **size),
        graph.add("bwdif", f"mode=send_frame:deint={'all' if every else 'interlaced'}"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _finished(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    """What the filter still holds back."""
    graph.push(None)
    yield from _pulled(graph)


def _square(frame: av.VideoFrame, aspect: float) -> np.ndarray:
    """(H, W, 3) uint8 RGB with square pixels."""
    width, height = round(frame.width * aspect), frame.height
    check_pixels(max(width, frame.width), height)
    image = frame.to_ndarray(format="rgb24", interpolation=_SMOOTH_CHROMA)
    if abs(aspect - 1) > 0.01:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def check_pixels(width: int, height: int) -> None:
    """Refuse a picture that no camera makes.

    Raises:
        HvrError: it has more than ``MAX_PIXELS``.
    """
    if height * width > MAX_PIXELS:
        raise HvrError(
            f"the video is {width}x{height}; frames above {MAX_PIXELS / 1e6:.0f} million "
            "pixels are refused, scale it down first"
        )


class _Turn:
    """How a film's pictures are turned and mirrored before they are shown: its display matrix.

    The matrix (a b . / c d . / ...) carries the stored right (1, 0) to (a, b) and down (0, 1) to (c, d).
    """

    def __init__(self, frame: av.VideoFrame, info: dict):
        right, down = self._axes(frame, info)
        self.transpose = abs(right[1]) > abs(right[0])
        self.flips = (down[0] < 0, right[1] < 0) if self.transpose else (right[0] < 0, down[1] < 0)
        info["mirrored"] = bool(right[0] * down[1] - right[1] * down[0] < 0)
        # counter-clockwise; a mirrored picture is first mirrored left and right, then turned
        info["rotation"] = 90 * round(np.degrees(np.arctan2(down[0], down[1])) / 90)

    @staticmethod
    def _axes(frame: av.VideoFrame, info: dict) -> np.ndarray:
        """(2, 2) where right and down go, as unit vectors."""
        data = frame.side_data.get("DISPLAYMATRIX")
        if data is None:
            return np.eye(2)
        axes = np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2] / 65536
        length = np.linalg.norm(axes, axis=1, keepdims=True)
        axes = axes / np.maximum(length, 1e-9)
        nearest = np.abs(axes) == np.abs(axes).max(1, keepdims=True)
        if not (length > 1e-3).all() or not (nearest.sum(0) == 1).all():
            info["warnings"].append(
                "its display matrix is no turn of a picture and was ignored; if the film lies on its side, "
                "write it again with the right rotation"
            )
            return np.eye(2)
        if np.abs(axes[nearest]).min() < 0.9998:  # one degree
            info["warnings"].append("its display matrix is no quarter turn; the nearest one was taken")
        return axes

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The stored picture (H, W, 3) as it is to be seen, contiguous."""
        image = image.swapaxes(0, 1) if self.transpose else image
        across, along = self.flips
        return np.ascontiguousarray(image[:: -1 if along else 1, :: -1 if across else 1])


def _warn_of_hdr(frame: av.VideoFrame, info: dict) -> None:
    if frame.color_trc in _HDR:
        info["warnings"].append(
            f"HDR ({_HDR[frame.color_trc]}) is read without tone mapping, so colours look flat; "
            "convert it to SDR first"
        )
