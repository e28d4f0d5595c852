"""The joint orders of other programs, and the conversion of each to BODY_25 (docs/formats.md, 4)."""

from __future__ import annotations

import numpy as np

from hvr_nb.types import COCO17_FROM_BODY25, HvrError

_COCO17 = COCO17_FROM_BODY25
# for each joint of a layout the same joint of BODY_25, -1 for none; joints beyond a row are not used
LAYOUTS = {
    "coco17": _COCO17,
    "h36m17": (8, 9, 10, 11, 12, 13, 14, -1, 1, 0, -1, 5, 6, 7, 2, 3, 4),
    "openpose18": (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18),
    "coco17 and neck": (*_COCO17, -1),
    "coco17 and feet": (*_COCO17, 19, 20, 21, 22, 23, 24),
    "body25": tuple(range(25)),
    "body25b": (*_COCO17, -1, -1, 19, 20, 21, 22, 23, 24),
    "halpe26": (*_COCO17, -1, 1, 8, 19, 22, 20, 23, 21, 24),
    "blazepose33": (0, -1, 16, -1, -1, 15, -1, 18, 17, -1, -1, 5, 2, 6, 3, 7, 4, -1, -1, -1, -1, -1, -1,
                    12, 9, 13, 10, 14, 11, 21, 24, 19, 22),
    "mhr70": (0, 16, 15, 18, 17, 5, 2, 6, 3, 12, 9, 13, 10, 14, 11, 19, 20, 21, 22, 23, 24,
              *(-1,) * 20, 4, *(-1,) * 20, 7, *(-1,) * 6, 1),
}  # fmt: skip
# number of joints -> the layouts with that number, the likelier first
_BY_COUNT = {
    17: ("coco17",),  # Human3.6M's order is only known from metadata: bones do not decide reliably
    18: ("openpose18", "coco17 and neck"),
    23: ("coco17 and feet",),
    25: ("body25", "body25b"),
    26: ("halpe26",),
    33: ("blazepose33",),
    70: ("mhr70",),  # SAM 3D Body's
    133: ("coco17 and feet",),  # COCO-WholeBody; face and hands follow
    136: ("halpe26",),  # Halpe-136; face and hands follow
}
COUNTS = tuple(_BY_COUNT)
# BODY_25 without the feet: a tree
_BONES = ((0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (10, 11),
          (8, 12), (12, 13), (13, 14), (0, 15), (0, 16), (15, 17), (16, 18))  # fmt: skip
_CLEARLY = (
    0.7  # another layout is taken where its bones have less than this share of the likelier one's length
)


def body25_of(joints: np.ndarray, layout: str) -> np.ndarray:
    """(25, 3) BODY_25 of the joints (J, 3) of a layout of ``LAYOUTS``; missing joints are 0."""
    ours = np.array(LAYOUTS[layout])
    known = np.flatnonzero(ours >= 0)
    out = np.zeros((25, 3))
    out[ours[known]] = joints[known]
    return with_means(out)


def layout_of(people: list[np.ndarray]) -> str:
    """The layout of the joints (J, 3) of many people, all with the same J.

    Where several layouts have J joints, the right one has the shortest bones: in a wrong order bones cross
    the body and are longer.

    Raises:
        HvrError: no layout has J joints.
    """
    count = len(people[0])
    if count not in _BY_COUNT:
        known = ", ".join(map(str, COUNTS))
        raise HvrError(f"a person has {count} joints; layouts of {known} joints are known")
    first, *others = _BY_COUNT[count]
    for other in others:
        a, b = (np.array([_bone_lengths(body25_of(p, name)) for p in people]) for name in (first, other))
        both = np.isfinite(a) & np.isfinite(b)
        if both.any() and b[both].sum() < _CLEARLY * a[both].sum():
            return other
    return first


def _bone_lengths(body25: np.ndarray) -> np.ndarray:
    """Lengths of the bones, pixels; NaN where an end is not known."""
    ends = np.where(body25[:, 2:] > 0, body25[:, :2], np.nan)[np.array(_BONES)]
    return np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1)


def with_means(body25: np.ndarray) -> np.ndarray:
    """BODY_25 (25, 3) with neck and mid-hip as means of shoulders and hips where they are unknown."""
    out = body25.copy()
    for joint, pair in {1: [2, 5], 8: [9, 12]}.items():
        if out[joint, 2] == 0:
            out[joint] = [*out[pair, :2].mean(0), out[pair, 2].min()]
    out[out[:, 2] <= 0] = 0
    return out
