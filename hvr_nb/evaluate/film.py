"""What a film promises before anything is computed: length, size, sharpness, turn, company, camera.

Some frames are looked at, a few seconds for any film. The limits are from docs/benchmarks.md, "Looking at a
film first".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from skimage.measure import blur_effect

from hvr_nb.body.headings import FULL_TURN, turn_of
from hvr_nb.drawing.pictures import resized
from hvr_nb.evaluate.doubts import CUT, SMALL
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.keypoints.blazepose import Detection, detect, find_pose
from hvr_nb.keypoints.tracking import inside
from hvr_nb.types import HvrError

LOOKED_AT = 24  # frames
SIDE = 480  # pixels; larger side at which the camera's motion is measured
PAUSE = 0.2  # seconds between the two frames that are compared for it
LEAST_CORNERS = 12  # in the background, below which nothing is said of the camera
MOVES = 1.0  # per cent of the larger side a second; a camera that moves more is not static
BLURRED = 0.6  # ``blur_effect`` of the person from which details are lost
COMPANY = 0.25  # share of the frames with somebody else of half the size
_SHOULDERS_HIPS = ((11, 23), (12, 24))  # the detector's landmarks, left and right


@dataclass(frozen=True)
class FilmJudgement:
    """What was measured of a film and what to expect of it."""

    measured: dict[str, float]
    expects: tuple[str, ...]  # sentences
    doubts: tuple[str, ...]  # sentences on what this project cannot handle well

    def __str__(self) -> str:
        return "\n".join(["What to expect of this film:", *(f"- {text}" for text in self.expects)])

    __repr__ = __str__


def judge_film(frames: np.ndarray, *, fps: float) -> FilmJudgement:
    """What a film promises, from ``LOOKED_AT`` of its frames.

    Args:
        frames: (T, H, W, 3) uint8 RGB, upright. fps: frames per second.

    Returns:
        measured: film_seconds; of the largest person person_px (median height), seen_pct of the frames,
        whole_pct (all joints in the picture), blur (0 sharp to 1, Crete et al. 2007), turn_deg (of a full
        turn shown); others_pct (frames with somebody else of half the size); camera_pct (background's speed,
        per cent of the larger side a second; NaN without corners in it).
    """
    at = spread_indices(len(frames), LOOKED_AT)
    people = [_people(frames[i]) for i in at]
    first = [poses[0] if poses else None for poses in people]
    seen = [(i, pose) for i, pose in zip(at, first, strict=True) if pose is not None]
    out = {
        "film_seconds": len(frames) / fps,
        "present_pct": 100 * len(seen) / len(at),
        "camera_pct": _camera_speed(frames, at, people, fps),
        "others_pct": 100 * float(np.mean([len(poses) > 1 for poses in people])),
    }
    if seen:
        size = frames.shape[1:]
        out |= {
            "person_px": float(np.median([_height(pose) for _, pose in seen])),
            "whole_pct": 100
            * float(np.mean([inside(pose.landmarks[:, :2], size).all() for _, pose in seen])),
            "blur": _median(_blur(frames[i], pose) for i, pose in seen),
            "turn_deg": turn_of(np.array([_heading(pose.world) for _, pose in seen])),
        }
    doubts, expects = _words(out, len(frames))
    return FilmJudgement(out, (*doubts, *expects), tuple(doubts))


def _median(values: Iterable[float]) -> float:
    """Median of what is known, NaN where nothing is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")


def _people(image: np.ndarray) -> list[Detection]:
    """Poses in an image (H, W, 3): the largest person, then others of at least half the height."""
    try:
        poses = [find_pose(image, person.roi) for person in detect(image, depth=1)]
    except HvrError:  # the detector's files are not there; notebook 01 says so
        return []
    poses = sorted((p for p in poses if p.score > 0.5 and np.isfinite(p.box).all()), key=_height)[::-1]
    kept: list[Detection] = []
    for pose in poses:
        apart = [np.abs(pose.roi[:2] - other.roi[:2]).max() > 0.2 * other.roi[2] for other in kept]
        if all(apart) and (not kept or _height(pose) >= 0.5 * _height(kept[0])):
            kept.append(pose)
    return kept


