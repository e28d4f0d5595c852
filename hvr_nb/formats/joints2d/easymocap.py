"""EasyMocap's 2D joints: ``annots/<camera>/<frame>.json`` (docs/formats.md, 5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.seen import joints_from
from hvr_nb.store.files import write_json
from hvr_nb.store.inside import check_names
from hvr_nb.types import Keypoints


def is_annots(content) -> bool:
    """Whether the content of a JSON file is one picture in EasyMocap's layout."""
    return isinstance(content, dict) and isinstance(content.get("annots"), list)


def annots_people(content: dict) -> tuple[list[np.ndarray], tuple[int, int]]:
    """(J, 3) joints of everybody in one picture, and its width and height.

    Raises:
        KeyError, TypeError, ValueError: the layout is another one.
    """
    size = int(content["width"]), int(content["height"])
    if min(size) < 1:
        raise ValueError(f"pictures of {size[0]}x{size[1]}")
    return [joints_from(entry["keypoints"]) for entry in content["annots"]], size


def write_annots(
    folder: str | Path,
    keypoints: Keypoints,
    *,
    names: list[str],
    size: tuple[int, int],
    sub: str = "video",
    suffix: str = ".jpg",
) -> Path:
    """Write `annots/<sub>/<name>.json` under ``folder``, with two decimals like EasyMocap.

    Args:
        folder: the data root. names: T frame names. size: width, height of the images, pixels.
        sub: sub-folder of the video. suffix: ending of the image files that the annotations name.

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
