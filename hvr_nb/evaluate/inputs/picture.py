"""The picture of a check: masks against the projected body."""

from __future__ import annotations

import cv2
import numpy as np

from hvr_nb.drawing.pictures import contact_sheet
from hvr_nb.geometry.raster import rasterize
from hvr_nb.types import Camera

BOTH, MASK, BODY = (60, 170, 90), (60, 110, 235), (235, 60, 50)  # green, blue, red
TILE, COLUMNS = 220, 8
OPACITY = 0.55


def inputs_picture(
    frames: np.ndarray,
    alpha: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    camera: Camera,
    captions: list[str],
) -> np.ndarray:
    """Frames side by side: green where mask and body agree, blue the mask alone, red the body alone.

    Args:
        frames: (N, H, W, 3) uint8. alpha: (N, H, W) uint8. vertices: (N, V, 3) world metres. faces: (F, 3).

    Returns:
        (h, w, 3) uint8.
    """
    lens = camera.scaled(min(1.0, 2 * TILE / camera.height))
    size, tiles = (lens.width, lens.height), []
    for frame, mask, points in zip(frames, alpha, vertices, strict=True):
        picture = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        grey = picture.mean(-1, keepdims=True).repeat(3, -1) * 0.7 + 60
        inside = cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127
        body = rasterize(points, faces, lens)[1] >= 0
        for where, colour in ((inside & body, BOTH), (inside & ~body, MASK), (body & ~inside, BODY)):
            grey[where] = (1 - OPACITY) * grey[where] + OPACITY * np.float32(colour)
        tiles.append(grey.clip(0, 255).astype(np.uint8))
    title = "green: mask and body   blue: mask alone   red: body alone"
    return contact_sheet(tiles, captions, columns=min(COLUMNS, len(tiles)), tile=TILE, title=title)