def _height(pose: Detection) -> float:
    return float(pose.box[3] - pose.box[1])


def _heading(world: np.ndarray) -> float:
    """Degrees that a person (33, 3) is turned from facing the camera."""
    left, right = (world[list(side)].mean(0) for side in _SHOULDERS_HIPS)
    across = left - right
    return float(np.degrees(np.arctan2(across[2], across[0])))


def _blur(image: np.ndarray, pose: Detection) -> float:
    x0, y0, x1, y1 = (int(round(v)) for v in pose.box)
    view = image[max(y0, 0) : y1, max(x0, 0) : x1]
    return float(blur_effect(view, channel_axis=2)) if min(view.shape[:2]) > 24 else float("nan")


def _camera_speed(frames: np.ndarray, at: np.ndarray, people: list[list[Detection]], fps: float) -> float:
    """Common speed of corners outside everybody's box, per cent of the larger side a second."""
    later = max(1, round(PAUSE * fps))
    speeds = []
    for i, poses in zip(at, people, strict=True):
        a, b = min(i, max(0, len(frames) - 1 - later)), min(i + later, len(frames) - 1)
        if a == b or (a != i and poses):  # the boxes are those of frame i
            continue
        scale = min(1.0, SIDE / max(frames.shape[1:3]))
        before, after = (cv2.cvtColor(resized(frames[k], max_side=SIDE), cv2.COLOR_RGB2GRAY) for k in (a, b))
        free = np.full(before.shape, 255, np.uint8)
        for pose in poses:
            x0, y0, x1, y1 = pose.box * scale
            dx, dy = 0.25 * (x1 - x0), 0.1 * (y1 - y0)
            free[max(0, int(y0 - dy)) : int(y1 + dy) + 1, max(0, int(x0 - dx)) : int(x1 + dx) + 1] = 0
        corners = cv2.goodFeaturesToTrack(before, 120, 0.02, 7, mask=free)
        if corners is None or len(corners) < LEAST_CORNERS:
            continue
        there, good, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None)
        moved = (there - corners)[good.ravel() == 1].reshape(-1, 2)
        if len(moved) >= LEAST_CORNERS:  # what moves by itself, leaves or noise, has no common direction
            common = float(np.linalg.norm(np.median(moved, axis=0)))
            speeds.append(100 * common / max(before.shape) / ((b - a) / fps))
    return _median(speeds)


def _words(out: dict[str, float], count: int) -> tuple[list[str], list[str]]:
    """Doubts and expectations in words."""
    doubts, expects = [], []
    if out["camera_pct"] > MOVES:
        doubts.append(
            "the camera seems to move; everything here takes it to stand still, so the body will drift"
        )
    if "person_px" not in out:
        return [*doubts, "nobody was found in the frames looked at"], expects
    whole, turn, height = out["whole_pct"], out["turn_deg"], out["person_px"]
    expects.append(f"{count} frames in {out['film_seconds']:.1f} seconds")
    if out["others_pct"] > 100 * COMPANY:
        expects.append("several people: 01 follows the largest; choose another with `person`")
    expects.append(
        f"the person is {height:.0f} pixels tall: "
        + ("enough" if height >= SMALL else "details will be lost")
    )
    if whole < 100 * (1 - CUT):
        expects.append(
            f"the whole person is in the picture in {whole:.0f} % of the frames; the rest is guessed"
        )
    if out["blur"] > BLURRED:
        expects.append("the picture is soft: textures will be too")
    expects.append(
        "a full turn: every side is filmed, and both methods can be used"
        if turn >= FULL_TURN
        else f"about {turn:.0f} degrees of a turn: sides that are never filmed are guesses, and `selfrecon`, "
        "which needs a turn, does not suit"
    )
    return doubts, expects
