"""The frames of a clip as a folder of pictures, and the index of their names and times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hvr_nb.store.atomic_files import atomic_folder
from hvr_nb.store.files import MAX_PIXELS, SCHEMA, read_image, read_json, write_image, write_json
from hvr_nb.store.film_arrays import film_array
from hvr_nb.store.inside import check_names
from hvr_nb.types import HvrError, check_fps

MANIFEST = "manifest.json"
REMEDY = "run 00_video again"


@dataclass(frozen=True)
class FrameIndex:
    """What ``frames/manifest.json`` says: the one index of a clip."""

    names: list[str]  # T plain names, no two the same
    fps: float  # frames per second, above 0
    times: list[float]  # T seconds in the source
    height: int  # pixels
    width: int  # pixels

    def digest(self, frames: np.ndarray) -> str:
        """sha256 of the index and the frames (T, H, W, 3)."""
        out = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        out.update(np.ascontiguousarray(frames))
        return out.hexdigest()


def make_index(frames: np.ndarray, *, names: Sequence[str], fps: float, times: Sequence[float]) -> FrameIndex:
    """The index of frames (T, H, W, 3).

    Raises:
        HvrError: names, times or rate do not fit the frames or cannot be used.
    """
    if len(frames) == 0:
        raise HvrError("the clip has no frames; widen the frame range or check the video")
    if len(names) != len(frames):
        raise HvrError(f"{len(frames)} frames need as many different plain names, not {len(names)}")
    check_names(names, "the frames' names", "rename the pictures")
    content = {
        "names": list(names),
        "fps": float(fps),
        "times": [float(t) for t in times],
        "height": int(frames.shape[1]),
        "width": int(frames.shape[2]),
    }
    return _index(content, "the frames", "check the video")


def read_index(folder: Path) -> tuple[FrameIndex, str]:
    """The index of a folder of frames, and the sha256 it was written with.

    Raises:
        HvrError: it is missing, damaged, or names files that are no plain names.
    """
    path = folder / MANIFEST
    content = read_json(path, remedy=REMEDY)
    if not isinstance(content.get("hash"), str):
        raise HvrError(f"{path} is damaged (no hash); {REMEDY}")
    return _index(content, path, REMEDY), content["hash"]


def _index(content: dict, where: object, remedy: str) -> FrameIndex:
    def wrong(what: str) -> HvrError:
        return HvrError(f"{where}: {what}; {remedy}")

    names, fps, times = (content.get(key) for key in ("names", "fps", "times"))
    height, width = content.get("height"), content.get("width")
    if not isinstance(names, list) or not names:
        raise wrong("there are no frame names")
    check_names(names, where, remedy)
    try:
        check_fps(fps)
    except HvrError as error:
        raise wrong(str(error)) from None
    if not isinstance(times, list) or len(times) != len(names) or not all(map(_is_number, times)):
        raise wrong(f"{len(names)} frames need as many times in seconds")
    sizes = [side for side in (height, width) if type(side) is int and side > 0]
    if len(sizes) < 2 or height * width > MAX_PIXELS:
        raise wrong(f"the frames' size is {width!r} x {height!r} pixels")
    return FrameIndex(names, float(fps), [float(t) for t in times], height, width)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # NaN is not below


def write_frames(folder: Path, frames: np.ndarray, index: FrameIndex) -> None:
    """Write frames (T, H, W, 3) as ``<name>.png`` with their index, unless the folder holds just these.

    Raises:
        HvrError: the folder holds files that stage 00 did not write.
    """
    digest = index.digest(frames)
    if _holds(folder, frames, index, digest):
        return
    with atomic_folder(folder, ours=_replaceable(folder, frames, index)) as partial:
        for name, frame in zip(index.names, frames, strict=True):
            write_image(partial / f"{name}.png", frame)
        write_json(partial / MANIFEST, {"schema": SCHEMA, "hash": digest, **asdict(index)})


def _holds(folder: Path, frames: np.ndarray, index: FrameIndex, digest: str) -> bool:
    """Whether a folder already holds exactly these frames, undamaged."""
    try:
        whole = read_index(folder)[1] == digest
        return whole and all(np.array_equal(read_frame(folder, index, k), f) for k, f in enumerate(frames))
    except HvrError:
        return False


def _replaceable(folder: Path, frames: np.ndarray, index: FrameIndex) -> set[str]:
    """Files of a folder that stage 00 wrote and may replace.

    Where the index is lost, these are pictures that equal the new ones, or rests of them after a power cut.
    """
    try:
        names = read_index(folder)[0].names
    except HvrError:
        pairs = zip(index.names, frames, strict=True)
        names = [name for name, frame in pairs if is_lost_or_same(folder / f"{name}.png", frame)]
    return {f"{name}.png" for name in names} | {MANIFEST}


def is_lost_or_same(path: Path, image: np.ndarray) -> bool:
    """Whether nothing is lost where ``image`` (H, W) or (H, W, 3) is written in the place of a picture file.

    So for an equal picture, for none, and for one that a power cut has left empty or broken off.
    """
    try:
        return np.array_equal(read_image(path, remedy=""), image)
    except HvrError:
        data = path.read_bytes() if path.is_file() else b""
        return data.startswith(b"\x89PNG") or not data.strip(b"\0")


def read_frames(folder: Path, index: FrameIndex) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB.

    Raises:
        HvrError: a picture is missing, damaged or of another size than the index says.
    """
    shape = (len(index.names), index.height, index.width, 3)
    try:
        out = film_array(shape)
    except (MemoryError, ValueError, OSError) as error:
        raise HvrError(f"{folder}: there is no room for frames of shape {shape}; {REMEDY}") from error
    for k in range(len(out)):
        out[k] = read_frame(folder, index, k)
    return out


def read_frame(folder: Path, index: FrameIndex, which: int) -> np.ndarray:
    """One frame, (H, W, 3) uint8 RGB; errors as ``read_frames``."""
    path = folder / f"{index.names[which]}.png"
    image = read_image(path, remedy=REMEDY)
    if image.shape != (index.height, index.width, 3) or image.dtype != np.uint8:
        raise HvrError(
            f"{path} is {image.shape[1]}x{image.shape[0]} of {image.dtype}, not {index.width}x{index.height} "
            f"in colour of uint8; {REMEDY}"
        )
    return image
