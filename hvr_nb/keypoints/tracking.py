"""Tracking: every person of a video as one track of regions and landmarks (docs/perception.md, 2).

Each person is followed from frame to frame by its own region, so a more prominent neighbour cannot take
over. The detector only opens tracks. Pieces of one person are joined by the colour of clothes and by size.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment
from tqdm import tqdm

from hvr_nb.keypoints.blazepose import LANDMARKS, Detection, crop, detect, follow_pose, roi_to_image
from hvr_nb.keypoints.evidence import person_evidence

BODY = np.arange(11, LANDMARKS)  # landmarks below the head
CORE = np.array([11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28])  # shoulders to wrists, hips to ankles
MIN_SCORE = 0.5  # least score of the landmark network for a person
MIN_EVIDENCE = 0.4  # least person_evidence; people have 0.55 to 0.95, feet and things up to 0.25
MIN_INSIDE = 0.4  # least share of the core joints inside the image
MAX_COLOUR = 45.0  # Lab, largest distance of clothes of one person
ALIKE = 10.0  # Lab, distance of clothes under which two people cannot be told apart
_APART, _STRAYED = 0.35, 0.1  # sides of a region: distance of two people, distance from the expected path
_LONGEST_DOUBT = 30  # frames that two tracks may be on one person before the younger one is ended
_NOT_JOINED = 10.0  # cost above that of any two pieces of one person


@dataclass(eq=False)  # a track is itself, whatever it holds
class Track:
    """One person: the result of the landmark network in each frame of the track."""

    poses: dict[int, Detection] = field(default_factory=dict)  # frame -> pose, seen forward in time
    colours: dict[int, np.ndarray] = field(default_factory=dict)  # frame -> (6,) Lab of torso and thighs

    def add(self, t: int, image: np.ndarray, pose: Detection) -> None:
        """Add the pose of frame ``t``; its mask is not kept."""
        self.colours[t] = clothes_colour(image, pose)
        self.poses[t] = replace(pose, mask=None)

    @property
    def frames(self) -> list[int]:
        """The frames of the track, in order."""
        return sorted(self.poses)

    @property
    def colour(self) -> np.ndarray:
        """(6,) median Lab of the clothes."""
        return np.median(list(self.colours.values()), axis=0)

    @property
    def side(self) -> float:
        """Median side of the person's region, pixels."""
        return float(np.median([p.next_roi[2] for p in self.poses.values()]))


def follow_people(frames: np.ndarray, *, fps: float, most: int = 6) -> list[Track]:
    """The tracks of all people in a video, the largest complete one first.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        fps: frames per second.
        most: largest number of people tracked at one time.
    """
    pieces = _forward(frames, max(1, round(fps / 3)), most)
    for piece in pieces:
        _extend_back(frames, piece, pieces)
    real = [p for p in pieces if person_evidence(frames, p.poses).mean() >= MIN_EVIDENCE]
    people = [person for person in _join(real, fps) if len(person.poses) >= min(3, len(frames))]
    return sorted(people, key=lambda person: -prominence(person, frames.shape[1:3]))


def _forward(frames: np.ndarray, every: int, most: int) -> list[Track]:
    """Track people forwards; the detector searches every ``every`` frames, and when a person is lost."""
    open_tracks: list[Track] = []
    closed: list[Track] = []
    missed = -np.inf  # frame in which somebody was last lost; for a second the search is more thorough
    for t, image in enumerate(tqdm(frames, desc="following people", unit="frame", leave=False)):
        lost = [track for track in open_tracks if not step(track, image, t, t - 1)]
        lost += _doubles([track for track in open_tracks if track not in lost], t)
        open_tracks = [track for track in open_tracks if track not in lost]
        closed += [track for track in lost if track.poses]
        missed = t if lost else missed
        search = t % every == 0 or (t - missed < 3 * every and t % 3 == 0)
        if search or lost or not open_tracks:
            open_tracks += _new(image, open_tracks, t, search=search)[: most - len(open_tracks)]
    return closed + open_tracks


