"""All people that another program found in every picture, as its files have them (docs/formats.md, 4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hvr_nb.formats.joints2d.layouts import body25_of, layout_of
from hvr_nb.types import HvrError

_LARGEST = 1 << 30  # bytes of a JSON file
_FARTHEST = 1e6  # pixels; no joint of a picture is farther off


@dataclass(frozen=True)
class SeenPeople:
    """The people in P pictures of a folder or file, in its order."""

    pictures: list[str]  # P names or numbers
    people: list[
        list[np.ndarray]
    ]  # P lists of (J, 3) x, y in pixels and confidence, as the program orders joints
    source: str  # name of the program
    ids: list[list[int]] | None = None  # track number of each person, if there was a tracker
    size: tuple[int, int] | None = None  # width, height of the pictures, if the file says it
    layout: str = ""  # layout of the joints; "" if it has to be recognised by number and bones
    every_frame: bool = (
        False  # whether the pictures are all frames of a film, so that the clip's are among them
    )

    def body25(self, path: Path) -> list[list[np.ndarray]]:
        """P lists of (25, 3) BODY_25.

        Raises:
            HvrError: people have different numbers of joints, or a number that no layout has.
        """
        everybody = [joints for here in self.people for joints in here]
        counts = sorted({len(joints) for joints in everybody})
        if len(counts) > 1:
            raise HvrError(f"{path}: people have {' or '.join(map(str, counts))} joints; write all alike")
        if not everybody:
            return [[] for _ in self.people]
        try:
            layout = self.layout or layout_of(everybody)
        except HvrError as error:
            raise HvrError(f"{path}: {error}") from None
        return [[body25_of(joints, layout) for joints in here] for here in self.people]


def read_json_content(path: Path):
    """The content of a JSON file in UTF-8, with or without a byte order mark, or in UTF-16.

    Raises:
        HvrError: the file is missing, too large or not JSON.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise HvrError(f"{path} has more than {_LARGEST >> 30} GiB; split it")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise HvrError(f"{path} does not exist; check the path") from None
    except (ValueError, OSError, RecursionError) as error:
        raise HvrError(f"{path} is not readable JSON ({error}); write it again") from error


def joints_from(flat, scores=None) -> np.ndarray:
    """(J, 3) x, y, confidence from a flat or nested list, perhaps with separate scores (J,); 0 = not known.

    Raises:
        ValueError, TypeError: the list is another one.
    """
    values = np.asarray(flat, float)
    columns = 3 if scores is None else values.shape[-1] if values.ndim > 1 else 2
    joints = values.reshape(-1, columns)[:, :3]
    if scores is not None:
        joints = np.column_stack([joints[:, :2], np.asarray(scores, float).reshape(len(joints))])
    joints = np.where((np.abs(joints) < _FARTHEST).all(1, keepdims=True), joints, 0.0)  # not of NaN
    return np.where(joints[:, 2:] > 0, joints, 0.0)
