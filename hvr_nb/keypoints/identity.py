"""Identities: linking the people of all frames, and choosing the one to follow (docs/perception.md, 4).

People are linked from frame to frame by one assignment (Kuhn 1955) over the similarity of poses and the
overlap of boxes. Both are measured against the position that a person is expected at with constant speed,
so a person who was hidden is found again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from hvr_nb.keypoints.blazepose import box_iou
from hvr_nb.types import HvrError, Keypoints

LEAST_SCORE = 0.1  # least mean of pose similarity and overlap, 0..1; below it is somebody else
REACH = 0.1  # sizes of the person, usual distance of a joint from its expected position after one frame
HIDDEN = 30  # frames for which a hidden person is expected to keep its speed; then it stops
_SPEEDS = 8  # frames whose median gives the speed
_RESIZED = 0.5  # least change of size of a person found again; the largest is its inverse
CORE = (2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14)  # BODY_25 shoulders to wrists, hips to ankles
SURE, MARGIN, LEAST_CORE, LEAST_TRUNK = 0.3, 0.01, 10 / 12, 0.02  # of a complete pose


@dataclass
class _Person:
    """What is known of one person so far."""

    points: np.ndarray  # (J, 3) joints when last seen
    last: int  # the frame of ``points``
    places: dict[int, int]  # frame -> index among the people of that frame
    speeds: list[np.ndarray] = field(default_factory=list)  # (2,) pixels per frame, the latest ones

    def see(self, points: np.ndarray, t: int, index: int) -> None:
        both = (points[:, 2] > 0) & (self.points[:, 2] > 0)
        if both.any():
            step = np.median(points[both, :2] - self.points[both, :2], axis=0) / (t - self.last)
            self.speeds = [*self.speeds, step][-_SPEEDS:]
        self.points, self.last, self.places[t] = points, t, index

    def expected(self, t: int) -> np.ndarray:
        """(J, 3) the last pose, moved to frame t at the person's speed."""
        out = self.points.copy()
        if self.speeds and t - self.last <= HIDDEN:
            out[:, :2] += np.median(self.speeds, axis=0) * (t - self.last)
        return out


def link_people(people: list[list[np.ndarray]]) -> list[dict[int, int]]:
    """Link the people of all frames; people come in the order in which they are first seen.

    Args:
        people: for each frame the joints (J, 3) of everybody in it, in any order: x, y in pixels and
            confidence, 0 = not known. Entries without any known joint are ignored.

    Returns:
        for each person a dictionary: frame -> index in the list of that frame.
    """
    known: list[_Person] = []
    for t, everybody in enumerate(people):
        free = [i for i, points in enumerate(everybody) if (points[:, 2] > 0).any()]
        for followed in (True, False):  # first people seen in the last frame, then people who were hidden
            some = [p for p in known if (t - p.last == 1) == followed and p.last < t] if free else []
            scores = np.array([[_score(p, everybody[i], t) for i in free] for p in some])
            for row, column in _pairs(scores.reshape(len(some), len(free))):
                some[row].see(everybody[free[column]], t, free[column])
            free = [i for i in free if not any(p.places.get(t) == i for p in known)]
        known += [_Person(everybody[i], t, {t: i}) for i in free]
    return [person.places for person in known]


def _pairs(scores: np.ndarray) -> list[tuple[int, int]]:
    """The best assignment of rows to columns, without pairs under ``LEAST_SCORE``."""
    rows, columns = linear_sum_assignment(np.where(scores < LEAST_SCORE, 0, scores), maximize=True)
    return [(int(a), int(b)) for a, b in zip(rows, columns, strict=True) if scores[a, b] >= LEAST_SCORE]


def _score(person: _Person, points: np.ndarray, t: int) -> float:
    """Score 0..1 of joints (J, 3) in frame t for a person: mean of pose similarity and overlap."""
    expected, age = person.expected(t), t - person.last
    mine, theirs = joint_box(expected), joint_box(points)
    size, other = (max(np.max(box[2:] - box[:2]), 1.0) for box in (mine, theirs))
    if age > 1 and not _RESIZED < other / size < 1 / _RESIZED:
        return 0.0
    overlap = float(box_iou(mine, theirs[None])[0])
    reach = REACH * size * min(1 + (age - 1) / 5, 4.0)
    return 0.5 * (pose_similarity(expected, points, reach=reach) + overlap)


