"""The detector's own segmentation: coarse silhouettes of the followed person (docs/perception.md, 5)."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from hvr_nb.keypoints.blazepose import find_pose, make_roi, mask_to_image
from hvr_nb.types import Keypoints

_ROI_RADII = 2.8  # side of the network's region over the largest distance of a landmark from the mid-hip


def person_masks(frames: np.ndarray, keypoints: Keypoints) -> np.ndarray:
    """The network's silhouettes of the followed person: the mean of a plain and a mirrored pass.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        keypoints: their landmarks or, for imported ones, their joints give the region of the person.

    Returns:
        (T, H, W) float32 0..1; 0 in frames without the person.
    """
    masks = np.zeros(frames.shape[:3], np.float32)
    points = keypoints.points if keypoints.landmarks is None else keypoints.landmarks
    hips, shoulders = ((9, 12), (2, 5)) if keypoints.landmarks is None else ((23, 24), (11, 12))
    seen = np.flatnonzero(keypoints.found)
    for t in tqdm(seen, desc="silhouettes", unit="frame", leave=False):
        roi = _roi_around(points[t], hips, shoulders, ignore_unknown=keypoints.landmarks is None)
        passes = [find_pose(frames[t], roi, mirrored=mirrored) for mirrored in (False, True)]
        mask = (passes[0].mask + passes[1].mask) / 2
        masks[t] = mask_to_image(mask, roi, *frames.shape[1:3])
    return masks


def _roi_around(points: np.ndarray, hips: tuple, shoulders: tuple, *, ignore_unknown: bool) -> np.ndarray:
    """The region (4,) in which a person with the points (N, 3) stands upright."""
    known = points[points[:, 2] > 0, :2] if ignore_unknown else points[:, :2]
    trunk = points[list(hips + shoulders)]
    if ignore_unknown and (trunk[:, 2] <= 0).any():
        centre, up = (known.min(0) + known.max(0)) / 2, np.array([0.0, -1.0])
    else:
        centre = trunk[:2, :2].mean(0)
        up = trunk[2:, :2].mean(0) - centre
    up = up / max(np.linalg.norm(up), 1e-6)
    radius = np.linalg.norm(known - centre, axis=1).max()
    return make_roi(centre, centre + up * radius * _ROI_RADII / 2.5)
