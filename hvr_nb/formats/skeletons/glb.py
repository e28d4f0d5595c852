"""Skeletons as GLB: joints, an animation, and a skinned mesh of the bones (docs/formats.md, 10).

The mesh has one joint per bone, so viewers show something, and Blender, Unity and others import an armature.
Metres, Y up, as glTF requires. The rotations come from ``rig``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.formats.models.glb_file import (
    VERTEX_DATA,
    GlbBuffer,
    accessor,
    read_glb,
    rotation_keys,
    write_glb,
)
from hvr_nb.formats.skeletons.rig import SkeletonRig, joint_parents, rig_track, without_helpers
from hvr_nb.formats.skeletons.track import SkeletonTrack, check_track
from hvr_nb.types import HvrError

_THICK, _WAIST = 0.06, 0.2  # half the width of a bone and the position of its widest part, over its length
_WIDEST = 0.03  # metres, largest half width


def write_skeleton_glb(path: str | Path, track: SkeletonTrack) -> Path:
    """Write joints (T, J, 3) as an animated skeleton with bones of median length; returns ``path``.

    The ``extras`` of the animation keep ``valid``, the rate and the order of the joints.

    Raises:
        HvrError: the joints are not one tree, or a joint is never known.
    """
    path = check_track(track, path, suffix=".glb", tree=True)
    rig = rig_track(track)
    rest = _rest_places(rig)
    buffer = GlbBuffer()
    tree = {
        "scene": 0,
        "scenes": [{"nodes": [0, len(rig.names)]}],
        "nodes": [*_joint_nodes(rig, rest), {"name": "bones", "mesh": 0, "skin": 0}],
        "materials": [
            {"pbrMetallicRoughness": {"baseColorFactor": [0.35, 0.55, 0.8, 1.0], "metallicFactor": 0.0}}
        ],
        "meshes": [{"name": "bones", "primitives": [_bones(buffer, rig, rest)]}],
        "skins": [_skin(buffer, rest)],
        "animations": [_animation(buffer, rig, track)],
    }
    return write_glb(path, tree, buffer)


def _rest_places(rig: SkeletonRig) -> np.ndarray:
    """(K, 3) nodes at rest, the lowest on the floor."""
    places = np.zeros(rig.offsets.shape)
    for k, p in enumerate(rig.parents):
        places[k] = places[p] + rig.offsets[k] if p >= 0 else 0.0
    places[:, 1] -= places[:, 1].min()
    return places


def _joint_nodes(rig: SkeletonRig, rest: np.ndarray) -> list[dict]:
    nodes = [
        {"name": name, "translation": offset.tolist()}
        for name, offset in zip(rig.names, rig.offsets, strict=True)
    ]
    nodes[0]["translation"] = rest[0].tolist()
    for k, p in enumerate(rig.parents):
        if p >= 0:
            nodes[p].setdefault("children", []).append(k)
    return nodes


def _skin(buffer: GlbBuffer, rest: np.ndarray) -> dict:
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(rest), 1, 1))
    inverse[:, :3, 3] = -rest
    return {"joints": list(range(len(rest))), "skeleton": 0, "inverseBindMatrices": buffer.numbers(inverse)}


def _bones(buffer: GlbBuffer, rig: SkeletonRig, rest: np.ndarray) -> dict:
    """The mesh: an octahedron for each bone, skinned to the node at which the bone begins."""
    long = [k for k, p in enumerate(rig.parents) if p >= 0 and np.linalg.norm(rig.offsets[k]) > 1e-6]
    shapes = [_octahedron(rest[rig.parents[k]], rest[k]) for k in long]
    points = np.concatenate(shapes) if shapes else np.zeros((3, 3))
    owner = np.repeat([rig.parents[k] for k in long], 24) if long else np.zeros(3)
    joints, weights = np.zeros((len(points), 4), np.uint16), np.zeros((len(points), 4), np.float32)
    joints[:, 0], weights[:, 0] = owner, 1.0
    corners = points.reshape(-1, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return {
        "attributes": {
            "POSITION": buffer.numbers(points.astype(np.float32), target=VERTEX_DATA, bounds=True),
            "NORMAL": buffer.numbers(np.repeat(normals, 3, 0).astype(np.float32), target=VERTEX_DATA),
            "JOINTS_0": buffer.numbers(joints, target=VERTEX_DATA),
            "WEIGHTS_0": buffer.numbers(weights, target=VERTEX_DATA),
        },
        "material": 0,
    }


def _octahedron(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(24, 3) corners of the 8 triangles of an octahedron from ``a`` (3,) to ``b`` (3,)."""
    along = (b - a) / np.linalg.norm(b - a)
    side = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    side /= np.linalg.norm(side)
    wide = min(_THICK * np.linalg.norm(b - a), _WIDEST)
    ring = [
        a + _WAIST * (b - a) + wide * v for v in (side, np.cross(along, side), -side, -np.cross(along, side))
    ]
    faces = [(ring[(i + 1) % 4], ring[i], a) for i in range(4)] + [
        (ring[i], ring[(i + 1) % 4], b) for i in range(4)
    ]
    return np.array(faces).reshape(24, 3)


