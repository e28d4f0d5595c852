"""Interlaced film that does not say so: two fields woven into one frame show combs where something moves."""

from __future__ import annotations

import numpy as np

_MOVED = 24  # grey levels; a pixel that changes by more from frame to frame moves
_FEWEST = 300  # moving pixels, below which nothing is said
_RATIO = 1.2  # of differences between next lines and lines of one field; sixteen whole films had 0.51 to 0.65


def is_woven(pictures: list[np.ndarray]) -> bool:
    """Whether consecutive grey pictures (H, W) uint8 are fields of two moments woven line by line.

    Where something moves, a line of a woven picture differs more from the next line (the other field) than
    from the next but one (its own field). In a whole picture nearer lines are always more alike.
    """
    near, own, count = 0.0, 0.0, 0
    for before, now in zip(pictures, pictures[1:], strict=False):
        if before.shape != now.shape or len(now) < 3:
            continue
        lines = now.astype(np.int16)
        moved = (np.abs(lines - before) > _MOVED)[1:-1]
        near += np.abs(lines[1:-1] - lines[:-2])[moved].sum() + np.abs(lines[1:-1] - lines[2:])[moved].sum()
        own += 2.0 * np.abs(lines[2:] - lines[:-2])[moved].sum()
        count += int(moved.sum())
    return count >= _FEWEST and near > _RATIO * own
