"""Landmarks of face, fingers and feet, and the vertex numbers they must have (docs/body.md, 6, step 6).

smplx reads 21 vertices by number for its extra joints. With the same numbers its 45 joints and its BODY_25
and COCO mappings are right for the open body too.
"""

from __future__ import annotations

import numpy as np

from scripts.assets.open_body.rig import MIRROR_JOINT
from scripts.assets.open_body.source import Base
from scripts.assets.open_body.topology import EYE_POLES

# name on the left side -> (left number, right number); the nose has one number
NUMBERS = {
    "nose": (332,), "eye": (2800, 6260), "ear": (583, 4071),
    "thumb": (2746, 6191), "index": (2319, 5782), "middle": (2445, 5905), "ring": (2556, 6016),
    "pinky": (2673, 6133), "big_toe": (3216, 6617), "small_toe": (3226, 6624), "heel": (3387, 6787),
}  # fmt: skip
TIPS = {
    "thumb": "finger1",
    "index": "finger2",
    "middle": "finger3",
    "ring": "finger4",
    "pinky": "finger5",
    "big_toe": "toe1",
    "small_toe": "toe5",
}


def find_landmarks(
    base: Base, ids: np.ndarray, vertices: np.ndarray, weights: np.ndarray, mirror: np.ndarray
) -> dict[int, int]:
    """Wanted vertex number -> base vertex.

    Args:
        ids: (n,) base vertices of the surface. vertices: (n, 3) their T-pose, metres.
        weights: (n, 24) skin weights. mirror: (19158,) mirror map of the base.
    """
    left = vertices[:, 0] > 0
    owner = weights.argmax(1)
    eye = vertices[ids == EYE_POLES[0]][0]

    def best(score: np.ndarray, where: np.ndarray) -> int:
        return int(ids[np.where(where, score, -np.inf).argmax()])

    below = eye[1] - vertices[:, 1]
    found = {
        "nose": best(vertices[:, 2], (mirror[ids] == ids) & (below > 0) & (below < 0.07)),
        "eye": EYE_POLES[0],
        "ear": best(vertices[:, 0], (owner == 15) & (np.abs(below) < 0.02)),
        "heel": best(-vertices[:, 2] - 0.7 * vertices[:, 1], left & np.isin(owner, (7, 10))),
    }
    for name, chain in TIPS.items():
        last = max(bone for bone in base.bones if bone.startswith(chain + "-") and bone.endswith(".L"))
        first = f"{chain}-1.L"
        tip = _on(base.weights[last], ids, vertices)
        way = tip[1].mean(0) - _on(base.weights[first], ids, vertices)[1].mean(0)
        found[name] = int(ids[tip[0][(tip[1] @ way).argmax()]])
    out = {}
    for name, numbers in NUMBERS.items():
        out[numbers[0]] = found[name]
        if len(numbers) == 2:
            out[numbers[1]] = int(mirror[found[name]])
    return out


def _on(pairs: np.ndarray, ids: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices into ``ids`` and positions of the vertices whose weight for a bone is more than half."""
    held = np.flatnonzero(np.isin(ids, pairs[pairs[:, 1] > 0.5, 0].astype(int)))
    return held, vertices[held]


def final_order(used: np.ndarray, landmarks: dict[int, int]) -> np.ndarray:
    """(V,) base vertex of every final vertex: landmarks at their numbers, the rest in base order."""
    order = np.full(len(used), -1)
    for number, vertex in landmarks.items():
        order[number] = vertex
    order[order < 0] = np.setdiff1d(used, list(landmarks.values()))
    return order


def mirror_of_final(order: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """(V,) mirror vertex in the final numbering."""
    position = np.full(len(mirror), -1)
    position[order] = np.arange(len(order))
    return position[mirror[order]]


def region_factor(weights: np.ndarray) -> np.ndarray:
    """(V,) importance in the simplification, by the strongest joint (docs/body.md, 6, step 5)."""
    factor = np.full(24, 4.0)
    factor[15] = 2.2
    for joint in (20, 22):
        factor[[joint, MIRROR_JOINT[joint]]] = 1.0
    for joint in (7, 10):
        factor[[joint, MIRROR_JOINT[joint]]] = 0.5
    return factor[weights.argmax(1)]
