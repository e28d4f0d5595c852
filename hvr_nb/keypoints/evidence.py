"""Whether a track is a person, by three measures in frames spread over it (docs/perception.md, 2).

Things that are not a person (feet, a vase, a chair) get landmarks too, which the network calls visible. But
the detector does not find a person there again, and the mirrored pass puts head and trunk elsewhere.
"""

from __future__ import annotations

import numpy as np

from hvr_nb.geometry.functions import spread_indices
from hvr_nb.keypoints.blazepose import Detection, detect, find_pose

_EXAMINED = 8  # frames of a track that are examined
_TRUNK = np.r_[0:13, 23, 24]  # head, shoulders and hips: clothes never hide all of them
_AGREE = 0.02  # of the person's height: the evidence is halved where the two passes differ by this
_HEIGHT = 1.45  # side of a region in heights of the person
_DETECTED = 0.25  # least score of the detector that counts


def person_evidence(frames: np.ndarray, poses: dict[int, Detection]) -> np.ndarray:
    """Evidence of a person in some frames spread over a track.

    Args:
        frames: (T, H, W, 3) uint8 RGB. poses: frame -> result of the landmark network.

    Returns:
        (N,) 0..1: score of the landmark network x score of the detector in a square around the person x how
        well plain and mirrored pass agree on head and trunk.
    """
    seen = sorted(poses)
    chosen = spread_indices(len(seen), _EXAMINED)
    return np.array([_frame_evidence(frames[seen[i]], poses[seen[i]]) for i in chosen])


def _frame_evidence(image: np.ndarray, pose: Detection) -> float:
    mirrored = find_pose(image, pose.roi, mirrored=True)
    away = np.linalg.norm(pose.landmarks[_TRUNK, :2] - mirrored.landmarks[_TRUNK, :2], axis=1)
    seen = pose.landmarks[_TRUNK, 3] + 1e-6
    away = (seen * away).sum() / seen.sum() * _HEIGHT / pose.roi[2]
    return pose.score * _detected(image, pose.next_roi) / (1 + (away / _AGREE) ** 2)


def _detected(image: np.ndarray, roi: np.ndarray) -> float:
    """0..1: score of the detector for the person of a region (4,), in a square cut around it."""
    half = 0.6 * roi[2]
    x0, y0 = np.maximum(roi[:2] - half, 0).astype(int)
    x1, y1 = np.maximum(roi[:2] + half, 1).astype(int)
    cut = np.ascontiguousarray(image[y0:y1, x0:x1])
    if 0 in cut.shape:
        return 0.0
    people = detect(cut, threshold=_DETECTED)
    near = [p for p in people if np.hypot(*(p.roi[:2] + (x0, y0) - roi[:2])) < 0.3 * roi[2]]
    return max((p.score for p in near if 0.5 < p.roi[2] / roi[2] < 2), default=0.0)
