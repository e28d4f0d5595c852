"""OpenPose's JSON files, one a frame: `<name>_keypoints.json` with BODY_25 or COCO-18 people."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.people import (
    frame_index,
    frame_names,
    joint_array,
    load_json,
    pick_person,
    with_means,
)
from hvr_nb.store.files import write_json
from hvr_nb.types import HvrError, Keypoints

_SUFFIX = "_keypoints"
# COCO-18 of OpenPose -> BODY_25: neck included, no mid-hip, no feet
_COCO18 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)


def read_openpose(
    folder: str | Path,
    *,
    size: tuple[int, int],
    names: list[str] | None = None,
    count: int = 0,
    person: int = 0,
) -> Keypoints:
    """Read what `openpose --write_json folder` wrote.

    Args:
        folder: the JSON files. OpenPose does not track: people are followed by their boxes.
        size: width, height of the images, pixels.
        names: the clip's frame names; files are matched by name, or by the number in it.
        count: instead of names, the number of frames, numbered from 0. With neither, the files'.
        person: 0 is the most prominent person, 1 the next ...

    Raises:
        HvrError: no such files, a damaged one, or not so many people.
    """
    folder = Path(folder)
    files = sorted(folder.glob(f"*{_SUFFIX}.json"))
    if not files:
        raise HvrError(f"{folder} holds no *{_SUFFIX}.json; give the folder of `openpose --write_json`")
    stems = [file.stem.removesuffix(_SUFFIX) for file in files]
    names = frame_names(names, count, stems)
    people: list[list[np.ndarray]] = [[] for _ in names]
    for file, stem in zip(files, stems, strict=True):
        index = frame_index(stem, names)
        if index is not None:
            people[index] = _people(file)
    known = [joints[joints[:, 2] > 0, :2] for frame in people for joints in frame]
    if known and np.abs(np.concatenate(known)).max(initial=0) <= 1:
        raise HvrError(
            f"{folder} has coordinates between 0 and 1, not pixels; run openpose with --keypoint_scale 0"
        )
    return pick_person(people, size=size, person=person, source="openpose")


def _people(file: Path) -> list[np.ndarray]:
    content = load_json(file)
    try:
        flats = [entry["pose_keypoints_2d"] for entry in content["people"]]
    except (KeyError, TypeError) as error:
        raise HvrError(f"{file} is not an OpenPose file ({error} missing); check the folder") from error
    out = []
    for flat in flats:
        joints = joint_array(flat, file, (25, 18))
        out.append(coco18_to_body25(joints) if len(joints) == 18 else with_means(joints))
    return out


def coco18_to_body25(joints: np.ndarray) -> np.ndarray:
    """(25, 3) BODY_25 from OpenPose's COCO-18 (18, 3): mid-hip as a mean, feet unknown (0)."""
    out = np.zeros((25, 3))
    out[list(_COCO18)] = joints
    return with_means(out)


def write_openpose(folder: str | Path, keypoints: Keypoints, *, names: list[str]) -> Path:
    """Write one `<name>_keypoints.json` a frame, as `openpose --write_json` does; returns the folder."""
    folder = Path(folder)
    for name, joints, found in zip(names, keypoints.points, keypoints.found, strict=True):
        flat = [round(float(x), 4) for x in joints.ravel()]
        write_json(
            folder / f"{name}{_SUFFIX}.json",
            {
                "version": 1.3,
                "people": [{"person_id": [-1], "pose_keypoints_2d": flat}] if found else [],
            },
        )
    return folder
