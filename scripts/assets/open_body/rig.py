"""MakeHuman's 163-bone rig: heads, the T-pose of any shape, and its reduction to 24 SMPL joints.

Bone rotations are written about world axes, so no bone frames are needed:
``G_b = D_b G_parent``, ``p_b = p_parent + G_parent (h_b - h_parent)`` (docs/body.md, 6, steps 3 and 4).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation

from scripts.assets.open_body.source import Base

CLAVICLE, SHOULDER = 3.0, 4.0  # degrees by which the shoulder girdle is lifted in the T-pose
THIGH, SHANK, FOOT_YAW = 3.5, -0.5, 8.0  # degrees by which leg segments and feet point outwards
MIN_WEIGHT, MAX_INFLUENCES = 2e-3, 6
# SMPL joint -> the bones whose heads it is the mean of; ".L" is replaced for the right side
JOINT_BONES = {
    0: ("spine05",),
    1: ("upperleg01.L",),
    3: ("spine04",),
    4: ("lowerleg01.L",),
    6: ("spine03",),
    7: ("foot.L",),
    9: ("spine02",),
    10: tuple(f"toe{k}-1.L" for k in range(1, 6)),
    12: ("neck01",),
    13: ("clavicle.L",),
    15: ("head",),
    16: ("upperarm01.L",),
    18: ("lowerarm01.L",),
    20: ("wrist.L",),
    22: tuple(f"finger{k}-1.L" for k in range(2, 6)),
}
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
MIRROR_JOINT = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22)
# prefix of a bone's name -> SMPL joint that takes its weights (the first match; all others go to the head)
WEIGHT_RULES = (
    ("root", 0), ("spine05", 0), ("pelvis", 0), ("upperleg", 1), ("lowerleg", 4), ("foot", 7),
    ("toe", 10), ("spine04", 3), ("spine03", 6), ("spine0", 9), ("breast", 9), ("clavicle", 13),
    ("shoulder", 13), ("upperarm", 16), ("lowerarm", 18), ("wrist", 20), ("metacarpal", 20),
    ("finger1-1", 20), ("finger", 22), ("neck", 12),
)  # fmt: skip


def bone_order(base: Base) -> list[str]:
    """Bone names, parents before children."""
    order: list[str] = []
    todo = [name for name, bone in base.bones.items() if not bone["parent"]]
    while todo:
        order += todo
        todo = [name for name, bone in base.bones.items() if bone["parent"] in todo]
    return order


def bone_heads(base: Base, vertices: np.ndarray) -> dict[str, np.ndarray]:
    """Head of every bone, (..., 3), for base vertices (..., 19158, 3)."""
    heads = {}
    for name, bone in base.bones.items():
        spec = bone["head"]
        if spec["strategy"] == "CUBE":
            ids = base.groups[spec["cube_name"]]
        else:
            ids = np.atleast_1d(spec.get("vertex_indices", spec.get("vertex_index")))
        heads[name] = vertices[..., ids, :].mean(-2)
    return heads


def joints_of(points: dict[str, np.ndarray]) -> np.ndarray:
    """(24, 3) SMPL joints from bone positions."""
    out = np.zeros((24, 3))
    for joint, names in JOINT_BONES.items():
        out[joint] = np.mean([points[n] for n in names], axis=0)
        if MIRROR_JOINT[joint] != joint:
            out[MIRROR_JOINT[joint]] = np.mean([points[n.replace(".L", ".R")] for n in names], axis=0)
    return out


def smpl_weights(base: Base, count: int) -> np.ndarray:
    """(count, 24) blend weights of base vertices: sums of bone columns, without small ones."""
    out = np.zeros((count, 24))
    for bone, pairs in base.weights.items():
        joint = next((j for prefix, j in WEIGHT_RULES if bone.startswith(prefix)), 15)
        joint = MIRROR_JOINT[joint] if bone.endswith(".R") else joint
        ids = pairs[:, 0].astype(int)
        np.add.at(out[:, joint], ids[ids < count], pairs[ids < count, 1])
    out[out < MIN_WEIGHT] = 0.0
    weakest = np.sort(out, axis=1)[:, -MAX_INFLUENCES][:, None]
    out[out < weakest] = 0.0
    return out / out.sum(1, keepdims=True)


def bone_weights(base: Base, keep: np.ndarray) -> csr_matrix:
    """Sparse (len(keep), 163) weights of the full rig, bones in ``bone_order``."""
    columns = {name: k for k, name in enumerate(bone_order(base))}
    position = np.full(len(base.vertices), -1)
    position[keep] = np.arange(len(keep))
    rows, cols, values = [], [], []
    for bone, pairs in base.weights.items():
        row = position[pairs[:, 0].astype(int)]
        rows.append(row[row >= 0])
        cols.append(np.full((row >= 0).sum(), columns[bone]))
        values.append(pairs[row >= 0, 1])
    triple = np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))
    return csr_matrix(triple, shape=(len(keep), len(columns)))


def _turn(axis: str, degrees: float) -> np.ndarray:
    return Rotation.from_euler(axis, degrees, degrees=True).as_matrix()


def _aim(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The smallest rotation of the direction ``source`` to ``target``."""
    a, b = source / np.linalg.norm(source), target / np.linalg.norm(target)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis)
    if sine < 1e-12:
        return np.eye(3)
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, a @ b)).as_matrix()


