"""A folder of pictures, or a single one, as a film: in natural order of names, upright by their EXIF."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hvr_nb.store.decode import check_pixels
from hvr_nb.types import HvrError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_EXIF_IFD, _EXIF_FOCAL35 = 0x8769, 0xA405


def is_picture(path: Path) -> bool:
    """Whether a path is a single picture rather than a video or a folder."""
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def list_pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """The jpg and png files of a folder, 2.jpg before 10.jpg, and what was passed over for a reason.

    A single picture is the only one of its list.
    """
    if is_picture(folder):
        return [folder], []
    named = [f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")]
    files = sorted((f for f in named if f.is_file()), key=lambda f: (_natural(f.stem), f.name))
    return files, [f"{f.name} ({_what(f)})" for f in sorted(named) if not f.is_file()]


def _natural(name: str) -> list:
    """Sort key with numbers by value."""
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _what(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    return "no ordinary file" if path.exists() else "a link to nothing"


def picture_film(
    folder: Path, picked: range, rate: float, info: dict
) -> Iterator[tuple[str, float, np.ndarray]]:
    """Yield name, seconds and picture (H, W, 3) uint8 RGB of each.

    Args:
        folder: the pictures, or one of them alone. picked: numbers of those to give. rate: frames per second.
        info: filled on the way, see ``hvr_nb.store.video.read_video``.

    Raises:
        HvrError: no pictures, two of one name, an unreadable one, or of another size.
    """
    files, passed_over = list_pictures(folder)
    if not files:
        raise HvrError(f"{folder} holds no jpg or png pictures; give a video file or a folder of frames")
    if len({f.stem for f in files}) < len(files):
        raise HvrError(f"{folder} holds two pictures of one name (jpg and png); keep one of each")
    if passed_over:
        info["warnings"].append(f"not pictures, passed over: {', '.join(passed_over)}")
    info |= {"frames": len(files), "fps": rate, "pictures": True}
    info["bytes"] = sum(f.stat().st_size for f in files)
    shape = None
    for index in range(len(files))[picked.start : picked.stop : picked.step]:
        file = files[index]
        data = np.fromfile(file, np.uint8)
        # OpenCV turns pictures upright by their EXIF
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
        if image is None:
            raise HvrError(f"{file} is not a readable picture; replace or remove it")
        shape = shape or image.shape
        if image.shape != shape:
            raise HvrError(
                f"{file} is {image.shape[1]}x{image.shape[0]} pixels, the pictures before it are "
                f"{shape[1]}x{shape[0]}; give pictures of one size"
            )
        check_pixels(shape[1], shape[0])
        yield file.stem, index / rate, image


def recorded_focal35(folder: Path):
    """The focal length that the first picture's EXIF gives as for 35 mm film; 0 where it does not."""
    try:
        with Image.open(list_pictures(folder)[0][0]) as image:
            return image.getexif().get_ifd(_EXIF_IFD).get(_EXIF_FOCAL35, 0)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError):  # a damaged EXIF says nothing
        return 0
