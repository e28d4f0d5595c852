"""The background of a standing camera, learned from the frames in which the person does not cover it.

A pixel that looks as it does without the person is background, and one that does not is the person, unless
the person's own colours explain it as well: a dark coat before a dark chair says nothing. A moving camera is
detected by the motion of edges outside the person, and has no such background. docs/perception.md, 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from hvr_nb.geometry.functions import spread_indices

_FRAMES = 48  # frames the background is learned from
_LEAST = 4  # frames that must show a pixel without the person
_STILL = 0.5  # pixels: edges of a standing camera move less
_EDGE = 6.0  # grey levels a pixel: slope of an edge
_POINTS = 100  # fewer edge pixels than this say nothing of the camera
_NOISE = 2.0  # 8-bit Lab, least spread of a pixel; a video codec alone makes as much
_SHADOW = 0.75  # a shadow takes at most this part of the lightness
_SHADED = 0.3  # share of the background that is taken to lie in somebody's shadow
_BINS = 64  # a channel of the histogram of the person's colours; coarse ones hide a coat of one colour
_NEW = (3e-8, 3e-7)  # density of unseen colours of background and person: the new is the person's
_CLIP = (-4.0, 3.0)  # bounds of the evidence of one pixel; other things than the person move too


@dataclass(frozen=True)
class Background:
    """What stands behind the person."""

    colour: np.ndarray  # (H, W, 3) float32 median, 8-bit Lab
    spread: np.ndarray  # (H, W) float32 deviation of a pixel over the frames
    known: np.ndarray  # (H, W) bool, seen without the person often enough
    person: np.ndarray  # (64, 64, 64) float32 density of the person's colours, per cubic unit of 8-bit Lab


def find_background(frames: np.ndarray, person: np.ndarray) -> Background | None:
    """The background of a clip, None where the camera moves or too few frames show it.

    Args:
        frames: (T, H, W, 3) uint8 RGB. person: (T, H, W) uint8, rough silhouettes of everybody followed.
    """
    chosen = spread_indices(len(frames), _FRAMES)
    reach = max(3, round(0.008 * max(frames.shape[1:3])))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = np.stack([cv2.dilate((person[t] > 64).astype(np.uint8), disc) > 0 for t in chosen])
    if len(chosen) < 2 * _LEAST or camera_motion(frames[chosen], near) > _STILL:
        return None
    lab = np.stack([cv2.cvtColor(frames[t], cv2.COLOR_RGB2LAB) for t in chosen])
    core = [lab[i][cv2.erode((person[t] > 230).astype(np.uint8), disc) > 0] for i, t in enumerate(chosen)]
    known = (~near).sum(0) >= _LEAST
    colour, spread = np.zeros(lab.shape[1:], np.float32), np.zeros(known.shape, np.float32)
    for row in range(len(known)):  # a row at a time: the whole stack as floats would take much memory
        seen = np.where(near[:, row, :, None], np.nan, lab[:, row].astype(np.float32))[:, known[row]]
        if seen.shape[1]:
            middle = np.nanmedian(seen, axis=0)
            colour[row, known[row]] = middle
            spread[row, known[row]] = 1.48 * np.nanmedian(np.abs(seen - middle).max(2), axis=0)
    return Background(colour, np.maximum(spread, _NOISE), known, _density(np.concatenate(core)))


def camera_motion(frames: np.ndarray, person: np.ndarray) -> float:
    """Pixels by which edges outside the person move across themselves, against the first frame.

    A small motion d changes the brightness of a pixel by d . gradient, so |change| / |gradient| is the motion
    across the edge (Horn and Schunck, "Determining optical flow", 1981, eq. 1). Taken is the median over the
    edges of a frame, less what noise alone makes, and over the frames the 90th percentile.

    Args:
        frames: (T, H, W, 3) uint8 RGB. person: (T, H, W) bool, what to leave out.

    Returns:
        0 where the background has hardly an edge.
    """
    grey = [
        cv2.GaussianBlur(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1) for f in frames
    ]
    slope = np.hypot(cv2.Sobel(grey[0], -1, 1, 0, scale=1 / 8), cv2.Sobel(grey[0], -1, 0, 1, scale=1 / 8))
    moved = []
    for picture, covered in zip(grey[1:], person[1:], strict=True):
        free = ~(covered | person[0])
        edge = free & (slope > _EDGE)
        if edge.sum() >= _POINTS and (free & ~edge).any():
            change = picture - grey[0] - np.median((picture - grey[0])[free])  # the light may change
            noise = np.median(np.abs(change[free & ~edge])) / np.median(slope[edge])
            moved.append(np.sqrt(max(np.median(np.abs(change[edge]) / slope[edge]) ** 2 - noise**2, 0.0)))
    return float(np.percentile(moved, 90)) if moved else 0.0


def background_evidence(image: np.ndarray, background: Background, box: tuple[slice, slice]) -> np.ndarray:
    """Log likelihood ratio of person to background of each pixel, from its colour alone.

    Args:
        image: (h, w, 3) uint8 RGB, the box of a frame, perhaps reduced.
        background: of the whole picture. box: rows and columns of the picture that ``image`` shows.

    Returns:
        (h, w) float32 within -4..3; 0 where the background was never seen. The background's colours are a
        mixture: as seen, or darker in the same tint, as in a shadow, by any part of the lightness.
    """
    size = image.shape[1::-1]
    colour = cv2.resize(background.colour[box], size, interpolation=cv2.INTER_AREA)
    spread = cv2.resize(background.spread[box], size, interpolation=cv2.INTER_AREA)
    known = cv2.resize(background.known[box].astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.99
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    square = cv2.boxFilter(((lab - colour) ** 2).sum(2), -1, (3, 3)) / spread**2
    lit = np.exp(-0.5 * square) / ((2 * np.pi) ** 1.5 * spread**3)
    behind = (1 - _SHADED) * lit + _SHADED * _shaded(lab, colour, spread) + _NEW[0]
    front = _at(background.person, lab) + _NEW[1]
    return np.where(known, np.clip(np.log(front / behind), *_CLIP), 0).astype(np.float32)


def _shaded(lab: np.ndarray, colour: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Density (h, w) of colours (h, w, 3) of a background in shadow: all channels shrink alike."""
    light = lab[..., 0] / np.maximum(colour[..., 0], 1)
    tint = ((lab - 128 - light[..., None] * (colour - 128))[..., 1:] ** 2).sum(2)
    tint = cv2.boxFilter(tint, -1, (3, 3)) / spread**2
    possible = (light < 1) & (light > 1 - _SHADOW)
    return possible * np.exp(-0.5 * tint) / (2 * np.pi * spread**2) / np.maximum(_SHADOW * colour[..., 0], 1)


def _density(colours: np.ndarray) -> np.ndarray:
    """Smoothed density (64, 64, 64) of 8-bit Lab colours (N, 3)."""
    counts = np.histogramdd(colours, bins=_BINS, range=[(0, 256)] * 3)[0]
    counts = gaussian_filter(counts, 0.7)
    return (counts / max(counts.sum(), 1e-9) * (_BINS / 256) ** 3).astype(np.float32)


def _at(density: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """Density (h, w) of colours (h, w, 3)."""
    return density[tuple(np.moveaxis(lab.astype(int) * _BINS // 256, -1, 0))]
