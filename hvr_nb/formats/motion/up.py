"""Which axis of a motion file is vertical, and the motion turned so that +Y is."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.body.worlds import rest_pelvis, turned
from hvr_nb.types import Body, HvrError

# vertical axis of a file -> the turn that takes it to +Y
_TURNS = {"y": ("x", 0), "z": ("x", -90), "-y": ("x", 180), "-z": ("x", 90), "x": ("z", 90), "-x": ("z", -90)}
_CLEARLY = 0.7  # mean of the unit vectors from feet to neck along an axis: people stand along it
_LOOKED_AT = 200  # frames


def stand_up(body: Body, up: str, path: str | Path) -> Body:
    """A motion turned so that +Y is up; its camera stays.

    Args:
        body: in the file's axes. up: the file's vertical axis, "y", "z", "-y" ...; "" finds it out: people
            mostly stand, so it is the axis from their feet to their necks. Where no axis clearly is, it is y.
        path: the file, for the messages.

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
    """The axis along which a person (T, 24, 3) stands; "y" where it is not clear."""
    way = joints[:, 12] - joints[:, [7, 8]].mean(1)
    mean = (way / np.linalg.norm(way, axis=1, keepdims=True)).mean(0)
    k = int(np.abs(mean).argmax())
    return ("-" if mean[k] < 0 else "") + "xyz"[k] if abs(mean[k]) >= _CLEARLY else "y"
