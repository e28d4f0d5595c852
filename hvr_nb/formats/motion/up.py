"""The vertical axis of a motion file, and the motion rotated so that +Y is up (docs/formats.md, 9)."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.body.worlds import rest_pelvis, turned
from hvr_nb.types import Body, HvrError

# vertical axis of a file -> rotation of it to +Y
_TURNS = {"y": ("x", 0), "z": ("x", -90), "-y": ("x", 180), "-z": ("x", 90), "x": ("z", 90), "-x": ("z", -90)}
_CLEARLY = 0.7  # least mean component of the unit vectors from feet to neck along the vertical axis
_LOOKED_AT = 200  # frames used at most


def stand_up(body: Body, up: str, path: str | Path) -> Body:
    """A motion rotated so that +Y is up; its camera stays.

    Args:
        body: in the axes of the file. up: vertical axis of the file, "y", "z", "-y" ...; "" finds it out:
            people mostly stand, so it is the axis from their feet to their necks, or y if that is not clear.
        path: the file, for messages.

    Raises:
        HvrError: there is no such axis.
    """
    if up and up not in _TURNS:
        raise HvrError(f'up is "{up}"; give one of {", ".join(_TURNS)}, or "" to find it out')
    model = load_body_model()
    looked_at = np.linspace(0, len(body) - 1, min(len(body), _LOOKED_AT)).astype(int)
    axis = up or _found(posed(model, body.frame(looked_at))[1])
    if axis == "y":
        return body
    if not up:
        warnings.warn(
            f"{Path(path).name}: people stand along {axis}, so that axis is taken as up; "
            'up = "y" takes the file as it is',
            stacklevel=3,
        )
    turn = Rotation.from_euler(*_TURNS[axis], degrees=True).as_matrix()
    return replace(turned(body, turn, rest_pelvis(model, body.betas)), camera=body.camera)


def _found(joints: np.ndarray) -> str:
    """The axis along which a person (T, 24, 3) stands; "y" if that is not clear."""
    way = joints[:, 12] - joints[:, [7, 8]].mean(1)
    mean = (way / np.linalg.norm(way, axis=1, keepdims=True)).mean(0)
    k = int(np.abs(mean).argmax())
    return ("-" if mean[k] < 0 else "") + "xyz"[k] if abs(mean[k]) >= _CLEARLY else "y"
