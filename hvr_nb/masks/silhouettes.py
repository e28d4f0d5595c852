"""Silhouettes of the followed person: the network's masks, refined (docs/perception.md, 5).

The chain is: mean of plain and mirrored network masks, temporal fusion, GrabCut, mean-field CRF, closed-form
matting, one more temporal pass. It runs in a crop around the person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
from tqdm import tqdm

from hvr_nb.masks.background import Background, background_evidence, find_background
from hvr_nb.masks.crf import combine, grabcut, guided_coefficients, mean_field
from hvr_nb.masks.flow import REACH, warp_neighbours, weighted_median
from hvr_nb.masks.labels import import_masks, write_label_png
from hvr_nb.masks.matting import closed_form_alpha, edge_band, foreground_colours
from hvr_nb.store.film_arrays import film_array
from hvr_nb.threads import over_frames
from hvr_nb.types import HvrError, Keypoints, Masks

__all__ = ["import_masks", "person_region", "refine_silhouettes", "segment_person", "write_label_png"]

_SIDE = {"best": 768, "quick": 320}  # pixels; longer crops are reduced to this length
_CHUNK = 16  # frames whose network masks are in memory as float32 at one time
# BODY_25 joints of each bone; the head is drawn as a disc
_BONES = ((1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (10, 11), (8, 12),
          (12, 13), (13, 14), (11, 22), (11, 24), (14, 19), (14, 21), (2, 9), (5, 12), (0, 1))  # fmt: skip
_HEAD = (0, 15, 16, 17, 18)
_FEET = ((11, 24, 22), (14, 21, 19))  # ankle, heel, toe
_SEED = 2.0  # log odds that what lies on a sure bone is the person
# joint, the next one of the limb, the one before (0: none, the trunk leads on)
_LIMBS = ((9, 10, 0), (12, 13, 0), (10, 11, 9), (13, 14, 12), (2, 3, 0), (5, 6, 0), (3, 4, 2), (6, 7, 5))


def segment_person(
    frames: np.ndarray, keypoints: Keypoints, *, quality: Literal["best", "quick"] = "best"
) -> Masks:
    """Soft silhouettes of the followed person, and foreground colours.

    Args:
        frames: (T, H, W, 3) uint8 RGB. keypoints: of the followed person.
        quality: "best", or "quick" (a third of the time, coarser edges).

    Returns:
        Masks with ``alpha`` and ``foreground``; alpha is 0 in frames where the person was not found.
    """
    from hvr_nb.masks.detector import person_masks  # loads the network's runtime

    raw = film_array(frames.shape[:3])
    for start in range(0, len(frames), _CHUNK):
        part = slice(start, start + _CHUNK)
        raw[part] = np.rint(255.0 * person_masks(frames[part], _part(keypoints, part)))
    return refine_silhouettes(frames, keypoints, raw, quality=quality)


def _part(keypoints: Keypoints, part: slice) -> Keypoints:
    """The keypoints of the frames ``part``."""

    def cut(a: np.ndarray | None) -> np.ndarray | None:
        return None if a is None else a[part]

    return replace(
        keypoints,
        points=cut(keypoints.points),
        filled=cut(keypoints.filled),
        found=cut(keypoints.found),
        boxes=cut(keypoints.boxes),
        landmarks=cut(keypoints.landmarks),
        world=cut(keypoints.world),
    )


def refine_silhouettes(
    frames: np.ndarray, keypoints: Keypoints, raw: np.ndarray, *, quality: Literal["best", "quick"] = "best"
) -> Masks:
    """Refine coarse silhouettes ``raw`` (T, H, W) uint8 of the followed person; see ``segment_person``."""
    if quality not in _SIDE:
        raise HvrError(f'quality is "{quality}"; use "best" or "quick"')
    side, size, background = _SIDE[quality], body_size(keypoints), find_background(frames, raw)
    first = film_array(raw.shape)
    alpha = first if quality == "quick" else film_array(raw.shape)
    foreground = film_array(frames.shape)
    boxes: dict[int, tuple[slice, slice]] = {}

    def refine(t: int) -> None:
        region = person_region(keypoints.points[t], raw.shape[1:], size=size[t])
        box = _crop(raw[t], region, margin=0.08 * size[t])
        if box is not None:
            boxes[t] = box
            region[_seeds(keypoints.points[t], raw.shape[1:], size=size[t]) > 0] = 3
            first[t][box] = _refine(frames, raw, t, box, region[box], side, background)

    def finish(t: int) -> None:
        box = boxes[t]
        if quality != "quick":
            alpha[t][box] = _settle(frames, first, t, box, side)
        foreground[t][box] = foreground_colours(frames[t][box], alpha[t][box])

    found = np.flatnonzero(keypoints.found).tolist()
    for step, work, which in (("silhouettes", refine, found), ("steady edges", finish, boxes)):
        for _ in tqdm(over_frames(work, sorted(which)), total=len(which), desc=step, unit="frame"):
            pass
    return Masks(alpha, foreground=foreground, source=f"blazepose, refined ({quality})")


def body_size(keypoints: Keypoints) -> np.ndarray:
    """(T,) pixels: the longer side of the person's box, at least 0.7 of the median of the clip."""
    sides = np.full(len(keypoints.points), np.nan)
    for t, points in enumerate(keypoints.points):
        box = keypoints.boxes[t].reshape(2, 2)  # holds hidden limbs too, as far as the silhouette goes
        hidden = points[:, :2].any(1) & (points[:, :2] >= box[0]).all(1) & (points[:, :2] <= box[1]).all(1)
        seen = points[(points[:, 2] > 0.2) | hidden, :2]
        if keypoints.found[t] and len(seen) > 1:
            sides[t] = np.ptp(seen, axis=0).max()
    if np.isnan(sides).all():
        return np.ones(len(sides))
    middle = np.nanmedian(sides)
    return np.maximum(np.where(np.isnan(sides), middle, sides), 0.7 * middle)


