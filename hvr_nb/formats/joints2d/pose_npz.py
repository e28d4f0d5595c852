"""2D joints in npz and npy files: Detectron, VideoPose3D's data sets, `kpts` arrays (docs/formats.md, 4).

Objects that numpy pickled into a file are read without executing anything (``hvr_nb.store.safe_pickle``).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.seen import SeenPeople, joints_from
from hvr_nb.store.safe_pickle import read_npz_values
from hvr_nb.types import DAMAGE, HvrError

LEAST_BOX = 0.7  # least score of Detectron's boxes
_H36M_LEFT = [4, 5, 6, 11, 12, 13]  # left joints in the metadata of data sets with Human3.6M's 17 joints


def read_pose_npz(path: Path, *, person: int) -> SeenPeople:
    """All people in an npz of one of the three layouts, or in a plain npy array.

    Args:
        path: the file. person: number of the sequence in a VideoPose3D file; the others have one film.

    Raises:
        HvrError: the file is damaged, has none of the layouts, or other joints.
    """
    try:
        values = read_npz_values(path) if zipfile.is_zipfile(path) else {"kpts": np.load(path)}
        if "positions_2d" in values:
            return _of_sequence(path, values, person)
        if {"boxes", "keypoints"} <= values.keys():
            return _detectron(values)
        if "kpts" in values:
            return _every_frame(_one(path, values["kpts"]), "kpts", ids=True)
    except (*DAMAGE, IndexError) as error:
        raise HvrError(f"{path} is not laid out as 2D joints ({error!r}); write it again") from error
    raise HvrError(
        f"{path} holds {', '.join(values) or 'nothing'}; an npz of 2D joints has positions_2d "
        "(VideoPose3D), boxes and keypoints (Detectron) or kpts"
    )


def _every_frame(people: list[list[np.ndarray]], source: str, *, ids: bool, **more) -> SeenPeople:
    """People of all frames of a film; with ``ids`` all of them are one person."""
    numbers = [[0] * len(here) for here in people] if ids else None
    pictures = [str(t) for t in range(len(people))]
    return SeenPeople(pictures, people, source, numbers, every_frame=True, **more)


def _one(path: Path, track) -> list[list[np.ndarray]]:
    """Frames with one person each, from (T, J, 2 or 3); NaN and (0, 0) are unknown."""
    track = np.asarray(track, float)
    if track.ndim != 3 or track.shape[2] not in (2, 3):
        raise HvrError(f"{path} has joints of shape {track.shape}; (frames, joints, 2 or 3) is expected")
    known = np.isfinite(track).all(2) & (track[..., :2] != 0).any(2)
    sure = track[..., 2] if track.shape[2] == 3 else np.ones(known.shape)
    return [
        [joints_from(xy, np.where(k, s, 0.0))] for xy, s, k in zip(track[..., :2], sure, known, strict=True)
    ]


def _detectron(values: dict) -> SeenPeople:
    """People of every frame: class 1 of ``keypoints`` (n, 4, 17), rows x, y, logit, probability."""
    out = []
    for boxes, joints in zip(values["boxes"], values["keypoints"], strict=True):
        boxes, joints = np.asarray(boxes[1], float).reshape(-1, 5), np.asarray(joints[1], float)
        joints = joints.reshape(len(boxes), 4, 17)[boxes[:, 4] >= LEAST_BOX][:, [0, 1, 3]]
        out.append([joints_from(person.T) for person in joints])
    return _every_frame(out, "detectron", ids=False, size=_size_in(values.get("metadata")), layout="coco17")


def _size_in(metadata) -> tuple[int, int] | None:
    """Width and height of the film, if the metadata of the file have them."""
    if not isinstance(metadata, dict) or not {"w", "h"} <= metadata.keys():
        return None
    size = int(metadata["w"]), int(metadata["h"])
    return size if min(size) > 0 else None


def _of_sequence(path: Path, values: dict, person: int) -> SeenPeople:
    """One sequence of a VideoPose3D data set: one camera of one action of one subject."""
    found = [
        (f"{subject}/{action}/{k}", track, subject)
        for subject, actions in values["positions_2d"].items()
        for action, cameras in actions.items()
        for k, track in enumerate(cameras)
    ]
    if not 0 <= person < len(found):
        listed = ", ".join(name for name, *_ in found[:8])
        raise HvrError(f"sequence {person} was asked for, {path} holds {len(found)} ({listed}); check person")
    metadata = values.get("metadata") or {}
    symmetry = metadata.get("keypoints_symmetry") or [[]]
    layout = "h36m17" if [int(j) for j in symmetry[0]] == _H36M_LEFT else "coco17"
    _, track, subject = found[person]
    size = _size_in((metadata.get("video_metadata") or {}).get(subject))
    people = _one(path, track)
    if any(len(joints) != 17 for here in people for joints in here):
        raise HvrError(f"{path} has joints of shape {np.shape(track)}; (frames, 17, 2) is expected")
    return _every_frame(people, "videopose3d", ids=True, size=size, layout=layout)
