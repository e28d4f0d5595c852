"""Videos and image folders in, videos out (PyAV); `specs/perception.md` 7.

Rotation flags are applied, odd sizes and variable frame rates kept as they are, damaged packets
skipped and counted. Frames are RGB uint8; times are seconds since the first frame of the source.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from hvr_nb.store.files import atomic
from hvr_nb.types import HvrError

MAX_PIXELS = 40_000_000  # one frame; 8K is 33 million
MAX_BYTES = 12 * 2**30  # all frames read at once
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv")  # that are written
FOLDER_FPS = 30.0  # pictures carry no rate
_HDR = {16: "PQ", 18: "HLG"}  # ITU-T H.273 transfer characteristics
_DIAGONAL_35MM = 43.2666  # mm, diagonal of the 36 x 24 mm frame
_FOCAL_TAG = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
_EXIF_IFD, _EXIF_FOCAL35 = 0x8769, 0xA405


@dataclass(frozen=True)
class Video:
    """Frames of one video, as they are to be seen."""

    frames: np.ndarray  # (T, H, W, 3) uint8 RGB, upright
    fps: float  # mean frames per second of ``frames`` (after the stride)
    times: np.ndarray  # (T,) seconds since the source's first frame
    names: list[str]  # T unique names: the source's frame number, or the picture's file name
    info: dict = field(default_factory=dict)  # provenance, see ``read_video``

    def __repr__(self) -> str:
        n, h, w = self.frames.shape[:3]
        return f"Video({n} frames {w}x{h} at {self.fps:.4g} fps, from {self.info.get('file', '?')})"


def read_video(
    path: str | Path, *, start: int = 0, stop: int = 0, stride: int = 1, max_side: int = 0, fps: float = 0.0
) -> Video:
    """Read frames ``start:stop:stride`` of a video file or of a folder of pictures.

    Only the chosen frames are held in memory.

    Args:
        path: a video file, or a folder of jpg or png files, taken in natural order of their names.
        start, stop, stride: frame range of the source; ``stop`` 0 reads to the end.
        max_side: shrink frames whose larger side exceeds this, pixels; 0 keeps their size.
        fps: frame rate of a picture folder (0: 30); a video file carries its own.

    Returns:
        The Video. Its info holds file, sha256, bytes, size [w, h] of the source (upright), frames
        (number in the source, 0 where not known), fps of the source, rotation in degrees, dropped
        (damaged packets skipped), pixel_aspect, focal in pixels of the returned frames (0: not recorded) and
        warnings (list of str).

    Raises:
        HvrError: missing, unreadable, too large or without a frame in the range.
    """
    path = Path(path)
    if start < 0 or stop < 0 or stride < 1 or max_side < 0:
        raise HvrError(
            f"start {start}, stop {stop}, stride {stride}, max_side {max_side}: "
            "start, stop and max_side must be 0 or more, stride 1 or more"
        )
    if not path.exists():
        raise HvrError(f"{path} does not exist; check the path of the video")
    info = {"file": path.name, "sha256": _digest(path), "rotation": 0, "dropped": 0, "warnings": []}
    rate = fps or FOLDER_FPS
    source = _pictures(path, rate, info) if path.is_dir() else _decode(path, info)
    chosen, times, names = [], [], []
    with tqdm(desc=f"reading {path.name}", unit="frame", leave=False) as bar:
        for index, (name, time, image) in enumerate(source):
            if stop and index >= stop:
                break
            bar.total = min(stop or info["frames"], info["frames"] or stop) or None
            bar.update()
            if index >= start and (index - start) % stride == 0:
                image = _upright(image, info.get("pixel_aspect", 1.0))
                info.setdefault("size", [image.shape[1], image.shape[0]])
                chosen.append(_shrink(image, max_side))
                times.append(time)
                names.append(name)
                _check_memory(chosen, info, start, stop, stride, path)
    if not chosen:
        last = stop or "the end"
        raise HvrError(f"{path} has no frame in the range {start} to {last}; widen start and stop")
    seconds = _clean_times(np.asarray(times, float), info)
    for text in info["warnings"]:
        warnings.warn(f"{path.name}: {text}", stacklevel=2)
    frames = _stack(chosen, path)
    height, width = frames.shape[1:3]
    info["focal"] = focal_from_metadata(path, width=width, height=height)
    return Video(frames, _rate(seconds, info["fps"] / stride), seconds, names, info)


def _digest(path: Path) -> str:
    """sha256 of a file, or of the names and contents of a folder's pictures."""
    total = hashlib.sha256()
    for file in _listing(path) if path.is_dir() else [path]:
        if path.is_dir():
            total.update(file.name.encode())
        with open(file, "rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def _natural(name: str) -> list:
    """Sort key with numbers by value: 2.jpg before 10.jpg."""
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _listing(folder: Path) -> list[Path]:
    files = [f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")]
    return sorted(files, key=lambda f: (_natural(f.stem), f.name))


def _pictures(folder: Path, rate: float, info: dict) -> Iterator[tuple[str, float, np.ndarray]]:
    """Yield name, seconds and image of each picture; OpenCV turns them upright by their EXIF."""
    files = _listing(folder)
    if not files:
        raise HvrError(f"{folder} holds no jpg or png pictures; give a video file or a folder of frames")
    if len({f.stem for f in files}) < len(files):
        raise HvrError(f"{folder} holds two pictures of one name (jpg and png); keep one of each")
    info |= {"frames": len(files), "fps": rate, "bytes": sum(f.stat().st_size for f in files)}
    shape = None
    for index, file in enumerate(files):
        data = np.fromfile(file, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
        if image is None:
            raise HvrError(f"{file} is not a readable picture; replace or remove it")
        shape = shape or image.shape
        if image.shape != shape:
            raise HvrError(
                f"{file} is {image.shape[1]}x{image.shape[0]} pixels, the pictures before it are "
                f"{shape[1]}x{shape[0]}; give pictures of one size"
            )
        yield file.stem, index / rate, image


def _open(path: Path):
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, ValueError) as error:
        raise HvrError(
            f"{path} cannot be read as a video ({error}); it may be cut short (no index, "
            "'moov') or not a video: copy it again or convert it to mp4"
        ) from error
    if not container.streams.video:
        container.close()
        raise HvrError(f"{path} has no video stream (sound only?); choose another file")
    return container


def _decode(path: Path, info: dict) -> Iterator[tuple[str, float | None, av.VideoFrame]]:
    """Yield name, seconds (None if the file does not say) and decoded frame, in order of display."""
    with _open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = float(stream.average_rate or stream.guessed_rate or FOLDER_FPS)
        info |= {
            "frames": int(stream.frames),
            "fps": rate,
            "bytes": path.stat().st_size,
            "pixel_aspect": float(stream.sample_aspect_ratio or 1),
        }
        first, count = None, 0
        for frame in _frames(container, stream, info):
            if count == 0:
                info["rotation"] = int(round(frame.rotation))
                if frame.color_trc in _HDR:
                    info["warnings"].append(
                        f"HDR ({_HDR[frame.color_trc]}) is read without tone mapping, "
                        "so colours look flat; convert it to SDR first"
                    )
            first = frame.time if first is None else first
            yield f"{count:06d}", None if frame.time is None else frame.time - first, frame
            count += 1
        # reached only when the whole file was read
        if info["dropped"]:
            info["warnings"].append(f"{info['dropped']} damaged packets were skipped")
        if count < info["frames"] - info["dropped"]:
            info["warnings"].append(
                f"only {count} of {info['frames']} frames could be read; the file is cut short"
            )


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
            if info["dropped"] > 10_000:  # a demuxer that cannot get past the damage
                return
        except av.error.EOFError:
            return


def _upright(frame: av.VideoFrame | np.ndarray, aspect: float) -> np.ndarray:
    """(H, W, 3) uint8 RGB, contiguous, turned by the display matrix, with square pixels."""
    height, width = (frame.height, frame.width) if isinstance(frame, av.VideoFrame) else frame.shape[:2]
    if height * width > MAX_PIXELS:
        raise HvrError(
            f"the video is {width}x{height}; frames above {MAX_PIXELS / 1e6:.0f} million "
            "pixels are refused, scale it down first"
        )
    if isinstance(frame, np.ndarray):
        return frame
    image = frame.to_ndarray(format="rgb24")
    if abs(aspect - 1) > 0.01:
        image = cv2.resize(image, (round(width * aspect), height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90) % 4))


def _shrink(image: np.ndarray, max_side: int) -> np.ndarray:
    height, width = image.shape[:2]
    ratio = max_side / max(height, width)
    if not max_side or ratio >= 1:
        return image
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _check_memory(chosen: list, info: dict, start: int, stop: int, stride: int, path: Path) -> None:
    """Refuse a range that will not fit, at its first frame where the length is known."""
    end = min(stop or info["frames"], info["frames"] or stop)
    count = max(len(chosen), -(-(end - start) // stride) if len(chosen) == 1 else 0)
    if count * chosen[0].nbytes > MAX_BYTES:
        raise HvrError(
            f"{path}: {count} frames of {chosen[0].shape[1]}x{chosen[0].shape[0]} need "
            f"{count * chosen[0].nbytes / 2**30:.0f} GiB; give a shorter range (start, stop), "
            "a larger stride or a max_side"
        )


def _stack(images: list, path: Path) -> np.ndarray:
    """(T, H, W, 3) from the list, which is emptied on the way so that memory is needed once."""
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise HvrError(f"{path} changes its frame size on the way ({sorted(shapes)}); convert it to one size")
    out = np.empty((len(images), *images[0].shape), np.uint8)
    for i, image in enumerate(images):
        out[i], images[i] = image, None
    return out


def _clean_times(times: np.ndarray, info: dict) -> np.ndarray:
    """True time stamps, or frame number over mean rate where they are missing or run backwards."""
    if np.isnan(times).any() or (np.diff(times) <= 0).any():
        info["warnings"].append("time stamps are missing or run backwards; a constant frame rate is assumed")
        return np.arange(len(times)) / info["fps"]
    return times


def _rate(times: np.ndarray, nominal: float) -> float:
    """Mean rate of the frames: the nominal one where the stamps agree with it within 1 %."""
    if len(times) < 2:
        return nominal
    measured = (len(times) - 1) / float(times[-1] - times[0])
    return nominal if abs(measured / nominal - 1) < 0.01 else measured


def focal_from_metadata(path: str | Path, *, width: int, height: int) -> float:
    """Focal length the camera recorded, pixels of an image of this size; 0 where it did not.

    Args:
        path: a video file (QuickTime tag of phones) or a folder of pictures (EXIF of the first).
            The 35 mm equivalent compares the diagonal of the image with that of a 36 x 24 mm frame.
        width, height: size of the images the focal is for, pixels.
    """
    path = Path(path)
    if path.is_dir():
        with Image.open(_listing(path)[0]) as image:
            focal = image.getexif().get_ifd(_EXIF_IFD).get(_EXIF_FOCAL35, 0)
    else:
        with _open(path) as container:
            focal = (container.metadata | container.streams.video[0].metadata).get(_FOCAL_TAG, 0)
    try:
        return max(0.0, float(focal)) / _DIAGONAL_35MM * float(np.hypot(width, height))
    except (TypeError, ValueError):
        return 0.0


def write_video(path: str | Path, frames: Iterable[np.ndarray], *, fps: float, crf: int = 16) -> Path:
    """Write frames as H.264 (yuv420p), atomically; odd sizes are padded by one pixel.

    Args:
        path: the file; its suffix (mp4, mov, mkv) says which container. An existing one is replaced.
        frames: (T, H, W, 3) uint8 RGB, or any iterable of (H, W, 3).
        fps: frames per second.
        crf: quality, 0 (lossless) to 51; 16 looks lossless.
    """
    path = Path(path)
    if not np.isfinite(fps) or fps <= 0:
        raise HvrError(f"fps is {fps}; it must be positive")
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise HvrError(f"{path}: the name must end in one of {', '.join(VIDEO_SUFFIXES)}")
    with atomic(path) as partial:
        with av.open(str(partial), "w", options={"movflags": "faststart"}) as container:
            if not _encode(container, frames, Fraction(fps).limit_denominator(1001), crf):
                raise HvrError(f"{path}: there are no frames to write")
    return path


def _encode(container, frames: Iterable[np.ndarray], rate: Fraction, crf: int) -> int:
    stream, count = None, 0
    for image in frames:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise HvrError(
                f"a frame has shape {image.shape} and type {image.dtype}; (H, W, 3) uint8 is needed"
            )
        height, width = image.shape[:2]
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if stream is None:
            # Without mbtree, whose SIMD code does not give the same bytes twice at some widths (x264 165).
            options = {"crf": str(crf), "x264-params": "mbtree=0"}
            stream = container.add_stream("libx264", rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        count += 1
    if stream is not None:
        container.mux(stream.encode())
    return count
