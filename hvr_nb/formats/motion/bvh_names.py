"""The SMPL joints of a BVH skeleton, recognised by their names (docs/formats.md, 9).

Known are the names of CMU and Acclaim, Mixamo, SMPL, 3ds Max, Unreal, Unity and VRM (VRoid), Daz Genesis,
Poser, Character Creator, OptiTrack, Perception Neuron, MakeHuman, Rigify and similar programs.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from hvr_nb.formats.motion.bvh_file import Bvh
from hvr_nb.types import SMPL_JOINT_NAMES, HvrError

# SMPL joint -> parts of names that mean it, without the side; the first that a skeleton has is taken
_PARTS = {
    "hip": ("upleg", "upperleg", "thigh", "thighbend", "hip", "femur"),
    "knee": ("knee", "shin", "shinbend", "calf", "lowerleg", "lowleg", "leg", "tibia"),
    "ankle": ("ankle", "foot"),
    "collar": ("collar", "clavicle", "clav", "shoulder"),
    "shoulder": (
        "arm",
        "upperarm",
        "upperarmbend",
        "uparm",
        "uarm",
        "humerus",
        "shldr",
        "shldrbend",
        "shoulder",
    ),
    "elbow": ("elbow", "forearm", "forearmbend", "lowerarm", "lowarm", "farm", "radius"),
    "wrist": ("wrist", "hand"),
}
_LATER = {
    "foot": ("toebase", "toe", "toes", "toe11", "ball", "metatarsals", "foot"),
    "hand": ("hand",),
}  # if still free
_MIDDLE = {"neck": ("neck", "necklower", "lowerneck", "necktwist"), "head": ("head",)}
_KNOWN = {word for words in (*_PARTS.values(), *_LATER.values(), *_MIDDLE.values()) for word in words}
_NEEDED = tuple(
    f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "shoulder", "elbow")
)
_NOISE = {"mixamorig", "bip", "avg", "skeleton", "character", "def", "jnt", "stretch"}
_FIRST_NOISE = {"m", "f", "c"}  # male, female; centre
_SIDES = {
    "l": "left",
    "lft": "left",
    "left": "left",
    "r": "right",
    "rgt": "right",
    "rt": "right",
    "right": "right",
}


def smpl_joints(bvh: Bvh, path: str | Path = "the file") -> dict[int, int]:
    """SMPL joint -> the same joint of the file; feet, hands, collars, neck and head only where it has them.

    The pelvis is where the legs meet; spine1 to spine3 are the lowest, middle and highest joint of the trunk.

    Raises:
        HvrError: hips, knees, shoulders or elbows were not recognised.
    """
    parts: dict[tuple[str, str], int] = {}
    for j, words in enumerate(without_prefix([_words(name) for name in bvh.names])):
        parts.setdefault(_side_and_part(words), j)
    named: dict[str, int] = {}
    for side in ("left", "right"):
        for joint, words in (_PARTS | _LATER).items():
            for word in words:
                free = (side, word) in parts and parts[side, word] not in named.values()
                if free and not (joint == "collar" and not _has_arm(parts, side) and word == "shoulder"):
                    named[f"{side}_{joint}"] = parts[side, word]
                    break
    missing = [joint for joint in _NEEDED if joint not in named]
    if missing:
        raise HvrError(
            f"{path}: no joint is known as {', '.join(missing)} among {', '.join(bvh.names[:30])}; name "
            "them as CMU, Mixamo or SMPL do (LeftUpLeg or left_hip ...)"
        )
    for joint, words in _MIDDLE.items():
        if known := [parts["", word] for word in words if ("", word) in parts]:
            named[joint] = known[0]
    named["pelvis"] = _meeting(bvh, named["left_hip"], named["right_hip"])
    named |= _spine(bvh, named)
    return {SMPL_JOINT_NAMES.index(joint): j for joint, j in named.items()}


def name_parts(name: str) -> tuple[str, str]:
    """Side ("left", "right" or "") and rest, in lower case, of a name.

    For example of mixamorig:LeftUpLeg, hip.L, lShldr, lfemur.
    """
    return _side_and_part(_words(name))


def _words(name: str) -> list[str]:
    """The words of a name in lower case, split at capitals, digits and signs; the side is a word too."""
    name = re.sub(r"(^|[^A-Za-z])([LR])(?=[A-Z][A-Za-z])", r"\1\2 ", name.split(":")[-1])
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def without_prefix(names: list[list[str]]) -> list[list[str]]:
    """The words of all joints without a common prefix, as in Robot_Hips, J_Bip_L_UpperLeg."""
    while True:
        firsts = Counter(words[0] for words in names if len(words) > 1)
        word, count = firsts.most_common(1)[0] if firsts else ("", 0)
        if count <= len(names) / 2 or word in _SIDES or word in _KNOWN:
            return names
        names = [words[1:] if len(words) > 1 and words[0] == word else words for words in names]


def _side_and_part(words: list[str]) -> tuple[str, str]:
    words = [word for word in words if word not in _NOISE] or words
    while len(words) > 1 and (words[0].isdecimal() or words[0] in _FIRST_NOISE):
        words = words[1:]  # the prefix Bip01
    side = next((_SIDES[word] for word in words if word in _SIDES), "")
    rest = "".join(word for word in words if word not in _SIDES)
    for start in ("left", "right", "l", "r"):
        part = _first_of_several(rest.removeprefix(start))
        if not side and rest.startswith(start) and (len(start) > 1 or part in _KNOWN):
            return _SIDES[start], part
    return side, _first_of_several(rest)


def _first_of_several(part: str) -> str:
    """A known part without the number 1 after it: upperleg01 is the beginning of the upper leg."""
    numbered = re.fullmatch(r"(.+?)0*1", part)
    return numbered[1] if numbered and numbered[1] in _KNOWN else part


def _has_arm(parts: dict[tuple[str, str], int], side: str) -> bool:
    return any((side, word) in parts for word in _PARTS["shoulder"] if word != "shoulder")


def _above(bvh: Bvh, j: int) -> list[int]:
    """j and its ancestors, up to the root."""
    chain = [j]
    while bvh.parents[chain[-1]] >= 0:
        chain.append(bvh.parents[chain[-1]])
    return chain


def _meeting(bvh: Bvh, a: int, b: int) -> int:
    """The lowest common ancestor of a and b."""
    above = set(_above(bvh, b))
    return next(j for j in _above(bvh, a) if j in above)


def _spine(bvh: Bvh, named: dict[str, int]) -> dict[str, int]:
    """The joints of the trunk between the pelvis and the joint where the arms begin."""
    top = _meeting(bvh, named["left_shoulder"], named["right_shoulder"])
    chain = _above(bvh, top)
    if named["pelvis"] not in chain:
        return {}
    trunk = chain[: chain.index(named["pelvis"])][::-1]
    trunk = [j for j in trunk if j not in named.values()]
    match len(trunk):
        case 0:
            return {}
        case 1:
            return {"spine2": trunk[0]}
        case 2:
            return {"spine1": trunk[0], "spine3": trunk[1]}
    return {"spine1": trunk[0], "spine2": trunk[len(trunk) // 2], "spine3": trunk[-1]}
