"""COCO's annotations of 2D joints: an object with ``images`` and ``annotations`` (docs/formats.md, 4)."""

from __future__ import annotations

import numpy as np

from hvr_nb.formats.joints2d.alphapose import people_of_list
from hvr_nb.formats.joints2d.seen import SeenPeople
from hvr_nb.types import HvrError

_VISIBILITY = np.array([0.0, 0.5, 1.0])  # confidence of COCO's flags: not labelled, hidden, visible


def is_coco(content) -> bool:
    """Whether the content of a JSON file is COCO's annotations."""
    return isinstance(content, dict) and {"images", "annotations"} <= content.keys()


def coco_people(content: dict) -> SeenPeople:
    """All people with joints, without crowds; visibility flags become confidences.

    Raises:
        HvrError: nobody has joints, or the pictures have different sizes.
        KeyError, TypeError, ValueError, AttributeError: the layout is another one.
    """
    images = {image["id"]: image for image in content["images"]}
    entries, used = [], set()
    for entry in content["annotations"]:
        if not entry.get("num_keypoints", 1) or "keypoints" not in entry or entry.get("iscrowd"):
            continue
        image = images[entry["image_id"]]
        used.add((int(image.get("width", 0)), int(image.get("height", 0))))
        joints = np.asarray(entry["keypoints"], float).reshape(-1, 3)
        joints[:, 2] = _VISIBILITY[joints[:, 2].astype(int).clip(0, 2)]
        row = {"image_id": image.get("file_name", str(image["id"])), "keypoints": joints}
        entries.append(row | ({"idx": entry["track_id"]} if "track_id" in entry else {}))
    if not entries:
        raise HvrError("it holds no person with joints; check the path")
    if len(used) > 1:
        sizes = ", ".join(f"{w}x{h}" for w, h in sorted(used))
        raise HvrError(f"its pictures have different sizes ({sizes}); make the joints from one film")
    size = used.pop()
    return people_of_list(entries, "coco", size=size if min(size) > 0 else None)
