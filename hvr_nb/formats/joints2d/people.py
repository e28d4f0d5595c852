"""One person of all that another program found: in the frames and pixels of the clip, linked over time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.frames import match_pictures
from hvr_nb.formats.joints2d.picture_size import check_one_size, pixels_of_clip
from hvr_nb.formats.joints2d.seen import SeenPeople
from hvr_nb.keypoints.identity import joint_box, link_people
from hvr_nb.types import HvrError, Keypoints


def keypoints_of(
    seen: SeenPeople,
    path: Path,
    *,
    names: list[str] | None,
    size: tuple[int, int],
    film: dict,
    given: Sequence[float] | None,
    person: int,
) -> Keypoints:
    """One person of all that were found; arguments as for ``read_keypoints``.

    Raises:
        HvrError: nobody is found, or joints, frames or pictures do not fit; the message names ``path``.
    """
    people, ids = seen.body25(path), seen.ids
    if given and not (len(given) == 2 and np.isfinite(given).all() and min(given) >= 1):
        raise HvrError(f"the pictures' size is {given}; give their width and height in pixels")
    film_size = tuple(int(v) for v in film.get("size") or size)
    names = names or seen.pictures
    counted = 0 if film.get("pictures") else int(film.get("frames") or 0)
    try:
        frames, assumed = match_pictures(seen.pictures, names, film_frames=counted)
        if seen.every_frame and len({frame for frame in frames if frame is not None}) < len(names):
            raise HvrError(
                f"it has {len(seen.pictures)} frames, the clip {len(names)} ({names[0]} to {names[-1]}); "
                "make the joints from the same film"
            )
        alike = bool(counted) and set(seen.pictures) <= set(names)
        mine = [p for p, frame in enumerate(frames) if frame is not None]
        inside, scaled = pixels_of_clip(
            [people[p] for p in mine],
            seen,
            size=size,
            film_size=film_size,
            given=tuple(map(round, given or ())),
            named_alike=alike,
        )
        by_frame: list[list[np.ndarray]] = [[] for _ in names]
        ids_by_frame: list[list[int]] = [[] for _ in names]
        for p, here in zip(mine, inside, strict=True):
            if by_frame[frames[p]] and here:
                raise HvrError(f"two pictures ({seen.pictures[p]} is one) belong to frame {names[frames[p]]}")
            by_frame[frames[p]] += here
            ids_by_frame[frames[p]] += ids[p] if ids else []
        if seen.size is None and not given:
            check_one_size(by_frame, size, film_size)
        got = pick_person(
            by_frame, size=size, person=person, source=seen.source, ids=ids_by_frame if ids else None
        )
    except HvrError as error:
        raise HvrError(f"{path}: {error}") from None
    for note in filter(None, (assumed, scaled)):
        warnings.warn(f"{path.name}: {note}", stacklevel=3)
    return got


def pick_person(
    people: list[list[np.ndarray]],
    *,
    size: tuple[int, int],
    person: int,
    source: str,
    ids: list[list[int]] | None = None,
) -> Keypoints:
    """Link the people of all frames, and choose one of them.

    Args:
        people: for each frame the (25, 3) BODY_25 joints of everybody in it.
        size: width, height of the images, pixels.
        person: 0 for the most prominent one (by size, completeness, time in view), 1 for the next.
        source: the program that detected the joints.
        ids: track numbers of the same people, where there was a tracker.

    Raises:
        HvrError: nobody is found, or fewer people than ``person`` asks for.
    """
    tracks = _by_id(people, ids) if ids is not None else _linked(people)
    tracks.sort(key=lambda track: -sum(_prominence(joints) for joints in track.values()))
    if not 0 <= person < len(tracks):
        raise HvrError(
            f"person {person} was asked for, the {source} keypoints show {len(tracks)} "
            "people in these frames; check person, names and the folder"
        )
    points = np.zeros((len(people), 25, 3))
    boxes = np.full((len(people), 4), np.nan)
    for t, joints in tracks[person].items():
        points[t] = joints
        boxes[t] = joint_box(joints).clip(0, (size[0], size[1]) * 2)
    points[..., 2] = points[..., 2].clip(0, 1)
    found = (points[..., 2] > 0).any(1)
    return Keypoints(points, np.zeros(points.shape[:2], bool), found, boxes, source=source)


def _prominence(joints: np.ndarray) -> float:
    box = joint_box(joints)
    return float(np.prod(box[2:] - box[:2]) * joints[:, 2].clip(0, 1).mean() ** 2)


def _by_id(people: list[list[np.ndarray]], ids: list[list[int]]) -> list[dict[int, np.ndarray]]:
    tracks: dict[int, dict[int, np.ndarray]] = {}
    for t, (here, numbers) in enumerate(zip(people, ids, strict=True)):
        for joints, number in zip(here, numbers, strict=True):
            if (joints[:, 2] > 0).any():
                tracks.setdefault(number, {}).setdefault(t, joints)
    return list(tracks.values())


def _linked(people: list[list[np.ndarray]]) -> list[dict[int, np.ndarray]]:
    return [{t: people[t][i] for t, i in places.items()} for places in link_people(people)]
