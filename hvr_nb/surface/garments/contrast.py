"""Whether cloth can be told from what is behind it."""

from __future__ import annotations

import cv2
import numpy as np

from hvr_nb.geometry.functions import spread_indices
from hvr_nb.masks.colour_model import colour_features

AROUND = 9  # pixels, side of the square in which both sides of an outline are compared
CLEAR = 8.0  # least distance of their mean colours (``colour_features``)
FRAMES = 12  # frames that are looked at, at most


def unclear_outline(pictures: np.ndarray, frames: np.ndarray, kind: int) -> float:
    """Share 0..1 of the outline of a kind of cloth where the background has its colour; 0 where it has none.

    Args:
        pictures: (N, H, W) int8 of ``votes.kinds_of``. frames: (N, H, W, 3) uint8.
    """
    unclear = total = 0
    for n in spread_indices(len(frames), FRAMES):
        cloth, behind = ((pictures[n] == k).astype(np.float32) for k in (kind, -1))
        lab = colour_features(frames[n])
        share = [cv2.blur(part, (AROUND, AROUND)) for part in (cloth, behind)]
        row, col = np.nonzero((cloth > 0) & (share[0] > 0.2) & (share[1] > 0.2))
        means = [
            cv2.blur(lab * part[..., None], (AROUND, AROUND))[row, col] / size[row, col][:, None]
            for part, size in zip((cloth, behind), share, strict=True)
        ]
        unclear += int((np.linalg.norm(means[0] - means[1], axis=1) < CLEAR).sum())
        total += len(row)
    return unclear / max(total, 1)
