"""Lines along garments' borders that a clip was imported with (docs/formats.md, 7)."""

from __future__ import annotations

import cv2
import numpy as np

from hvr_nb.formats.datasets.recmv_lines import DENSE, read_lines
from hvr_nb.types import Camera

Lines = dict[tuple[str, str], dict[int, np.ndarray]]
_UPPER = ("shirt", "dress", "tube", "jacket")
# REC-MV's lines: the garments and the border of each that they are
BORDERS = {
    "neck": [(garment, "neck") for garment in _UPPER],
    "left_cuff": [(garment, "left_cuff") for garment in _UPPER],
    "right_cuff": [(garment, "right_cuff") for garment in _UPPER],
    "upper_bottom": [("shirt", "hem"), ("trousers", "waist"), ("skirt", "waist")],
    "bottom_curve": [(garment, "hem") for garment in ("dress", "tube", "skirt")],
    "left_pant": [("trousers", "left_ankle")],
    "right_pant": [("trousers", "right_ankle")],
}


def drawn_lines(clip, which: np.ndarray, camera: Camera, film: Camera) -> Lines:
    """By garment and border, and by frame of a film, the line (K, 2) in its pixels.

    Args:
        clip: whose folder may have lines. which: (N,) the clip's frames that are the film's.
        camera: of the clip's frames; its distortion is taken out. film: the camera of the film.

    Raises:
        HvrError: a file of lines is damaged or does not fit the frames; the message names it.
    """
    size = camera.width, camera.height
    found = read_lines(clip.folder, DENSE, frames=len(clip.frame_names), size=size)
    K = camera.K.copy()
    K[:2, 2] -= 0.5  # OpenCV counts pixel centres from 0, the project from 0.5
    out: Lines = {}
    for k, number in enumerate(which):
        here = found.get(int(number), {})
        for label, points in here.items():
            if np.any(camera.dist):
                points = cv2.undistortPoints(points[:, None] - 0.5, K, camera.dist, P=K)[:, 0] + 0.5
            scaled = points * np.divide((film.width, film.height), size)
            ends_shirt = label == "bottom_curve" and "upper_bottom" not in here
            for border in BORDERS[label] + [("shirt", "hem")] * ends_shirt:
                out.setdefault(border, {})[k] = scaled
    return out
