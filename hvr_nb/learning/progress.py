"""What a reconstruction that is running tells of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Progress:
    """Where a reconstruction stands; methods give it to ``reconstruct``'s ``progress``."""

    done: int  # steps, rounds or frames
    total: int
    history: Mapping[str, Sequence[float]]  # rows so far; columns as of ``Avatar.history``
    held_out: np.ndarray  # (N,) frames that teach nothing
    # frame of the clip -> (H, W, 3) uint8, the person so far over black; None where nothing is there yet
    draw: Callable[[int], np.ndarray | None]


# Called after every step; where it answers True the run stops there, and what was done is kept.
Watch = Callable[[Progress], object]