def pose_similarity(a: np.ndarray, b: np.ndarray, *, reach: float) -> float:
    """Similarity 0..1 of two poses (J, 3): COCO's object keypoint similarity with one tolerance.

    Args:
        a, b: x, y in pixels and confidence. Only joints known in both count; with fewer than six of
            them the similarity is lower.
        reach: pixels at which the share of a joint falls to 0.6.
    """
    both = (a[:, 2] > 0) & (b[:, 2] > 0)
    if not both.any():
        return 0.0
    square = ((a[both, :2] - b[both, :2]) ** 2).sum(-1)
    return float(np.exp(-square / (2 * reach**2)).mean() * min(1.0, both.sum() / 6))


def joint_box(joints: np.ndarray) -> np.ndarray:
    """(4,) box x0, y0, x1, y1 of the known joints of (J, 3), a tenth wider on each side, pixels."""
    known = joints[joints[:, 2] > 0, :2]
    low, high = known.min(0), known.max(0)
    margin = 0.1 * (high - low).max()
    return np.concatenate([low - margin, high + margin])


def is_complete(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(T,) bool: whether a pose is complete (docs/perception.md, 4).

    That is 10 of 12 limb joints, both hips, a shoulder, and at most one border of the picture crossed.

    Args:
        points: (T, 25, 3) BODY_25, pixels and confidence. size: width, height of the picture, pixels.
    """
    low, high = (np.array(size, float) * part for part in (MARGIN, 1 - MARGIN))
    within = ((points[..., :2] >= low) & (points[..., :2] <= high)).all(-1)
    seen = (points[..., 2] >= SURE) & within
    known = np.where(points[..., 2:] >= SURE, points[..., :2], np.nan)
    whole = (seen[:, CORE].mean(1) >= LEAST_CORE) & seen[:, [9, 12]].all(1) & seen[:, [2, 5]].any(1)
    trunk = np.linalg.norm(points[:, [2, 5], :2].mean(1) - points[:, [9, 12], :2].mean(1), axis=1)
    with np.errstate(invalid="ignore"):
        outside = [(known < low).any(1), (known > high).any(1)]
    return whole & (np.concatenate(outside, 1).sum(1) <= 1) & (trunk >= LEAST_TRUNK * size[1])


def first_complete(people: list[Keypoints], *, size: tuple[int, int], fps: float) -> int:
    """The person to follow if none is chosen: the first with a complete pose, the largest of several.

    Args:
        people: of one clip, T frames each. size: width, height of the frames, pixels.
        fps: frames per second. People complete within half a second of the first one count as first too.

    Returns:
        index into ``people``; 0 where nobody has a complete pose.

    Raises:
        HvrError: there are no people.
    """
    if not people:
        raise HvrError("there is nobody to choose from; check that somebody is in view")
    whole = [np.flatnonzero(is_complete(p.points, size) & p.found) for p in people]
    start = min((frames[0] for frames in whole if len(frames)), default=None)
    if start is None:
        return 0
    stop = start + max(1, round(0.5 * fps))
    areas = [
        np.median(_areas(p, frames[frames < stop])) if len(frames) and frames[0] < stop else -1.0
        for p, frames in zip(people, whole, strict=True)
    ]
    return int(np.argmax(areas))


def person_at(people: list[Keypoints], frame: int, pixel: tuple[float, float]) -> int:
    """Index of the person whose box contains ``pixel`` (x, y) of a frame, the smallest of several.

    Raises:
        HvrError: nobody is there.
    """
    boxes = np.array([p.boxes[frame] for p in people]).reshape(-1, 4)
    inside = (boxes[:, :2] <= pixel).all(1) & (boxes[:, 2:] >= pixel).all(1)
    if not inside.any():
        raise HvrError(
            f"nobody stands at pixel {tuple(pixel)} of frame {frame}; {len(people)} people were found: "
            "choose a pixel in one of their boxes"
        )
    return int(np.argmin(np.where(inside, np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), np.inf)))


def _areas(person: Keypoints, frames: np.ndarray) -> np.ndarray:
    return np.prod(person.boxes[frames, 2:] - person.boxes[frames, :2], axis=1)
