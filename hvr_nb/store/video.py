"""Videos and image folders in, videos out (docs/formats.md, 3).

Display matrices are applied, interlaced film is deinterlaced, odd sizes and variable frame rates are kept
as they are, damaged packets skipped and counted. Frames are RGB uint8; times are seconds since the first
frame of the source.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from tqdm import tqdm

from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.decode import FALLBACK_FPS, MAX_RATE, decode_film, open_film
from hvr_nb.store.digests import file_digest, tree_digest
from hvr_nb.store.film_arrays import FilmStack, room_for_films
from hvr_nb.store.memory import check_fits
from hvr_nb.store.picture_folder import is_picture, list_pictures, picture_film, recorded_focal35
from hvr_nb.store.times import frame_seconds
from hvr_nb.types import HvrError, check_fps

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv")  # that are written
_DIAGONAL_35MM = 43.2666  # mm, diagonal of the 36 x 24 mm frame
_FOCAL_TAG = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
_TICK = Fraction(1, 90_000)  # seconds, of written time stamps
_LONGEST_35MM = 5000.0  # mm; no lens is longer


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
    """Read frames ``start:stop:stride`` of a video file, of a folder of pictures, or a single picture.

    Only the chosen frames are held: in memory, or in a file on the disk where they are many.

    Args:
        path: a video file, a jpg or png file, or a folder of these, taken in natural order of their names.
        start, stop, stride: frame range of the source; ``stop`` 0 reads to the end.
        max_side: shrink frames whose larger side exceeds this, pixels; 0 keeps their size.
        fps: frames per second of a picture folder, or of a video without times; 0: 30.

    Returns:
        The Video. Its info holds file, sha256, bytes, size [w, h] of the source (upright), frames
        (number in the source, 0 where not known), fps of the source, rotation in degrees counter-clockwise,
        mirrored, deinterlaced (number of frames), pictures (True where it is pictures), dropped (damaged
        packets skipped), pixel_aspect, focal in
        pixels of the returned frames (0: not recorded) and warnings (list of str).

    Raises:
        HvrError: missing, unreadable, too large or without a frame in the range.
    """
    path = Path(path)
    if start < 0 or stop < 0 or stride < 1 or max_side < 0:
        raise HvrError(
            f"start {start}, stop {stop}, stride {stride}, max_side {max_side}: "
            "start, stop and max_side must be 0 or more, stride 1 or more"
        )
    if fps != 0:
        check_fps(fps, most=MAX_RATE)
    try:
        there = path.is_dir() or path.is_file()
        problem = "" if there else "is no ordinary file" if path.exists() else "does not exist"
    except OSError as error:  # a name too long
        problem = f"cannot be looked at ({error.strerror})"
    if problem:
        raise HvrError(f"{str(path)[:500]} {problem}; check the path of the video")
    info = {"file": path.name, "sha256": _digest(path), "rotation": 0, "mirrored": False, "dropped": 0}
    info["warnings"] = []
    picked = range(start, stop or sys.maxsize, stride)
    if path.is_dir() or is_picture(path):
        source = picture_film(path, picked, fps or FALLBACK_FPS, info)
    else:
        source = decode_film(path, picked, info)
    frames, times, names = _collected(source, picked, max_side, info, path)
    seconds = _clean_times(np.asarray(times, float), picked, fps, info)
    for text in info["warnings"]:
        warnings.warn(f"{path.name}: {text}", stacklevel=2)
    height, width = frames.shape[1:3]
    info["focal"] = focal_from_metadata(path, width=width, height=height)
    return Video(frames, _rate(seconds, info["fps"] / stride), seconds, names, info)


def _collected(source, picked: range, max_side: int, info: dict, path: Path) -> tuple[np.ndarray, list, list]:
    """Frames (T, H, W, 3), seconds and names that a source gives, as long as there is room for them."""
    stack, times, names = None, [], []
    most = room_for_films()
    with tqdm(desc=f"reading {path.name}", unit="frame", leave=False) as bar:
        for name, time, image in source:
            info.setdefault("size", [image.shape[1], image.shape[0]])
            image = _shrink(image, max_side)
            claimed = info["frames"] or round(info.get("seconds", 0) * info["fps"])
            expected = range(picked.start, min(picked.stop, claimed), picked.step)
            held = expected if stack is None and len(expected) else picked[: len(times) + 1]
            check_fits(str(path), held, image.shape[1::-1], most)
            stack = stack or FilmStack(image.shape, len(expected))
            if image.shape != stack.shape:
                raise HvrError(
                    f"{path} changes its frame size on the way ({sorted([stack.shape, image.shape])}); "
                    "convert it to one size"
                )
            stack.append(image)
            times.append(time)
            names.append(name)
            bar.total = len(expected) or None
            bar.update()
    if stack is None:
        last = picked.stop if picked.stop < sys.maxsize else "the end"
        raise HvrError(f"{path} has no frame in the range {picked.start} to {last}; widen start and stop")
    return stack.frames(), times, names


def _digest(path: Path) -> str:
    """sha256 of a file, or of the names and contents of a folder's pictures."""
    try:
        return tree_digest(list_pictures(path)[0], path) if path.is_dir() else file_digest(path)
    except OSError as error:
        raise HvrError(f"{path} cannot be read ({error}); check who may read it") from error


