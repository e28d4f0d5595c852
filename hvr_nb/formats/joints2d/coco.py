"""COCO's JSON of 2D joints, as HRNet and its relatives write it, and PoseFlow's per-picture JSON.

Results are a list of people with a number as ``image_id``; annotations an object of ``images`` and
``annotations``; PoseFlow has an object of picture names. `specs/pose3d_pamir.md` A2 and A3.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.alphapose import keypoints_of
from hvr_nb.formats.joints2d.people import load_json
from hvr_nb.types import HvrError, Keypoints

_VISIBILITY = np.array([0.0, 0.5, 1.0])  # confidence of COCO's flags: not labelled, hidden, visible


def is_coco(content) -> bool:
    """Whether the content of a JSON file is one of the layouts that ``read_coco`` reads."""
    if isinstance(content, dict):
        pictures = bool(content) and all(isinstance(people, list) for people in content.values())
        return {"images", "annotations"} <= content.keys() or (
            pictures and "people" not in content and "annots" not in content
        )
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and isinstance(first.get("image_id"), int)


def read_coco(
    path: str | Path,
    *,
    size: tuple[int, int],
    names: list[str] | None = None,
    count: int = 0,
    person: int = 0,
) -> Keypoints:
    """Read people in COCO-17 joints from results, annotations or PoseFlow's tracks.

    Args:
        path: the JSON file. Where it carries track numbers they say who is who.
        size: width, height of the images, pixels.
        names: the clip's frame names, matched by the picture's name or the number in it; results
            know only ``image_id``, which must then be the frame's number.
        count: instead of names, the number of frames, numbered from 0. With neither, the file's.
        person: 0 is the most prominent person, 1 the next ...

    Raises:
        HvrError: missing or damaged file, other joints, or not so many people.
    """
    path = Path(path)
    content = load_json(path)
    if not is_coco(content):
        raise HvrError(
            f"{path} is neither COCO's results, nor its annotations, nor PoseFlow's tracks; check the path"
        )
    try:
        entries, source = _entries(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HvrError(f"{path} is not laid out as COCO's or PoseFlow's joints ({error!r})") from error
    if not entries:
        raise HvrError(f"{path} holds no person with joints; check the path")
    return keypoints_of(entries, path, size=size, names=names, count=count, person=person, source=source)


def _entries(content) -> tuple[list[dict], str]:
    """People with ``image_id`` and ``keypoints``, and who measured them."""
    if isinstance(content, list):
        return content, "coco"
    if "annotations" not in content:
        people = [{**person, "image_id": name} for name, here in content.items() for person in here]
        return people, "poseflow"
    files = {image["id"]: image.get("file_name", str(image["id"])) for image in content["images"]}
    people = []
    for entry in content["annotations"]:
        if entry.get("num_keypoints", 1) and "keypoints" in entry and not entry.get("iscrowd"):
            joints = np.asarray(entry["keypoints"], float).reshape(-1, 3)
            joints[:, 2] = _VISIBILITY[joints[:, 2].astype(int).clip(0, 2)]
            row = {"image_id": files[entry["image_id"]], "keypoints": joints.tolist()}
            people.append(row | ({"idx": entry["track_id"]} if "track_id" in entry else {}))
    return people, "coco"
