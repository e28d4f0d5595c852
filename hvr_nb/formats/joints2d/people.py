"""People in separate per-frame lists of 2D joints, as every detector writes them, to one Keypoints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from hvr_nb.keypoints.identity import joint_box, link_people
from hvr_nb.types import COCO17_FROM_BODY25, HvrError, Keypoints


def load_json(path: Path):
    """The content of a JSON file.

    Raises:
        HvrError: missing or not JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise HvrError(f"{path} does not exist; check the path") from None
    except (ValueError, OSError) as error:
        raise HvrError(f"{path} is not readable JSON ({error}); write it again") from error


def joint_array(flat, path: Path, counts: tuple[int, ...]) -> np.ndarray:
    """(N, 3) x, y, confidence from a flat or nested list, N being one of ``counts``."""
    try:
        joints = np.asarray(flat, float).reshape(-1, 3)
    except (TypeError, ValueError):
        joints = np.zeros((0, 3))
    if len(joints) not in counts or not np.isfinite(joints).all():
        expected = " or ".join(str(c) for c in counts)
        raise HvrError(f"{path}: a person has {len(joints)} readable joints; {expected} are expected")
    return joints


def coco17_to_body25(joints: np.ndarray) -> np.ndarray:
    """(25, 3) BODY_25 from COCO-17 (17, 3): neck and mid-hip as means, feet unknown (0)."""
    out = np.zeros((25, 3))
    out[list(COCO17_FROM_BODY25)] = joints
    return with_means(out)


def with_means(body25: np.ndarray) -> np.ndarray:
    """BODY_25 (25, 3) with neck and mid-hip made from shoulders and hips where they are unknown."""
    out = body25.copy()
    for joint, pair in {1: [2, 5], 8: [9, 12]}.items():
        if out[joint, 2] == 0:
            out[joint] = [*out[pair, :2].mean(0), out[pair, 2].min()]
    out[out[:, 2] <= 0] = 0
    return out


def frame_index(stem: str, names: list[str] | None) -> int | None:
    """Which frame a file (or picture) of this stem belongs to; None where it belongs to none.

    The stem is a frame's name, or its last number is the same as the name's.
    """
    number = re.findall(r"\d+", stem)
    if names is None:
        return int(number[-1]) if number else None
    if stem in names:
        return names.index(stem)
    numbers = {int(n): i for i, n in enumerate(names) if n.isdecimal()}
    return numbers.get(int(number[-1])) if number else None


def frame_names(names: list[str] | None, count: int, found: list[str]) -> list[str] | None:
    """The clip's frame names; from ``count`` or from the files' own numbers where not given."""
    if names is not None:
        return list(names)
    numbers = [frame_index(stem, None) for stem in found]
    if None in numbers:
        raise HvrError(f"the file names carry no frame number ({found[numbers.index(None)]}); give names=")
    first = 0 if count else min(numbers, default=0)
    last = count or max(numbers, default=-1) + 1
    return [f"{i:06d}" for i in range(first, last)]


def pick_person(
    people: list[list[np.ndarray]],
    *,
    size: tuple[int, int],
    person: int,
    source: str,
    ids: list[list[int]] | None = None,
) -> Keypoints:
    """Follow people through frames and give one of them.

    Args:
        people: for each frame the (25, 3) BODY_25 joints of everybody in it.
        size: width, height of the images, pixels.
        person: 0 is the most prominent one (size, completeness, time in view), 1 the next ...
        source: who measured the joints.
        ids: the tracker's own numbers of the same people, where there was one.

    Raises:
        HvrError: nobody, or not so many people.
    """
    tracks = _by_id(people, ids) if ids is not None else _linked(people)
    tracks.sort(key=lambda track: -sum(_prominence(joints) for joints in track.values()))
    if not 0 <= person < len(tracks):
        raise HvrError(
            f"person {person} was asked for, the {source} keypoints show {len(tracks)} "
            "people in these frames; check person, names and the folder"
        )
    points = np.zeros((len(people), 25, 3))
    boxes = np.full((len(people), 4), np.nan)
    for t, joints in tracks[person].items():
        points[t] = joints
        boxes[t] = joint_box(joints).clip(0, (size[0], size[1]) * 2)
    points[..., 2] = points[..., 2].clip(0, 1)
    found = (points[..., 2] > 0).any(1)
    return Keypoints(points, np.zeros(points.shape[:2], bool), found, boxes, source=source)


def _prominence(joints: np.ndarray) -> float:
    box = joint_box(joints)
    return float(np.prod(box[2:] - box[:2]) * joints[:, 2].clip(0, 1).mean() ** 2)


def _by_id(people: list[list[np.ndarray]], ids: list[list[int]]) -> list[dict[int, np.ndarray]]:
    tracks: dict[int, dict[int, np.ndarray]] = {}
    for t, (here, numbers) in enumerate(zip(people, ids, strict=True)):
        for joints, number in zip(here, numbers, strict=True):
            if (joints[:, 2] > 0).any():
                tracks.setdefault(number, {}).setdefault(t, joints)
    return list(tracks.values())


def _linked(people: list[list[np.ndarray]]) -> list[dict[int, np.ndarray]]:
    return [{t: people[t][i] for t, i in places.items()} for places in link_people(people)]
