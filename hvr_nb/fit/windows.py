"""Clips of any length: windows that overlap, all with one shape, which some frames tell (docs/fit.md, 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.fit.terms import State
from hvr_nb.geometry.functions import spread_indices

RUNS = 6  # parts of the clip that tell the shape


def spans(count: int, *, window: int, overlap: int) -> list[slice]:
    """Windows of at most ``window`` of ``count`` frames; neighbours share ``overlap`` frames or more."""
    if count <= window:
        return [slice(0, count)]
    number = -(-(count - overlap) // (window - overlap))
    starts = np.round(np.linspace(0, count - window, number)).astype(int)
    return [slice(int(start), int(start) + window) for start in starts]


def pilot_frames(count: int, wanted: int) -> np.ndarray:
    """Numbers (N,) of at most ``wanted`` frames: ``RUNS`` runs of consecutive ones, spread over ``count``."""
    length = max(1, min(wanted, count) // RUNS)
    starts = spread_indices(count - length + 1, RUNS)
    return np.unique(starts[:, None] + np.arange(length))


def faded(states: Sequence[State], parts: Sequence[slice]) -> State:
    """The states of windows that overlap as one: where two meet, one is faded into the other.

    Args:
        states: of the frames ``parts`` of the clip, in order; all of one shape, which the first one gives.
    """
    count = parts[-1].stop
    rotations, transl = np.zeros((count, 24, 3, 3)), np.zeros((count, 3))
    done = 0
    for state, part in zip(states, parts, strict=True):
        own = slice(done - part.start, None)
        rotations[done : part.stop], transl[done : part.stop] = state.rotations[own], state.transl[own]
        shared = slice(part.start, done)
        u = np.linspace(0, 1, max(done - part.start, 0) + 2)[1:-1]
        theirs = slice(0, len(u))
        turn = np.swapaxes(rotations[shared], -1, -2) @ state.rotations[theirs]
        way = Rotation.from_matrix(turn.reshape(-1, 3, 3)).as_rotvec() * np.repeat(u, 24)[:, None]
        rotations[shared] = rotations[shared] @ Rotation.from_rotvec(way).as_matrix().reshape(-1, 24, 3, 3)
        transl[shared] += u[:, None] * (state.transl[theirs] - transl[shared])
        done = part.stop
    return replace(states[0], rotations=rotations, transl=transl)
