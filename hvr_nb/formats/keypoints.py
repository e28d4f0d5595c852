"""Import of 2D joints, whichever of the known layouts they are in."""

from __future__ import annotations

from pathlib import Path

from hvr_nb.formats.alphapose import read_alphapose
from hvr_nb.formats.easymocap import read_annots
from hvr_nb.formats.openpose import read_openpose
from hvr_nb.formats.people import load_json
from hvr_nb.types import HvrError, Keypoints


def read_keypoints(
    path: str | Path, *, names: list[str], size: tuple[int, int], person: int = 0
) -> Keypoints:
    """Read OpenPose (folder), EasyMocap ``annots/<sub>`` (folder) or AlphaPose (one JSON file) joints.

    The layout is told from the content, not from names.

    Args:
        path: the folder or file. names: T frame names of the clip, matched by name or number.
        size: width, height of the clip's frames, pixels.
        person: 0 is the most prominent person, 1 the next ...

    Raises:
        HvrError: nothing there, or none of the three layouts.
    """
    path = Path(path)
    if path.is_file():
        return read_alphapose(path, names=names, size=size, person=person)
    files = sorted(path.glob("*.json"))
    if not files:
        raise HvrError(
            f"{path} holds no .json files; give a folder of OpenPose or EasyMocap joints, or AlphaPose's file"
        )
    first = load_json(files[0])
    if isinstance(first, dict) and "people" in first:
        return read_openpose(path, names=names, size=size, person=person)
    if isinstance(first, dict) and "annots" in first:
        return read_annots(path, names=names, person=person)
    raise HvrError(
        f"{files[0]} is neither OpenPose's (people) nor EasyMocap's (annots) layout; check the folder"
    )
