"""Frames to the 2D joints of one person, or of all people (docs/perception.md, 3).

Test-time augmentation: four passes over every frame are repaired and merged. With both landmark networks
they are the full and the heavy one, plain and mirrored; with the full one alone, forwards and backwards in
time, plain and mirrored. How far they differ gives the confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from hvr_nb.keypoints.blazepose import FULL, HEAVY, LANDMARKS, Detection, find_pose, follow_pose, has_heavy
from hvr_nb.keypoints.merge_passes import confidence, fill_gaps, low_pass, merge_passes, runs
from hvr_nb.keypoints.tracking import MIN_SCORE, Track, follow_people, inside, near
from hvr_nb.types import HvrError, Keypoints, Tracks

LOWEST_FILTERED_FPS = 15.0  # videos with fewer frames per second are not filtered
LONGEST_GAP = 0.5  # seconds, longest gap that is interpolated
KNOWN, FILLED_CONFIDENCE = 0.1, 0.2
COCO17 = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
# BODY_25 <- landmark; landmarks_to_body25 computes neck (1), mid-hip (8) and small toes (20, 23)
BODY25 = (0, -1, 12, 14, 16, 11, 13, 15, -1, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7, 31, 31, 29, 32, 32, 30)


def landmarks_to_body25(landmarks: np.ndarray) -> np.ndarray:
    """(..., 33, 3) BlazePose landmarks to (..., 25, 3) BODY_25; small toes get confidence 0."""
    out = landmarks[..., BODY25, :].copy()
    for joint, (a, b) in {1: (11, 12), 8: (23, 24)}.items():
        out[..., joint, :2] = (landmarks[..., a, :2] + landmarks[..., b, :2]) / 2
        out[..., joint, 2] = np.minimum(landmarks[..., a, 2], landmarks[..., b, 2])
    out[..., (20, 23), 2] = 0
    return out


def landmarks_to_coco(landmarks: np.ndarray) -> np.ndarray:
    """(..., 33, 3) BlazePose landmarks to (..., 17, 3) COCO joints."""
    return landmarks[..., COCO17, :]


def _filled25(filled: np.ndarray) -> np.ndarray:
    """Flags of landmarks (T, 33) to flags of joints (T, 25); a mean of two is filled where either is."""
    out = filled[:, BODY25]
    out[:, 1] = filled[:, (11, 12)].any(1)
    out[:, 8] = filled[:, (23, 24)].any(1)
    return out


def detect_keypoints(frames: np.ndarray, *, fps: float, person: int = 0) -> Keypoints:
    """The 2D joints of one person in all frames of a video.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        fps: frames per second.
        person: 0 for the largest person who is completely visible, 1 for the next, and so on.

    Returns:
        Keypoints with landmarks and world. Gaps of at most half a second are interpolated and flagged in
        ``filled``. In longer gaps ``found`` is False and the confidence 0.

    Raises:
        HvrError: nobody is found, or fewer people than ``person`` asks for.
    """
    return follow_person(frames, fps=fps, person=person)[0]


def follow_person(
    frames: np.ndarray, *, fps: float, person: int = 0, people: Sequence[Track] | None = None
) -> tuple[Keypoints, Tracks]:
    """``detect_keypoints`` for frames (T, H, W, 3), with the boxes of all people who were tracked.

    Args:
        people: of ``follow_people``, where that was called before.
    """
    people = follow_people(frames, fps=fps) if people is None else people
    found = boxes_of_people(people, frames, chosen=person)
    keypoints = track_keypoints(frames, people[person], fps=fps)
    found.boxes[person] = keypoints.boxes
    return keypoints, found


def boxes_of_people(people: Sequence[Track], frames: np.ndarray, *, chosen: int = 0) -> Tracks:
    """Who of ``follow_people`` is where in frames (T, H, W, 3).

    Raises:
        HvrError: there is nobody, or nobody of the number ``chosen``.
    """
    if not people:
        raise _nobody(frames)
    if not 0 <= chosen < len(people):
        raise HvrError(f"person {chosen} was asked for, {len(people)} found; give 0 to {len(people) - 1}")
    boxes = np.full((len(people), len(frames), 4), np.nan)
    for row, track in zip(boxes, people, strict=True):
        for t, pose in track.poses.items():
            row[t] = pose.box
    return Tracks(boxes, chosen)


def detect_people(frames: np.ndarray, *, fps: float) -> list[Keypoints]:
    """The 2D joints of all people in a video; each has all frames of the clip and its own ``found``.

    The order is that of ``person`` in ``detect_keypoints``: by size and completeness over the clip.
    ``first_complete`` and ``person_at`` choose one of them.

    Args:
        frames: (T, H, W, 3) uint8 RGB. fps: frames per second.

    Raises:
        HvrError: nobody is found.
    """
    people = [track_keypoints(frames, track, fps=fps) for track in follow_people(frames, fps=fps)]
    if not people:
        raise _nobody(frames)
    return people


def _nobody(frames: np.ndarray) -> HvrError:
    return HvrError(
        f"no person found in the {len(frames)} frames; check that somebody is in view, visible from head "
        "to hips and at least about 1/11 of the height of the picture"
    )


def track_keypoints(frames: np.ndarray, track: Track, *, fps: float) -> Keypoints:
    """Merged and filtered joints of one track of ``follow_people``; frames (T, H, W, 3)."""
    total = len(frames)
    found = np.zeros(total, bool)
    found[track.frames] = True
    landmarks, world = np.zeros((total, LANDMARKS, 3)), np.zeros((total, LANDMARKS, 3))
    with tqdm(total=3 * int(found.sum()), desc="three more passes", unit="frame", leave=False) as bar:
        for start, stop in runs(found):
            rows = slice(start, stop)
            landmarks[rows], world[rows] = _clean_run(frames, track, range(start, stop), fps, bar)
    landmarks[..., 2] *= inside(landmarks[..., :2], frames.shape[1:])
    longest = max(1, round(LONGEST_GAP * fps))
    landmarks, world, found, filled = _fill(landmarks, world, found, longest)
    if fps >= LOWEST_FILTERED_FPS:
        landmarks, world = _smooth(landmarks, world, found, fps)
    points = landmarks_to_body25(landmarks)
    boxes = _boxes(landmarks, track, found, frames.shape[1:3])
    source = "blazepose, full and heavy" if has_heavy() else "blazepose"
    return Keypoints(points, _filled25(filled), found, boxes, landmarks, world, source=source)


def _clean_run(frames: np.ndarray, track: Track, order: range, fps: float, bar):
    """Landmarks (n, 33, 3) and world (n, 33, 3) of a run of frames in which the person was tracked."""
    passes = [[track.poses[t] for t in order], _one_pass(frames, track, order, bar, mirrored=True)]
    if has_heavy():  # its errors differ from the full network's, which the time's direction hardly changes
        passes += [_one_pass(frames, track, order, bar, mirrored=m, network=HEAVY) for m in (False, True)]
    else:
        passes += [_one_pass(frames, track, order[::-1], bar, mirrored=m)[::-1] for m in (False, True)]
    points = np.stack([[pose.landmarks for pose in poses] for poses in passes], axis=1)  # (n, 4, 33, 5)
    world = np.stack([[pose.world for pose in poses] for poses in passes], axis=1)
    height = person_height(track)
    merged, visibility, world, spread = merge_passes(points[..., :2] / height, points[..., 3], world, fps=fps)
    sure = confidence(visibility, spread)
    return np.concatenate([merged * height, sure[..., None]], axis=-1), world


def _one_pass(
    frames: np.ndarray, track: Track, order: range, bar, *, mirrored: bool, network: str = FULL
) -> list[Detection]:
    """Track the person once more along ``order``; where it is lost, the region of ``track`` is used."""
    poses, roi = [], track.poses[order[0]].roi
    for t in order:
        pose = follow_pose(frames[t], roi, mirrored=mirrored, network=network)
        if pose.score < MIN_SCORE or not near(pose.next_roi, track.poses[t].next_roi):
            pose = find_pose(frames[t], track.poses[t].roi, mirrored=mirrored, network=network)
        poses.append(replace(pose, mask=None))  # a quarter of a megabyte each
        roi = pose.next_roi if near(pose.next_roi, track.poses[t].next_roi) else track.poses[t].next_roi
        bar.update()
    return poses


def person_height(track: Track) -> float:
    """Height of the person in pixels, from the side of the network's region (1.45 heights)."""
    return track.side / 1.45


