"""AlphaPose's flat list of people, and PoseFlow's and AlphaPose's lists by picture (docs/formats.md, 4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.openpose import is_openpose, openpose_people
from hvr_nb.formats.joints2d.seen import SeenPeople, joints_from


def is_flat_list(content) -> bool:
    """Whether the content of a JSON file is a list of people with the names of their pictures."""
    return isinstance(content, list) and bool(content) and all(_has_picture(person) for person in content)


def _has_picture(person) -> bool:
    return isinstance(person, dict) and "image_id" in person


def people_of_list(entries: list[dict], source: str, *, size: tuple[int, int] | None = None) -> SeenPeople:
    """People with ``image_id`` and ``keypoints``, by picture, in the order of the list.

    Args:
        entries: the people. If all have a track number ``idx``, the numbers link them over time.
        source: the program that detected the joints. size: width, height of the pictures, if known.

    Raises:
        KeyError, TypeError, ValueError: the layout is another one.
    """
    people: dict[str, list[np.ndarray]] = {}
    ids: dict[str, list[int]] = {}
    for entry in entries:
        picture = Path(str(entry["image_id"])).stem
        people.setdefault(picture, []).append(joints_from(entry["keypoints"]))
        ids.setdefault(picture, []).append(_track(entry))
    tracked = all(number >= 0 for here in ids.values() for number in here)
    return SeenPeople(
        list(people), list(people.values()), source, list(ids.values()) if tracked else None, size
    )


def is_by_picture(content) -> bool:
    """Whether the content of a JSON file is an object with names of pictures (PoseFlow, AlphaPose)."""
    if not isinstance(content, dict):
        return False
    lists = [here for here in content.values() if isinstance(here, list)]
    if not all(isinstance(here, list) or is_openpose(here) for here in content.values()):
        return False
    return len(lists) < len(content) or any(isinstance(p, dict) and "keypoints" in p for p in sum(lists, []))


def people_by_picture(content: dict) -> SeenPeople:
    """PoseFlow's lists of people, or OpenPose's layout for each picture (AlphaPose's ``open`` and ``cmu``).

    Raises:
        KeyError, TypeError, ValueError: the layout is another one.
    """
    if all(isinstance(here, list) for here in content.values()):
        entries = [{**person, "image_id": name} for name, here in content.items() for person in here]
        return people_of_list(entries, "poseflow")
    pictures = [Path(name).stem for name in content]
    return SeenPeople(pictures, [openpose_people(here) for here in content.values()], "alphapose")


def _track(entry: dict) -> int:
    """The track number of a person; -1 where there is none."""
    number = entry.get("idx", entry.get("track_id", -1))
    while isinstance(number, list):
        number = number[0] if number else -1
    return int(number) if isinstance(number, int | float) and np.isfinite(number) else -1
