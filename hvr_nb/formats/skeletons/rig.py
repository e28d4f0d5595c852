"""Rotations for a skeleton of which only joint positions are known, for BVH and glTF (docs/formats.md, 10).

Every bone gets its median length over the clip, and the smallest rotation to its direction, so it does not
twist. Where several bones begin at a joint, the joint rotates by their best common rotation, and each
bone has a helper joint of no length for the rest. The rest pose is a T-pose by the names of the joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvr_nb.formats.skeletons.track import SkeletonTrack, known_joints, tree_order

HELPER = "__"  # a helper joint is named <joint>__<joint at the end of the bone>
_LITTLE = 1e-4  # weight of the parent's rotation, for what the bones leave undetermined
# direction at rest of the bone that ends in a joint of the left side; x left, y up, z forward
_SIDE, _UP, _DOWN = (1.0, 0, 0), (0, 1.0, 0), (0, -1.0, 0)
_REST = {  # for SMPL's joints as on the open body
    "hip": _SIDE, "knee": _DOWN, "ankle": _DOWN, "foot": (0.2, -0.3, 0.9), "big_toe": (0, -0.3, 1.0),
    "small_toe": (0.3, -0.3, 0.9), "heel": (0, -0.6, -0.5), "mid_hip": _DOWN, "spine": _UP, "thorax": _UP,
    "spine1": (0, 0.9, -0.44), "spine2": (0, 0.99, 0.15), "spine3": _UP, "neck": (0, 1.0, 0.09),
    "head": (0, 0.95, 0.32), "head_top": _UP, "nose": (0, 0.9, 0.4), "eye": (0.4, 0.8, 0.4),
    "ear": (0.6, 0.6, -0.5), "collar": (0.1, 1.0, 0.2), "shoulder": _SIDE, "elbow": _SIDE, "wrist": _SIDE,
    "hand": _SIDE,
}  # fmt: skip


@dataclass(frozen=True)
class SkeletonRig:
    """K nodes: the joints and the helpers, parents before children."""

    names: tuple[str, ...]  # K
    parents: tuple[int, ...]  # K, -1 for the first
    offsets: np.ndarray  # (K, 3) from the parent at rest, metres; the root's is 0
    rotations: np.ndarray  # (T, K, 3, 3) local
    root: np.ndarray  # (T, 3) position of the root, metres


def rig_track(track: SkeletonTrack) -> SkeletonRig:
    """The rotations of a track's skeleton; its joints (T, J, 3) must form one tree."""
    joints = known_joints(track)
    parents, order = track.parents, tree_order(track.parents)
    children = {j: [k for k in order if parents[k] == j] for j in order}
    bones = joints - joints[:, [p if p >= 0 else j for j, p in enumerate(parents)]]
    seen = np.asarray(track.valid, bool)
    lengths = np.median(np.linalg.norm(bones[seen], axis=2), axis=0)
    rest = (
        np.stack([_rest_direction(track.names[j], bones[seen, j]) for j in range(len(parents))])
        * lengths[:, None]
    )
    names, above, offsets, world = [], [], [], []
    place: dict[int, int] = {}  # joint -> node that is the parent of its children

    def node(name: str, parent: int, offset: np.ndarray, turned: np.ndarray) -> int:
        names.append(name)
        above.append(parent)
        offsets.append(offset)
        world.append(turned)
        return len(names) - 1

    still = np.repeat(np.eye(3)[None], len(joints), axis=0)
    for j in order:
        parent = place.get(parents[j], -1)
        before = world[parent] if parent >= 0 else still
        offset = rest[j] if parent >= 0 else np.zeros(3)
        if parent >= 0 and len(children[parents[j]]) > 1:
            turned = _turn_bone(before, rest[j], bones[:, j])
            parent = node(f"{track.names[parents[j]]}{HELPER}{track.names[j]}", parent, np.zeros(3), turned)
            before = turned
        if len(children[j]) == 1:
            below = children[j][0]
            turned = _turn_bone(before, rest[below], bones[:, below])
        else:
            turned = (
                _turn_together(before, rest[children[j]], bones[:, children[j]]) if children[j] else before
            )
        place[j] = node(track.names[j], parent, offset, turned)
    world = np.stack(world, axis=1)
    local = world.copy()
    for k, p in enumerate(above):
        if p >= 0:
            local[:, k] = world[:, p].swapaxes(1, 2) @ world[:, k]
    return SkeletonRig(tuple(names), tuple(above), np.stack(offsets), local, joints[:, order[0]])


def without_helpers(names: tuple[str, ...], parents: tuple[int, ...], offsets: np.ndarray) -> list[int]:
    """The nodes that are joints, of K nodes with offsets (K, 3), in their order."""
    return [
        k
        for k, p in enumerate(parents)
        if p < 0 or not names[k].startswith(names[p] + HELPER) or np.abs(offsets[k]).max() > 1e-9
    ]


def joint_parents(kept: list[int], parents: tuple[int, ...]) -> tuple[int, ...]:
    """Parents of the ``kept`` nodes among themselves, skipping the others."""
    found = []
    for k in kept:
        p = parents[k]
        while p >= 0 and p not in kept:
            p = parents[p]
        found.append(kept.index(p) if p >= 0 else -1)
    return tuple(found)


def _rest_direction(name: str, bones: np.ndarray) -> np.ndarray:
    """(3,) unit vector of the bone that ends in a joint: by its name, or as in the first of (T, 3) bones."""
    side, plain = 1.0, name
    for start, sign in (("left_", 1.0), ("right_", -1.0)):
        if name.startswith(start):
            side, plain = sign, name[len(start) :]
    direction = np.array(_REST[plain]) * (side, 1, 1) if plain in _REST else bones[0]
    size = np.linalg.norm(direction)
    return direction / size if size > 1e-9 else np.array(_UP)


def _turn_bone(before: np.ndarray, rest: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """(T, 3, 3) ``before``, then the smallest rotation of the bone ``rest`` (3,) to ``bones`` (T, 3)."""
    a, b = _unit(before @ rest), _unit(bones)
    cosine = (a * b).sum(1)
    axis = np.cross(a, b)
    across = np.cross(a, np.eye(3)[np.abs(a).argmin(1)])
    opposite = cosine < -1 + 1e-9
    axis[opposite] = 0
    skew = np.zeros((len(a), 3, 3))
    skew[:, [2, 0, 1], [1, 2, 0]] = axis
    skew[:, [1, 2, 0], [2, 0, 1]] = -axis
    turn = np.eye(3) + skew + skew @ skew / np.maximum(1 + cosine, 1e-9)[:, None, None]
    half = _unit(across[opposite])
    turn[opposite] = 2 * half[:, :, None] * half[:, None] - np.eye(3)
    turn[(np.abs(a).sum(1) == 0) | (np.abs(b).sum(1) == 0)] = np.eye(3)
    return turn @ before


def _turn_together(before: np.ndarray, rest: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """(T, 3, 3) best rotations of several bones at rest (N, 3) to ``bones`` (T, N, 3); Kabsch 1976."""
    both = np.einsum("tni,nj->tij", bones, rest) + _LITTLE * before
    u, _, vt = np.linalg.svd(both)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return u @ vt


def _unit(vectors: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(size > 1e-9, vectors / np.maximum(size, 1e-9), 0.0)
