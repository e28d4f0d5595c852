"""2D joints in npz files: Detectron's per-video output, VideoPose3D's data sets, `kpts` arrays.

What numpy pickled into them is read without being run (``hvr_nb.store.safe_pickle``). COCO-17 joints in
pixels; `specs/pose3d_pamir.md` A3.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.people import coco17_to_body25, pick_person, with_means
from hvr_nb.store.safe_pickle import read_npz_values
from hvr_nb.types import HvrError, Keypoints

LEAST_BOX = 0.7  # score of Detectron's boxes
_H36M_LEFT = [4, 5, 6, 11, 12, 13]  # how a data set says that its 17 joints are Human3.6M's
# Human3.6M joint -> BODY_25 joint; spine (7) and top of the head (10) have none
_H36M = {0: 8, 1: 9, 2: 10, 3: 11, 4: 12, 5: 13, 6: 14, 8: 1, 9: 0, 11: 5, 12: 6, 13: 7, 14: 2, 15: 3, 16: 4}


def read_pose_npz(
    path: str | Path, *, size: tuple[int, int], names: list[str] | None = None, person: int = 0
) -> Keypoints:
    """Read 2D joints of one person from an npz, whichever of the three layouts it has.

    Args:
        path: the .npz file. size: width, height of the images, pixels.
        names: the clip's T frame names; the file has as many frames, or the names are its frames'
            numbers. None takes all frames of the file.
        person: Detectron: 0 is the most prominent person. VideoPose3D: the n-th sequence of the file.

    Raises:
        HvrError: damaged, none of the three layouts, other joints, or frames that do not fit.
    """
    path = Path(path)
    values = read_npz_values(path)
    try:
        if "positions_2d" in values:
            people, source = _one(path, _sequence(path, values, person), _of_layout(values)), "videopose3d"
        elif {"boxes", "keypoints"} <= values.keys():
            people, source = _detectron(values), "detectron"
        elif "kpts" in values:
            people, source = _one(path, values["kpts"], coco17_to_body25), "kpts"
        else:
            raise HvrError(
                f"{path} holds {', '.join(values) or 'nothing'}; an npz of 2D joints has positions_2d "
                "(VideoPose3D), boxes and keypoints (Detectron) or kpts"
            )
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise HvrError(f"{path} is not laid out as 2D joints ({error!r}); write it again") from error
    people = [people[i] for i in _rows(path, names, len(people))]
    ids = None if source == "detectron" else [[0] * len(here) for here in people]
    return pick_person(
        people, size=size, person=person if source == "detectron" else 0, source=source, ids=ids
    )


def _rows(path: Path, names: list[str] | None, count: int) -> range | list[int]:
    """Which of the file's ``count`` frames belong to the clip's."""
    if names is None or len(names) == count:
        return range(count)
    if all(name.isdecimal() and int(name) < count for name in names):
        return [int(name) for name in names]
    raise HvrError(
        f"{path} has {count} frames, the clip {len(names)} ({names[0]} to {names[-1]}); "
        "make the joints from the same video"
    )


def _one(path: Path, track, to_body25) -> list[list[np.ndarray]]:
    """Frames with one person each from (T, 17, 2 or 3); NaN and (0, 0) are unknown."""
    track = np.asarray(track, float)
    if track.ndim != 3 or track.shape[1] != 17 or track.shape[2] not in (2, 3):
        raise HvrError(f"{path} has joints of shape {track.shape}; (frames, 17, 2 or 3) is expected")
    known = np.isfinite(track).all(2) & (track[..., :2] != 0).any(2)
    sure = track[..., 2] if track.shape[2] == 3 else np.ones(known.shape)
    joints = np.where(known[..., None], np.concatenate([track[..., :2], sure[..., None]], 2), 0.0)
    return [[to_body25(person)] for person in joints]


def _detectron(values: dict) -> list[list[np.ndarray]]:
    """People of every frame: class 1 of ``keypoints`` (n, 4, 17), rows x, y, logit, probability."""
    out = []
    for boxes, joints in zip(values["boxes"], values["keypoints"], strict=True):
        boxes, joints = np.asarray(boxes[1], float).reshape(-1, 5), np.asarray(joints[1], float)
        joints = joints.reshape(len(boxes), 4, 17)[boxes[:, 4] >= LEAST_BOX][:, [0, 1, 3]]
        out.append([coco17_to_body25(person.T) for person in joints])
    return out


def _sequence(path: Path, values: dict, person: int) -> np.ndarray:
    """(T, J, 2) of one camera of one action of one subject."""
    found = [
        (f"{subject}/{action}/{k}", track)
        for subject, actions in values["positions_2d"].items()
        for action, cameras in actions.items()
        for k, track in enumerate(cameras)
    ]
    if not 0 <= person < len(found):
        listed = ", ".join(name for name, _ in found[:8])
        raise HvrError(f"sequence {person} was asked for, {path} holds {len(found)} ({listed}); check person")
    return found[person][1]


def _of_layout(values: dict):
    """The function that turns (17, 3) joints of the file's layout into BODY_25."""
    symmetry = (values.get("metadata") or {}).get("keypoints_symmetry") or [[]]
    return _h36m_to_body25 if [int(j) for j in symmetry[0]] == _H36M_LEFT else coco17_to_body25


def _h36m_to_body25(joints: np.ndarray) -> np.ndarray:
    out = np.zeros((25, 3))
    out[list(_H36M.values())] = joints[list(_H36M)]
    return with_means(out)