def step(track: Track, image: np.ndarray, t: int, before: int) -> bool:
    """Track the person from frame ``before`` to ``image`` (H, W, 3), frame ``t``; False if it is lost."""
    old = track.poses[before]
    pose = follow_pose(image, old.next_roi)
    if not (_present(pose, image.shape) and 0.5 < pose.next_roi[2] / old.next_roi[2] < 2):
        return False
    track.add(t, image, pose)
    return True


def _present(pose: Detection, shape: tuple) -> bool:
    return pose.score > MIN_SCORE and inside(pose.landmarks[CORE, :2], shape).mean() >= MIN_INSIDE


def inside(points: np.ndarray, shape: tuple) -> np.ndarray:
    """(...) bool: whether points (..., 2) lie in an image of shape (H, W, ...)."""
    return ((points >= 0) & (points < (shape[1], shape[0]))).all(-1)


def near(a: np.ndarray, b: np.ndarray, *, part: float = 0.2) -> bool:
    """Whether two ROIs (4,) belong to one person: centres within ``part`` of the side, similar sizes."""
    side = max(a[2], b[2])
    return bool(np.hypot(*(a[:2] - b[:2])) < part * side and min(a[2], b[2]) > 0.6 * side)


def _doubles(tracks: list[Track], t: int) -> list[Track]:
    """Tracks that have slipped onto the person of another track."""
    lost: list[Track] = []
    for i, a in enumerate(tracks):
        for b in tracks[i + 1 :]:
            if a in lost or b in lost or not near(a.poses[t].next_roi, b.poses[t].next_roi, part=0.08):
                continue
            slipped = _slipped(a, b, t)
            if slipped is not None:
                _forget_slip(slipped, a if slipped is b else b, t)
                lost.append(slipped)
    return lost


def _slipped(a: Track, b: Track, t: int) -> Track | None:
    """The wrong one of two tracks on one person; None while that is not known.

    That is the one whose clothes changed; otherwise the one that left its path when they met; otherwise
    the younger one.
    """
    change = [np.linalg.norm(x.colours[t] - x.colour) for x in (a, b)]
    if abs(change[0] - change[1]) > 5 and np.linalg.norm(a.colour - b.colour) > ALIKE:
        return a if change[0] > change[1] else b
    met = t
    while met >= 0 and met in a.poses and met in b.poses:
        if not near(a.poses[met].next_roi, b.poses[met].next_roi, part=_APART):
            break
        met -= 1
    if met not in a.poses or met not in b.poses or t - met > _LONGEST_DOUBT:
        return a if len(a.poses) < len(b.poses) else b
    strayed = [np.linalg.norm(_expected(x, t, until=met) - x.poses[t].next_roi[:2]) / x.side for x in (a, b)]
    if abs(strayed[0] - strayed[1]) < _STRAYED:
        return None
    return a if strayed[0] > strayed[1] else b


def _forget_slip(track: Track, other: Track, t: int) -> None:
    """Remove the last frames in which ``track`` was already on the other person."""
    for frame in range(t, -1, -1):
        if frame not in track.poses or frame not in other.poses:
            return
        if not near(track.poses[frame].next_roi, other.poses[frame].next_roi, part=0.15):
            return
        del track.poses[frame], track.colours[frame]


def _new(image: np.ndarray, tracks: list[Track], t: int, *, search: bool) -> list[Track]:
    """Tracks for people found where nobody is tracked yet; ``search`` finds small people too."""
    taken = [track.poses[t] for track in tracks]
    found = []
    people = detect(image, depth=int(search))
    if not people and not tracks and search:
        people = detect(image, depth=3)
    for person in people:
        pose = follow_pose(image, person.roi)
        if not _present(pose, image.shape) or any(_same(pose, other) for other in taken):
            continue
        taken.append(pose)
        track = Track()
        track.add(t, image, pose)
        found.append(track)
    return found


def _same(pose: Detection, other: Detection) -> bool:
    """Whether a new pose is somebody who is tracked already, or a part of them taken for a person."""
    low, high = other.landmarks[:, :2].min(0), other.landmarks[:, :2].max(0)
    margin = 0.05 * (high - low).max()
    points = pose.landmarks[:, :2]
    part = ((points > low - margin) & (points < high + margin)).all(1).mean() > 0.8
    return near(pose.next_roi, other.next_roi) or bool(part and pose.next_roi[2] < 0.8 * other.next_roi[2])