def _twist_x(direction: np.ndarray, goal: float) -> float:
    """Degrees about X that bring the angle of ``direction`` in the (z, y) plane to ``goal`` degrees."""
    now = np.degrees(np.arctan2(direction[1], direction[2]))
    return -((goal - now + 180) % 360 - 180)  # a rotation about +X lowers the (z, y) angle


def _arm(heads: dict, side: str, turned: dict) -> dict[str, np.ndarray]:
    """Rotations D_b of the bones of one arm about world axes in the T-pose; ``turned``: the shoulder's G."""
    sign = 1.0 if side == "L" else -1.0
    goal = np.array([sign, 0, 0])
    h = {
        k: heads[f"{k}.{side}"]
        for k in ("upperarm01", "lowerarm01", "wrist", "finger2-1", "finger3-1", "finger4-1", "finger5-1")
    }
    g = turned[f"shoulder01.{side}"]
    upper = _aim(g @ (h["lowerarm01"] - h["upperarm01"]), goal)
    flexion = _twist_x(upper @ g @ (h["wrist"] - h["lowerarm01"]), 0.0)
    half = _turn("x", flexion / 2)
    g = half @ half @ upper @ g
    lower = _aim(g @ (h["wrist"] - h["lowerarm01"]), goal)
    g = lower @ g
    hand = _aim(g @ ((h["finger3-1"] + h["finger4-1"]) / 2 - h["wrist"]), goal)
    palm = _twist_x(hand @ g @ (h["finger2-1"] - h["finger5-1"]), 0.0)
    first, rest = _turn("x", 0.6 * palm), _turn("x", 0.4 * palm)
    # the wrist is aimed again after the forearm's share of the twist, so that the hand points along X
    wrist = rest @ _aim(first @ g @ ((h["finger3-1"] + h["finger4-1"]) / 2 - h["wrist"]), goal)
    return {
        f"upperarm01.{side}": half @ upper,
        f"upperarm02.{side}": half,
        f"lowerarm01.{side}": lower,
        f"lowerarm02.{side}": first,
        f"wrist.{side}": wrist,
    }


def _leg(heads: dict, side: str) -> dict[str, np.ndarray]:
    """Rotations of the bones of one leg about world axes: frontal angles set, sagittal kept, sole flat."""
    sign = 1.0 if side == "L" else -1.0

    def segment(start: str, end: str, degrees: float) -> tuple[np.ndarray, np.ndarray]:
        d = heads[f"{end}.{side}"] - heads[f"{start}.{side}"]
        return d, np.array([-sign * np.tan(np.radians(degrees)) * d[1], d[1], d[2]])

    thigh = _aim(*segment("upperleg01", "lowerleg01", THIGH))
    d, goal = segment("lowerleg01", "foot", SHANK)
    shank = _aim(thigh @ d, goal)
    toe = heads[f"toe2-1.{side}"] - heads[f"foot.{side}"]
    yaw = sign * FOOT_YAW - np.degrees(np.arctan2(toe[0], toe[2]))
    return {
        f"upperleg01.{side}": thigh,
        f"lowerleg01.{side}": shank,
        f"foot.{side}": _turn("y", yaw) @ (shank @ thigh).T,
    }


def t_pose(base: Base, heads: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The bone transforms that bring a shape into the T-pose.

    Args:
        heads: bone heads of one shape, metres.

    Returns:
        (163, 3, 4) transforms on rest vertices in ``bone_order``, and the moved bone heads.
    """
    turns = {**_leg(heads, "L"), **_leg(heads, "R")}
    for side, sign in (("L", 1.0), ("R", -1.0)):
        turns[f"clavicle.{side}"] = _turn("z", sign * CLAVICLE)
        turns[f"shoulder01.{side}"] = _turn("z", sign * SHOULDER)
        girdle = {f"shoulder01.{side}": _turn("z", sign * (CLAVICLE + SHOULDER))}
        turns.update(_arm(heads, side, girdle))
    turned, placed, transforms = {}, {}, []
    for name in bone_order(base):
        parent = base.bones[name]["parent"]
        above = turned[parent] if parent else np.eye(3)
        turned[name] = turns[name] @ above if name in turns else above
        placed[name] = placed[parent] + above @ (heads[name] - heads[parent]) if parent else heads[name]
        shift = placed[name] - turned[name] @ heads[name]
        transforms.append(np.concatenate([turned[name], shift[:, None]], 1))
    return np.stack(transforms), placed


def skin(weights: csr_matrix, transforms: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Linear blend skinning: (n, B) weights, (B, 3, 4) transforms, (n, 3) vertices -> (n, 3)."""
    blended = (weights @ transforms.reshape(-1, 12)).reshape(-1, 3, 4)
    return np.einsum("nij,nj->ni", blended[..., :3], vertices) + blended[..., 3]
