"""AlphaPose's `alphapose-results.json`: a flat list of people, each with its picture's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.people import (
    coco17_to_body25,
    frame_index,
    frame_names,
    joint_array,
    load_json,
    pick_person,
    with_means,
)
from hvr_nb.types import HvrError, Keypoints

# Halpe-26 joint -> BODY_25 joint; 17 (top of the head) has none
_HALPE26 = {0: 0, 1: 16, 2: 15, 3: 18, 4: 17, 5: 5, 6: 2, 7: 6, 8: 3, 9: 7, 10: 4, 11: 12, 12: 9, 13: 13,
            14: 10, 15: 14, 16: 11, 18: 1, 19: 8, 20: 19, 21: 22, 22: 20, 23: 23, 24: 21, 25: 24}  # fmt: skip


def read_alphapose(
    path: str | Path,
    *,
    size: tuple[int, int],
    names: list[str] | None = None,
    count: int = 0,
    person: int = 0,
) -> Keypoints:
    """Read an AlphaPose results file (COCO-17, Halpe-26 or Halpe-136 joints).

    Args:
        path: the JSON file. Where it carries track numbers (`idx`) they say who is who.
        size: width, height of the images, pixels.
        names: the clip's frame names; people are matched by `image_id`, or by the number in it.
        count: instead of names, the number of frames, numbered from 0. With neither, the file's.
        person: 0 is the most prominent person, 1 the next ...

    Raises:
        HvrError: missing or damaged file, other joints, or not so many people.
    """
    path = Path(path)
    content = load_json(path)
    if not isinstance(content, list) or not content:
        raise HvrError(f"{path} is not a list of people; give AlphaPose's own alphapose-results.json")
    return keypoints_of(content, path, size=size, names=names, count=count, person=person, source="alphapose")


def keypoints_of(
    entries: list[dict],
    path: Path,
    *,
    size: tuple[int, int],
    names: list[str] | None,
    count: int,
    person: int,
    source: str,
) -> Keypoints:
    """One person of a flat list of people, each with ``image_id`` and ``keypoints``; as ``read_alphapose``.

    Args:
        entries: where every one has a track number ``idx``, those say who is who.
        path: the file they are from, for the messages. source: who measured them.
    """
    try:
        stems = [Path(str(entry["image_id"])).stem for entry in entries]
        flats = [entry["keypoints"] for entry in entries]
    except (KeyError, TypeError) as error:
        raise HvrError(f"{path} is not an AlphaPose file ({error} missing); check the path") from error
    names = frame_names(names, count, stems)
    people: list[list[np.ndarray]] = [[] for _ in names]
    ids: list[list[int]] = [[] for _ in names]
    for stem, flat, entry in zip(stems, flats, entries, strict=True):
        index = frame_index(stem, names)
        if index is not None:
            people[index].append(_body25(joint_array(flat, path, (17, 26, 136))))
            ids[index].append(_track(entry))
    tracked = all(number >= 0 for frame in ids for number in frame)
    return pick_person(people, size=size, person=person, source=source, ids=ids if tracked else None)


def _body25(joints: np.ndarray) -> np.ndarray:
    """(25, 3) from COCO-17, Halpe-26 or the first 26 joints of Halpe-136."""
    if len(joints) == 17:
        return coco17_to_body25(joints)
    out = np.zeros((25, 3))
    out[list(_HALPE26.values())] = joints[list(_HALPE26)]
    return with_means(out)


def _track(entry: dict) -> int:
    """The tracker's number of a person; -1 where there was no tracker."""
    number = entry.get("idx", -1)
    while isinstance(number, list):
        number = number[0] if number else -1
    return int(number) if isinstance(number, int | float) else -1