def _shrink(image: np.ndarray, max_side: int) -> np.ndarray:
    height, width = image.shape[:2]
    ratio = max_side / max(height, width)
    if not max_side or ratio >= 1:
        return image
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _clean_times(times: np.ndarray, picked: range, fps: float, info: dict) -> np.ndarray:
    """True time stamps, or frame number over mean rate where they are missing or run backwards."""
    true = bool(np.isfinite(times).all() and (np.diff(times) > 0).all())
    if not true:
        info["fps"] = fps or info["fps"]
        info["warnings"].append(
            f"time stamps are missing or run backwards; {info['fps']:.4g} frames per second are assumed"
        )
        return np.arange(picked.start, picked.start + len(times) * picked.step, picked.step) / info["fps"]
    if fps and fps != info["fps"]:
        info["warnings"].append(f"fps {fps:.4g} was not used: the file has times of its own")
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
        path: a video file (QuickTime tag of phones), a picture, or a folder of pictures (EXIF of the first).
            The 35 mm equivalent compares the diagonal of the image with that of a 36 x 24 mm frame.
        width, height: size of the images the focal is for, pixels.
    """
    path = Path(path)
    pictures = path.is_dir() or is_picture(path)
    recorded = recorded_focal35(path) if pictures else _film_focal35(path)
    try:
        focal = float(recorded)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    if not 0 < focal < _LONGEST_35MM:
        return 0.0
    return focal / _DIAGONAL_35MM * float(np.hypot(width, height))


def _film_focal35(path: Path):
    with open_film(path) as container:
        return (container.metadata | container.streams.video[0].metadata).get(_FOCAL_TAG, 0)


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float,
    times: np.ndarray | None = None,
    crf: int = 16,
) -> Path:
    """Write frames as H.264 (yuv420p), atomically; odd sizes are padded by one pixel.

    Args:
        path: the file; its suffix (mp4, mov, mkv) says which container. An existing one is replaced.
        frames: (T, H, W, 3) uint8 RGB, or any iterable of (H, W, 3).
        fps: frames per second. times: (T,) seconds of the frames, where the rate varies.
        crf: quality, 0 (lossless) to 51; 16 looks lossless.
    """
    path = Path(path)
    seconds = frame_seconds(0 if times is None else len(times), fps=fps, times=times)
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise HvrError(f"{path}: the name must end in one of {', '.join(VIDEO_SUFFIXES)}")
    with atomic(path) as partial:
        with av.open(str(partial), "w", options={"movflags": "faststart"}) as container:
            count = _encode(container, frames, Fraction(fps).limit_denominator(1001), seconds, crf)
        if not count:
            raise HvrError(f"{path}: there are no frames to write")
        if len(seconds) not in (0, count):
            raise HvrError(f"{path}: {len(seconds)} times do not belong to the frames to write")
    return path


def _encode(container, frames: Iterable[np.ndarray], rate: Fraction, seconds: np.ndarray, crf: int) -> int:
    """Number of frames written, at ``seconds`` (T,) or, where that is empty, at the rate."""
    stream, count = None, 0
    for image in frames:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise HvrError(
                f"a frame has shape {image.shape} and type {image.dtype}; (H, W, 3) uint8 is needed"
            )
        if len(seconds) and count == len(seconds):
            return count + 1  # too many frames
        height, width = image.shape[:2]
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if stream is None:
            # Without mbtree, whose SIMD code does not give the same bytes twice at some widths (x264 165).
            options = {"crf": str(crf), "x264-params": "mbtree=0"}
            stream = container.add_stream("libx264", rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], "yuv420p"
            if len(seconds):
                stream.codec_context.time_base = _TICK
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        if count < len(seconds):
            frame.pts, frame.time_base = round(seconds[count] / _TICK), _TICK
        container.mux(stream.encode(frame))
        count += 1
    if stream is not None:
        container.mux(stream.encode())
    return count