def _fill(landmarks: np.ndarray, world: np.ndarray, found: np.ndarray, longest: int):
    """Interpolate short gaps of the whole person, then of single landmarks with low confidence."""
    both = np.concatenate([landmarks, world], axis=-1)
    seen = np.repeat(found[:, None], LANDMARKS, axis=1)
    both, bridged = fill_gaps(both, seen, longest)
    known = (both[..., 2] >= KNOWN) & ~bridged
    both, filled = fill_gaps(both, known, longest)
    both[bridged, 2] = 0
    both[filled, 2] = FILLED_CONFIDENCE
    return both[..., :3], both[..., 3:], found | bridged.any(1), filled | bridged


def _smooth(landmarks: np.ndarray, world: np.ndarray, found: np.ndarray, fps: float):
    """Positions low-pass filtered within each run of frames with the person; confidence is kept."""
    landmarks, world = landmarks.copy(), world.copy()
    for start, stop in runs(found):
        rows, sure = slice(start, stop), landmarks[start:stop, :, 2]
        for values, size in ((landmarks, 2), (world, 3)):
            flat = values[rows, :, :size].reshape(stop - start, -1)
            flat = low_pass(flat, np.repeat(sure, size, axis=1), fps=fps)
            values[rows, :, :size] = flat.reshape(stop - start, LANDMARKS, size)
    return landmarks, world


def _boxes(landmarks: np.ndarray, track: Track, found: np.ndarray, shape: tuple) -> np.ndarray:
    """(T, 4) boxes around silhouette and confident landmarks, inside the image; NaN where not found."""
    boxes = np.full((len(found), 4), np.nan)
    for t in np.flatnonzero(found):
        sure = landmarks[t, landmarks[t, :, 2] > KNOWN, :2]
        corners = [sure] if t not in track.poses else [sure, track.poses[t].box.reshape(2, 2)]
        corners = np.concatenate(corners)
        if np.isfinite(corners).any():
            low, high = np.nanmin(corners, axis=0), np.nanmax(corners, axis=0)
            boxes[t] = np.concatenate([low, high]).clip(0, (shape[1], shape[0]) * 2)
    return boxes
