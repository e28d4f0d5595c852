"""Moving pictures as text: encoded small enough for a notebook, in step, at the clip's own rate."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from hvr_nb.drawing.pictures import as_rgb, resized
from hvr_nb.geometry.functions import spread_indices

MIME = "image/webp"
SIDES = (480, 400, 320, 260, 200)  # larger side of a picture, pixels; the first that fits is taken
SAMPLED = 4  # pictures that are encoded to guess the size of all


def pack_film(
    panels: Mapping[str, Callable[[int], np.ndarray]],
    count: int,
    *,
    budget: int,
    sides: tuple[int, ...] = SIDES,
    quality: int = 75,
) -> list[dict]:
    """Every picture of every panel as text in a page.

    Pictures are made smaller until all fit into ``budget``; where even the smallest do not, every n-th frame
    is kept.

    Args:
        panels: label -> (frame -> (H, W, 3) uint8). count: frames.
        budget: characters of text. sides: larger sides to try, pixels. quality: of WebP, 0..100.

    Returns:
        for each panel label, width, height (pixels), every (frames a picture stands for) and frames.
    """
    sampled = {
        label: [draw(int(k)) for k in spread_indices(count, SAMPLED)] for label, draw in panels.items()
    }
    for side in sides:
        texts = [encode_picture(image, side, quality) for images in sampled.values() for image in images]
        each = sum(map(len, texts)) / len(texts) * len(panels)  # a frame, all panels
        if each * count <= budget:
            break
    every = max(1, math.ceil(each * count / budget))
    return [
        _panel(label, draw, range(0, count, every), side, quality, every) for label, draw in panels.items()
    ]


def _panel(label: str, draw, kept: range, side: int, quality: int, every: int) -> dict:
    frames = []
    for k in kept:
        image = resized(as_rgb(draw(k)), max_side=side)
        if not frames:
            height, width = image.shape[:2]
        frames.append(encode_picture(image, side, quality))
    return {"label": label, "width": width, "height": height, "every": every, "frames": frames}


def encode_picture(image: np.ndarray, side: int, quality: int) -> str:
    """An RGB picture (H, W, 3) with a larger side of at most ``side`` as WebP in base64."""
    buffer = io.BytesIO()  # method 1: half the size of JPEG; the slower ones save a quarter more
    Image.fromarray(resized(as_rgb(image), max_side=side)).save(buffer, "WEBP", quality=quality, method=1)
    return base64.b64encode(buffer.getvalue()).decode()
