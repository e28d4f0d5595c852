"""Import of 2D joints, whichever of the known layouts they are in."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hvr_nb.formats.joints2d.alphapose import read_alphapose
from hvr_nb.formats.joints2d.coco import is_coco, read_coco
from hvr_nb.formats.joints2d.easymocap import read_annots
from hvr_nb.formats.joints2d.openpose import read_openpose
from hvr_nb.formats.joints2d.people import load_json
from hvr_nb.formats.joints2d.pose_npz import read_pose_npz
from hvr_nb.types import HvrError, Keypoints


def read_keypoints(
    path: str | Path, *, names: list[str], size: tuple[int, int], person: int = 0
) -> Keypoints:
    """Read 2D joints of one person from what another program wrote.

    Folders of OpenPose or of EasyMocap's ``annots/<sub>``; JSON files of AlphaPose, PoseFlow or COCO
    (HRNet); npz files of Detectron, VideoPose3D or with an array ``kpts`` (T, 17, 2 or 3). The layout
    is told from the content, not from names.

    Args:
        path: the folder or file. names: T frame names of the clip, matched by name or number.
        size: width, height of the clip's frames, pixels.
        person: 0 is the most prominent person, 1 the next ...

    Raises:
        HvrError: nothing there, or none of these layouts.
    """
    path = Path(path)
    if path.is_file():
        if zipfile.is_zipfile(path):
            return read_pose_npz(path, names=names, size=size, person=person)
        read = read_coco if is_coco(load_json(path)) else read_alphapose
        return read(path, names=names, size=size, person=person)
    files = sorted(path.glob("*.json"))
    if not files:
        raise HvrError(
            f"{path} holds no .json files; give a folder of OpenPose or EasyMocap joints, or the file of "
            "AlphaPose, PoseFlow, COCO (json), Detectron, VideoPose3D or kpts (npz)"
        )
    first = load_json(files[0])
    if isinstance(first, dict) and "people" in first:
        return read_openpose(path, names=names, size=size, person=person)
    if isinstance(first, dict) and "annots" in first:
        return read_annots(path, names=names, person=person)
    raise HvrError(
        f"{files[0]} is neither OpenPose's (people) nor EasyMocap's (annots) layout; check the folder"
    )
