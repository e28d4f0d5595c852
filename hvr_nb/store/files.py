"""JSON and pictures: written whole or not at all; what cannot be read is an error that says what to do."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import HvrError

SCHEMA = 1  # of all files of a clip
MAX_JSON = 64 << 20  # bytes
MAX_PIXELS = 40_000_000  # of one picture; 8K is 33 million
# Runs of equal filtered bytes only: 8 % (film) to 24 % (masks) smaller than level 1, and no slower
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


def results(folder: str | Path, pattern: str) -> list[Path]:
    """The finished files of a folder, by name; names of unfinished files begin with a dot."""
    found = [p for p in Path(folder).glob(pattern) if p.is_file()]
    return sorted(p for p in found if not any(part[0] == "." for part in p.relative_to(folder).parts))


def write_json(path: str | Path, value: dict) -> None:
    """Write ``value`` as indented JSON, atomically; arrays become lists, paths text."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(value, indent=1, sort_keys=True, default=plain) + "\n")


def plain(value):
    """What JSON does not know, as what it knows: arrays (...) as lists, anything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def read_json(path: str | Path, *, remedy: str) -> dict:
    """Read a JSON object; ``remedy`` ends the error message of a missing or damaged file."""
    path = Path(path)
    if not path.is_file():
        raise HvrError(f"{path} is {'no file' if path.exists() else 'missing'}; {remedy}")
    try:
        size = path.stat().st_size
        if size > MAX_JSON:
            raise ValueError(f"{size} bytes of text")
        value = json.loads(path.read_text())
    except (ValueError, OSError, RecursionError, MemoryError) as error:
        raise HvrError(f"{path} is damaged ({error}); {remedy}") from error
    if not isinstance(value, dict):
        raise HvrError(f"{path} is damaged (no JSON object); {remedy}")
    return value


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write RGB (H, W, 3) or grey (H, W) uint8 or uint16 as PNG, atomically."""
    ok, data = cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image, _PNG)
    if not ok:
        raise HvrError(f"{path}: the image could not be encoded")
    with atomic(path) as partial:
        partial.write_bytes(data.tobytes())


def read_image(path: str | Path, *, remedy: str) -> np.ndarray:
    """Read a PNG or JPEG as RGB (H, W, 3) or grey (H, W) uint8 (uint16 where the file has 16 bits)."""
    data = np.fromfile(path, np.uint8) if Path(path).is_file() else np.zeros(0, np.uint8)
    pixels = _stated_pixels(data)
    if pixels > MAX_PIXELS:
        raise HvrError(f"{path} has more than {MAX_PIXELS / 1e6:.0f} million pixels; {remedy}")
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if pixels else None
    if image is None:
        raise HvrError(f"{path} is missing or damaged; {remedy}")
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., 2::-1])


def _stated_pixels(data: np.ndarray) -> float:
    """Pixels that the bytes of a PNG or JPEG state, before they are decoded; 0 where they are of neither."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            return image.width * image.height
    except Image.DecompressionBombError:
        return math.inf
    except Exception:  # noqa: BLE001  a hostile or damaged header can fail in any way
        return 0