def _extend_back(frames: np.ndarray, track: Track, others: list[Track]) -> None:
    """Track a person backwards from the first frame of the track, because the detector finds people late."""
    t = track.frames[0]
    while t > 0 and step(track, frames[t - 1], t - 1, t):
        t -= 1
        rivals = [o.poses[t].next_roi for o in others if o is not track and t in o.poses]
        if any(near(track.poses[t].next_roi, roi) for roi in rivals):
            del track.poses[t], track.colours[t]
            return


def clothes_colour(image: np.ndarray, pose: Detection) -> np.ndarray:
    """(6,) mean Lab colours of torso and thighs, inside the silhouette where it is known."""
    view = cv2.cvtColor(crop(image, pose.roi, 64), cv2.COLOR_RGB2LAB).astype(np.float32)
    mask = cv2.resize(pose.mask, (64, 64), interpolation=cv2.INTER_AREA)
    to_image = roi_to_image(pose.roi, 64)
    points = (pose.landmarks[:, :2] - to_image[:, 2]) @ np.linalg.inv(to_image[:, :2]).T
    polygons = points[[11, 12, 24, 23]], points[[23, 24, 26, 25]]
    return np.concatenate([_mean_in(view, mask, polygon) for polygon in polygons])


def _mean_in(view: np.ndarray, mask: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    area = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(area, cv2.convexHull(polygon.astype(np.float32)).astype(np.int32), 1)
    weight = area * mask + 1e-6
    return (view * weight[..., None]).sum((0, 1)) / weight.sum()


def _join(pieces: list[Track], fps: float) -> list[Track]:
    """Join pieces of one person who was hidden, or left and came back.

    One assignment for all pieces: each end is joined to at most one later beginning, by clothes and, among
    people in similar clothes, by the position expected at constant speed.
    """
    pieces = sorted(pieces, key=lambda p: (p.frames[0], -p.side))
    costs = np.array([[_join_cost(a, b, fps) for b in pieces] for a in pieces]).reshape((len(pieces),) * 2)
    later = dict(zip(*linear_sum_assignment(np.minimum(costs, _NOT_JOINED)), strict=True))
    people = [Track(dict(piece.poses), dict(piece.colours)) for piece in pieces]
    joined = set()
    for i, j in reversed(sorted(later.items())):
        if costs[i, j] < _NOT_JOINED:
            people[i].poses |= people[j].poses
            people[i].colours |= people[j].colours
            joined.add(j)
    return [person for i, person in enumerate(people) if i not in joined]


def _join_cost(before: Track, after: Track, fps: float) -> float:
    """Cost of joining two pieces: small for one person, infinite where that is impossible."""
    gap = after.frames[0] - before.frames[-1]
    colour = float(np.linalg.norm(before.colour - after.colour)) / MAX_COLOUR
    if gap <= 0 or colour > 1 or not 0.4 < after.side / before.side < 2.5:
        return np.inf
    if gap > fps:  # after more than a second the expected position says nothing
        return colour + 1.0
    begin = after.frames[0]
    expected = _expected(before, begin, until=before.frames[-1])
    strayed = np.linalg.norm(expected - after.poses[begin].next_roi[:2]) / before.side
    return colour + min(1.0, float(strayed))


def _expected(track: Track, t: int, *, until: int) -> np.ndarray:
    """(2,) expected centre of the region in frame t, at the speed of the six frames before ``until``."""
    last = [frame for frame in track.frames if frame <= until][-6:]
    centres = np.stack([track.poses[frame].next_roi[:2] for frame in last])
    speed = (centres[-1] - centres[0]) / max(last[-1] - last[0], 1)
    return centres[-1] + speed * (t - last[-1])


def prominence(track: Track, shape: tuple) -> float:
    """Sum over the frames of completeness squared times the area of the person in the image."""
    total = 0.0
    for pose in track.poses.values():
        seen = inside(pose.landmarks[BODY, :2], shape) & (pose.landmarks[BODY, 3] > 0.5)
        total += seen.mean() ** 2 * pose.next_roi[2] ** 2 / (shape[0] * shape[1])
    return total
