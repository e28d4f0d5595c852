"""OpenPose's JSON files, one for each frame; also Pose2Sim's and AlphaPose's (``--format open``, ``cmu``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.seen import joints_from
from hvr_nb.store.files import write_json
from hvr_nb.store.inside import check_names
from hvr_nb.types import Keypoints

# key of the list of people -> key of the joints of a person
_KEYS = {"people": "pose_keypoints_2d", "bodies": "joints"}


def is_openpose(content) -> bool:
    """Whether the content of a JSON file is one picture in OpenPose's layout."""
    return isinstance(content, dict) and any(isinstance(content.get(key), list) for key in _KEYS)


def openpose_people(content: dict) -> list[np.ndarray]:
    """(J, 3) joints of everybody in one picture.

    Raises:
        KeyError, TypeError, ValueError: the layout is another one.
    """
    key = next(key for key in _KEYS if key in content)
    return [joints_from(person[_KEYS[key]]) for person in content[key]]


def write_openpose(folder: str | Path, keypoints: Keypoints, *, names: list[str]) -> Path:
    """Write one `<name>_keypoints.json` for each frame, like `openpose --write_json`; returns the folder."""
    folder = Path(folder)
    check_names(names, "the frames' names", "give plain names that differ")
    for name, joints, found in zip(names, keypoints.points, keypoints.found, strict=True):
        flat = [round(float(x), 4) for x in joints.ravel()]
        write_json(
            folder / f"{name}_keypoints.json",
            {
                "version": 1.3,
                "people": [{"person_id": [-1], "pose_keypoints_2d": flat}] if found else [],
            },
        )
    return folder