def _skeleton(points: np.ndarray, shape: tuple[int, int], thickness: int) -> np.ndarray:
    """(H, W) uint8: 1 on the bones between known points (25, 3), and on limbs that leave the picture."""
    image = np.zeros(shape, np.uint8)
    points = _with_limbs_outside(points, shape)
    known = points[:, 2] > 0.1
    where = np.rint(np.clip(np.nan_to_num(points[:, :2]), -4 * max(shape), 4 * max(shape))).astype(int)
    for a, b in _BONES:
        if known[a] and known[b]:
            cv2.line(image, where[a].tolist(), where[b].tolist(), 1, thickness)
    return image


def _with_limbs_outside(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Points (25, 3) with the unknown joints that lie outside the picture, as far as they can be told.

    They are where the detector guesses them. Imported joints have no guess: a knee is as far below the hip as
    the hips are below the neck, and other joints lie on in the direction of the bone before.
    """
    points, size = points.copy(), np.array(shape[::-1])
    trunk = points[8, :2] - points[1, :2] if (points[[1, 8], 2] > 0.1).all() else None
    for before, joint, after in _LIMBS:
        if points[before, 2] <= 0.1 or points[joint, 2] > 0.1:
            continue
        guess = points[joint, :2]
        if not guess.any():
            ahead = points[before, :2] - points[after, :2] if after and points[after, 2] > 0.1 else trunk
            if ahead is None:
                continue
            guess = points[before, :2] + ahead
        if np.isfinite(guess).all() and ((guess < 0) | (guess >= size)).any():
            points[joint] = [*guess, points[before, 2]]
    return points


def person_region(points: np.ndarray, shape: tuple[int, int], *, size: float) -> np.ndarray:
    """The region within reach of the skeleton, where the followed person can be.

    Args:
        points: (25, 3) BODY_25 points, pixels and confidence. shape: (H, W).
        size: extent of the person, pixels.

    Returns:
        (H, W) uint8: 2 on a bone of known points, 1 up to 0.16 of the size from one (clothes, hair), hidden
        ones included, and 0.2 from the face, 0 elsewhere.
    """
    thickness, guessed = max(1, round(0.04 * size)), points.copy()
    guessed[points[:, :2].any(1), 2] = 1.0  # where the detector guesses hidden limbs, as under a robe
    image = _skeleton(points, shape, thickness)
    reach = np.maximum(image, _skeleton(guessed, shape, thickness))
    away = cv2.distanceTransform(1 - reach, cv2.DIST_L2, 3)
    head = points[list(_HEAD)]
    head = head[head[:, 2] > 0.1, :2]
    disc = np.zeros(shape, np.uint8)
    if len(head):
        cv2.circle(disc, np.rint(head.mean(0)).astype(int).tolist(), round(0.2 * size), 1, -1)
    return np.where(image > 0, 2, ((away < 0.14 * size) & bool(image.any())) | (disc > 0)).astype(np.uint8)


def _seeds(points: np.ndarray, shape: tuple[int, int], *, size: float) -> np.ndarray:
    """(H, W) uint8: 1 where the person surely is: along thin bones and in the feet of sure points (25, 3)."""
    sure = np.where(points[:, 2:] > 0.5, points, 0.0)
    image = _skeleton(sure, shape, max(1, round(0.012 * size)))
    for foot in _FEET:
        if (sure[list(foot), 2] > 0).all():
            cv2.fillConvexPoly(image, np.rint(sure[list(foot), :2]).astype(np.int32), 1)
    return image


def _crop(raw: np.ndarray, region: np.ndarray, *, margin: float) -> tuple[slice, slice] | None:
    """Rows and columns of a box around the person, with some background, whose colours GrabCut needs."""
    y, x = np.nonzero((raw > 25) & (region > 0))
    if len(y) == 0:
        return None
    pad = max(8, round(margin))
    height, width = raw.shape
    return (
        slice(max(y.min() - pad, 0), min(y.max() + pad + 1, height)),
        slice(max(x.min() - pad, 0), min(x.max() + pad + 1, width)),
    )


def _window(
    frames: np.ndarray, masks: np.ndarray, t: int, box: tuple[slice, slice], side: int
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Frame ``t`` and its neighbours cropped to the box and reduced: image, mask 0..1, distance in frames."""
    height, width = frames[t][box].shape[:2]
    ratio = min(1.0, side / max(height, width))
    size = (max(8, round(width * ratio)), max(8, round(height * ratio)))
    near = [u for u in range(t - REACH, t + REACH + 1) if u != t and 0 <= u < len(frames)]
    for u in [t, *(u for u in near if masks[u].any())]:
        image = cv2.resize(frames[u][box], size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(masks[u][box], size, interpolation=cv2.INTER_AREA)
        yield image, mask.astype(np.float32) / 255.0, abs(u - t)


def _refine(
    frames: np.ndarray,
    raw: np.ndarray,
    t: int,
    box: tuple[slice, slice],
    region: np.ndarray,
    side: int,
    background: Background | None,
) -> np.ndarray:
    """(h, w) uint8 alpha of the box in frame ``t``: the whole chain except the last temporal pass."""
    images, masks, distances = map(list, zip(*_window(frames, raw, t, box, side), strict=True))
    image = images[0]
    region = cv2.resize(region, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    prob = weighted_median(*warp_neighbours(images, masks, distances)) * (region > 0)
    evidence = np.zeros_like(prob) if background is None else background_evidence(image, background, box)
    evidence = np.where((region == 3) & (prob > 0.5), np.maximum(evidence, _SEED), evidence).astype(
        np.float32
    )
    prob = combine(prob, grabcut(image, prob), evidence)
    scale = max(image.shape[:2]) / 480.0  # band and reach below were chosen for crops of this length
    prob = mean_field(image, prob, edge_band(prob, round(10 * scale)), radius=24 * scale)
    prob = _followed(prob * (region > 0), region >= 2)
    trust = 0.05 + 0.2 * np.abs(evidence)  # colours alone cannot part white shoes from a white floor
    alpha = closed_form_alpha(image, prob, edge_band(prob, max(1, round(2 * scale))), trust=trust)
    return _enlarge(alpha, image, frames[t][box])


def _followed(prob: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """``prob`` without the pieces > 0.5 that the skeleton does not touch, which belong to other people."""
    count, names = cv2.connectedComponents((prob > 0.5).astype(np.uint8))
    touched = np.isin(np.arange(count), names[bones])
    if not touched[1:].any():
        return prob
    dropped = (~touched[names] & (names > 0)).astype(np.uint8)
    fringe = cv2.dilate(dropped, np.ones((9, 9), np.uint8)) > 0
    return np.where(fringe & ~(touched[names] & (names > 0)), 0.0, prob).astype(np.float32)


def _enlarge(alpha: np.ndarray, image: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Guided upsampling: alpha (h, w) of the reduced image to (H, W) uint8 with the edges of the full one."""
    height, width = full.shape[:2]
    if alpha.shape != (height, width):
        guide = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255.0
        model = guided_coefficients(guide, alpha[..., None], radius=2, eps=1e-4)
        slope, offset = (cv2.resize(m, (width, height), interpolation=cv2.INTER_LINEAR) for m in model)
        alpha = slope * (cv2.cvtColor(full, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255.0) + offset
    return np.rint(255.0 * np.clip(alpha, 0.0, 1.0)).astype(np.uint8)


def _settle(frames: np.ndarray, masks: np.ndarray, t: int, box: tuple[slice, slice], side: int) -> np.ndarray:
    """(h, w) uint8 alpha of frame ``t`` without the errors that its neighbours contradict."""
    images, alphas, distances = map(list, zip(*_window(frames, masks, t, box, side), strict=True))
    settled = weighted_median(*warp_neighbours(images, alphas, distances))
    change = cv2.resize(settled - alphas[0], masks[t][box].shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.rint(np.clip(masks[t][box] + 255.0 * change, 0.0, 255.0)).astype(np.uint8)