def _animation(buffer: GlbBuffer, rig: SkeletonRig, track: SkeletonTrack) -> dict:
    frames, count = rig.rotations.shape[:2]
    times = buffer.numbers(track.seconds.astype(np.float32), bounds=True)
    outputs = [buffer.numbers(rig.root.astype(np.float32))]
    turns = rotation_keys(Rotation.from_matrix(rig.rotations.reshape(-1, 3, 3)), frames)
    outputs += [buffer.numbers(turns[:, k]) for k in range(count)]
    targets = [{"node": 0, "path": "translation"}, *({"node": k, "path": "rotation"} for k in range(count))]
    return {
        "name": "motion",
        "samplers": [{"input": times, "output": output, "interpolation": "LINEAR"} for output in outputs],
        "channels": [{"sampler": i, "target": target} for i, target in enumerate(targets)],
        "extras": {
            "fps": float(track.fps),
            "valid": [int(v) for v in track.valid],
            "joints": list(track.names),
        },
    }


def read_skeleton_glb(path: str | Path) -> SkeletonTrack:
    """Read a file of ``write_skeleton_glb``; bones have their median lengths.

    Raises:
        HvrError: the file is missing, damaged, or of another program.
    """
    path = Path(path)
    try:
        tree, binary = read_glb(path)
        animation, nodes = tree["animations"][0], tree["nodes"]
        arrays = [accessor(tree, binary, sampler["output"]) for sampler in animation["samplers"]]
        extras, joints = animation["extras"], tree["skins"][0]["joints"]
        found = {
            (c["target"]["node"], c["target"]["path"]): arrays[c["sampler"]] for c in animation["channels"]
        }
        turns = [Rotation.from_quat(found[k, "rotation"]).as_matrix() for k in joints]
        offsets = np.array([nodes[k]["translation"] for k in joints])
        root = found[0, "translation"].astype(np.float64)
        times = accessor(tree, binary, animation["samplers"][0]["input"]).astype(np.float64)
        track = replace(_posed(nodes, offsets, np.stack(turns, 1), root, extras), times=times)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise HvrError(
            f"{path} is not a skeleton that this project wrote ({error!r}); write it again with "
            "write_skeleton_glb"
        ) from error
    check_track(track, path, suffix=".glb")
    return track


def _posed(
    nodes: list[dict], offsets: np.ndarray, turns: np.ndarray, root: np.ndarray, extras: dict
) -> SkeletonTrack:
    """The joints of K nodes with offsets (K, 3) and local rotations (T, K, 3, 3), the root at (T, 3)."""
    count = len(offsets)
    above = {child: k for k in range(count) for child in nodes[k].get("children", ())}
    parents = tuple(above.get(k, -1) for k in range(count))
    world, places = turns.copy(), np.repeat(root[:, None], count, 1)
    for k, p in enumerate(parents):
        if p >= 0:
            places[:, k] = places[:, p] + world[:, p] @ offsets[k]
            world[:, k] = world[:, p] @ turns[:, k]
    names = tuple(nodes[k]["name"] for k in range(count))
    kept = without_helpers(names, parents, offsets)
    over = joint_parents(kept, parents)
    row = {names[k]: i for i, k in enumerate(kept)}
    order = [row[name] for name in extras["joints"]]
    place = {old: new for new, old in enumerate(order)}
    return SkeletonTrack(
        places[:, [kept[i] for i in order]],
        tuple(extras["joints"]),
        tuple(place[over[i]] if over[i] >= 0 else -1 for i in order),
        float(extras["fps"]),
        np.array(extras["valid"], bool),
    )
