"""A body against its silhouettes, and what is wrong where they do not fit: rotation, scale, place, time.

The usual errors of imported data each make a body that would fit if one thing were different; that change is
tried (docs/formats.md, 12; the most frequent fault is the camera's convention).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from hvr_nb.geometry.camera import project, resized_images, to_camera
from hvr_nb.geometry.raster import rasterize
from hvr_nb.metrics.images import iou
from hvr_nb.types import Camera

SIDE = 256  # larger side of the pictures that are compared, pixels
CROP = 96  # height of silhouettes brought to one size, pixels
BETTER = 0.12  # by which a remedy must raise the overlap to be believed
SHIFTS = (-12, -8, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 8, 12)  # frames tried


@dataclass(frozen=True)
class Sight:
    """A posed body and the masks of N frames."""

    vertices: np.ndarray  # (N, V, 3) world metres
    faces: np.ndarray  # (F, 3)
    camera: Camera  # of the small pictures
    masks: np.ndarray  # (N, h, w) bool

    def silhouettes(self) -> np.ndarray:
        """(N, h, w) bool, where the body covers the pictures."""
        return np.stack([rasterize(v, self.faces, self.camera)[1] >= 0 for v in self.vertices])


@dataclass(frozen=True)
class Place:
    """How a body stands against the masks."""

    overlap: np.ndarray  # (N,) IoU as given
    turned: str  # "", "upside down", "head down", "behind" (the camera), "left" or "right" (a quarter turn)
    scale: float  # masks' height over the body's; NaN where neither can be measured
    shift: tuple[float, float]  # right, down: from body to mask, in heights of the person


def small_sight(vertices: np.ndarray, faces: np.ndarray, camera: Camera, alpha: np.ndarray) -> Sight:
    """What ``place`` looks at, in small pictures.

    Args:
        vertices: (N, V, 3) world metres. faces: (F, 3). alpha: (N, H, W) uint8 of the same frames.
    """
    lens = camera.at_most(SIDE)
    return Sight(vertices, faces, lens, resized_images(alpha, lens) > 127)


def place(sight: Sight) -> Place:
    """Compare a body with its masks: overlap as it is, and which turn, scale and shift would mend it."""
    drawn = sight.silhouettes()
    overlap = np.array([iou(a, b) for a, b in zip(drawn, sight.masks, strict=True)])
    if np.median(to_camera(sight.vertices, sight.camera)[..., 2]) <= 0:
        return Place(overlap, "behind", *_scale_and_shift(replace(sight, vertices=_half_turn(sight))))
    return Place(overlap, _best_turn(drawn, sight.masks), *_scale_and_shift(sight))


def _half_turn(sight: Sight) -> np.ndarray:
    """Vertices (N, V, 3) turned by half about the camera's x axis: y and z change sign."""
    camera = sight.camera
    x = to_camera(sight.vertices, camera) * [1, -1, -1]
    return (x - camera.t) @ camera.R


def _best_turn(drawn: np.ndarray, masks: np.ndarray) -> str:
    """The turn in the picture that makes shapes (N, h, w) agree whatever their size and place, or ""."""
    kinds = {
        "": drawn,
        "upside down": drawn[:, ::-1],
        "head down": drawn[:, ::-1, ::-1],
        "left": np.rot90(drawn, 1, axes=(1, 2)),
        "right": np.rot90(drawn, -1, axes=(1, 2)),
    }
    score = {
        name: np.mean([alike(a, b) for a, b in zip(shapes, masks, strict=True) if b.any()] or [0.0])
        for name, shapes in kinds.items()
    }
    best = max(score, key=score.get)
    return best if score[best] > score[""] + BETTER else ""


def alike(a: np.ndarray, b: np.ndarray) -> float:
    """IoU of two shapes, (H, W) bool each, brought to the same height and middle."""
    if not a.any() or not b.any():
        return 0.0
    return iou(*(_brought(shape) for shape in (a, b)))


def _brought(shape: np.ndarray) -> np.ndarray:
    (top, bottom), (left, right) = ((r[0], r[-1] + 1) for r in (np.flatnonzero(shape.any(k)) for k in (1, 0)))
    width = int(np.clip(round(CROP * (right - left) / (bottom - top)), 1, 4 * CROP))
    crop = shape[top:bottom, left:right].astype(np.uint8)
    out = np.zeros((CROP, 4 * CROP), bool)
    start = 2 * CROP - width // 2
    out[:, start : start + width] = cv2.resize(crop, (width, CROP), interpolation=cv2.INTER_NEAREST) > 0
    return out


def _scale_and_shift(sight: Sight) -> tuple[float, tuple[float, float]]:
    """Medians over the frames whose masks are whole in the picture; NaN where there are none."""
    rows = []
    for vertices, mask in zip(sight.vertices, sight.masks, strict=True):
        if not mask.any() or cut(mask):
            continue
        xy = project(vertices, sight.camera)
        low, high = xy.min(0), xy.max(0)
        ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        top, bottom, middle = ys[0], ys[-1] + 1, (xs[0] + xs[-1] + 1) / 2
        tall = bottom - top
        rows.append(
            [
                tall / (high[1] - low[1]),
                (middle - (low[0] + high[0]) / 2) / tall,
                (top + bottom - low[1] - high[1]) / 2 / tall,
            ]
        )
    scale, right, down = np.median(rows, axis=0) if rows else (np.nan,) * 3
    return float(scale), (float(right), float(down))


def cut(mask: np.ndarray) -> bool:
    """Whether a mask (H, W) bool reaches the border of the picture."""
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def best_shift(sight_of, frames: np.ndarray, count: int, overlap: float) -> int:
    """By how many frames the poses should be moved to fit the masks better; 0 where that helps little.

    Args:
        sight_of: (frames of the body (M,), frames of the masks (M,)) -> Sight. frames: (N,) looked at.
        count: of frames in the clip. overlap: mean IoU as it is.
    """
    best, least = 0, overlap + BETTER / 2
    for shift in SHIFTS:
        inside = frames[(frames + shift >= 0) & (frames + shift < count)]
        if len(inside) < max(3, len(frames) // 2):
            continue
        sight = sight_of(inside + shift, inside)
        drawn = sight.silhouettes()
        mean = float(np.mean([iou(a, b) for a, b in zip(drawn, sight.masks, strict=True)]))
        if mean > least:
            best, least = shift, mean
    return best
