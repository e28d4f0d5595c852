"""EasyMocap's 2D joints: ``annots/<camera>/<frame>.json``."""

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
from hvr_nb.store.inside import check_names
from hvr_nb.types import HvrError, Keypoints


def _frame_files(folder: Path, names: list[str] | None, count: int) -> tuple[list[str], dict[int, Path]]:
    """Frame names and the file of each frame that has one."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise HvrError(f"{folder} holds no .json files; give the folder with one JSON file a frame")
    names = frame_names(names, count, [file.stem for file in files])
    matched = {frame_index(file.stem, names): file for file in files}
    return names, {i: matched[i] for i in sorted(k for k in matched if k is not None)}


def read_annots(
    folder: str | Path, *, names: list[str] | None = None, count: int = 0, person: int = 0
) -> Keypoints:
    """Read 2D joints from `annots/<sub>`; the image size stands in the files.

    Args:
        folder: one JSON file a frame. EasyMocap numbers people anew in each frame, so they are
            followed by their boxes.
        names: the clip's frame names, matched to the files by name or number.
        count: instead of names, the number of frames, numbered from 0. With neither, the files'.
        person: 0 is the most prominent person, 1 the next ...

    Raises:
        HvrError: no such files, a damaged one, or not so many people.
    """
    names, files = _frame_files(Path(folder), names, count)
    people: list[list[np.ndarray]] = [[] for _ in names]
    size = (0, 0)
    for index, file in files.items():
        content = load_json(file)
        try:
            size = int(content["width"]), int(content["height"])
            flats = [entry["keypoints"] for entry in content["annots"]]
        except (KeyError, TypeError, ValueError) as error:
            raise HvrError(f"{file} is not an EasyMocap annotation ({error}); check the folder") from error
        people[index] = [with_means(joint_array(flat, file, (25,))) for flat in flats]
    return pick_person(people, size=size, person=person, source="easymocap")


def write_annots(
    folder: str | Path,
    keypoints: Keypoints,
    *,
    names: list[str],
    size: tuple[int, int],
    sub: str = "video",
    suffix: str = ".jpg",
) -> Path:
    """Write `annots/<sub>/<name>.json` under ``folder``, two decimals as EasyMocap does.

    Args:
        folder: the data root. names: T frame names. size: width, height of the images, pixels.
        sub: the video's sub-folder. suffix: of the image files the annotations name.

    Returns:
        The folder `annots/<sub>`.
    """
    target = Path(folder) / "annots" / sub
    width, height = size
    for t, name in enumerate(check_names(names, "the frames' names", "give plain names that differ")):
        people = [_person(keypoints, t)] if keypoints.found[t] else []
        write_json(
            target / f"{name}.json",
            {
                "filename": f"images/{sub}/{name}{suffix}",
                "height": int(height),
                "width": int(width),
                "annots": people,
                "isKeyframe": False,
            },
        )
    return target


def _person(keypoints: Keypoints, t: int) -> dict:
    x0, y0, x1, y1 = (round(float(x), 2) for x in keypoints.boxes[t])
    joints = keypoints.points[t]
    return {
        "personID": 0,
        "bbox": [x0, y0, x1, y1, round(float(joints[joints[:, 2] > 0, 2].mean()), 2)],
        "keypoints": [[round(float(x), 2) for x in joint] for joint in joints],
        "area": round(max(x1 - x0, y1 - y0) ** 2, 2),
        "isKeyframe": False,
    }
