"""Skeletons as GLB (glTF 2.0 in one binary file): joints, an animation, and a mesh of bones that moves with them.

The mesh is skinned, one joint a bone, so viewers show something and Blender, Unity and their kin import
an armature. Metres, Y up, as glTF wants; the rotations are those of ``skeleton_rig``.
"""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.formats.skeletons.rig import SkeletonRig, joint_parents, rig_track, without_helpers
from hvr_nb.formats.skeletons.track import SkeletonTrack, check_track
from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import HvrError

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_KINDS = {np.dtype(np.float32): 5126, np.dtype(np.uint16): 5123, np.dtype(np.uint32): 5125}
_THICK, _WAIST = 0.06, 0.2  # of a bone's length: half its width, and where it is widest
_WIDEST = 0.03  # metres


def write_skeleton_glb(path: str | Path, track: SkeletonTrack) -> Path:
    """Write joints (T, J, 3) with bones of constant (median) length as an animated skeleton; returns ``path``.

    ``valid``, the rate and the joints' order are kept in the animation's ``extras``.

    Raises:
        HvrError: the joints form no tree, or one of them is never known.
    """
    path = check_track(track, path, suffix=".glb", tree=True)
    rig = rig_track(track)
    rest = _rest_places(rig)
    store = _Store()
    gltf = {
        "asset": {"version": "2.0", "generator": "hvr_nb"},
        "scene": 0,
        "scenes": [{"nodes": [0, len(rig.names)]}],
        "nodes": [*_joint_nodes(rig, rest), {"name": "bones", "mesh": 0, "skin": 0}],
        "materials": [
            {"pbrMetallicRoughness": {"baseColorFactor": [0.35, 0.55, 0.8, 1.0], "metallicFactor": 0.0}}
        ],
        "meshes": [{"name": "bones", "primitives": [_bones(store, rig, rest)]}],
        "skins": [_skin(store, rest)],
        "animations": [_animation(store, rig, track)],
    }
    gltf |= {
        "accessors": store.accessors,
        "bufferViews": store.views,
        "buffers": [{"byteLength": len(store.data)}],
    }
    with atomic(path) as partial:
        partial.write_bytes(_container(gltf, bytes(store.data)))
    return path


class _Store:
    """The binary part, filled array by array."""

    def __init__(self):
        self.data, self.views, self.accessors = bytearray(), [], []

    def add(self, values: np.ndarray, *, target: int = 0, bounds: bool = False) -> int:
        """Number of a new accessor for (N,) or (N, C) values."""
        values = np.ascontiguousarray(values)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        self.views.append(view | ({"target": target} if target else {}))
        self.data += values.tobytes() + b"\0" * (-values.nbytes % 4)
        accessor = {
            "bufferView": len(self.views) - 1,
            "componentType": _KINDS[values.dtype],
            "count": len(values),
            "type": _TYPES[int(np.prod(values.shape[1:]))],
        }
        if bounds:
            flat = values.reshape(len(values), -1)
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


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


def _skin(store: _Store, rest: np.ndarray) -> dict:
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(rest), 1, 1))
    inverse[:, 3, :3] = -rest  # column by column, as glTF stores matrices
    return {"joints": list(range(len(rest))), "skeleton": 0, "inverseBindMatrices": store.add(inverse)}


def _bones(store: _Store, rig: SkeletonRig, rest: np.ndarray) -> dict:
    """The mesh: an octahedron from joint to joint, carried by the node it hangs from."""
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
            "POSITION": store.add(points.astype(np.float32), target=34962, bounds=True),
            "NORMAL": store.add(np.repeat(normals, 3, 0).astype(np.float32), target=34962),
            "JOINTS_0": store.add(joints, target=34962),
            "WEIGHTS_0": store.add(weights, target=34962),
        },
        "material": 0,
    }


def _octahedron(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(24, 3) corners of the 8 triangles of a spindle from ``a`` to ``b`` (3,)."""
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


def _animation(store: _Store, rig: SkeletonRig, track: SkeletonTrack) -> dict:
    count = rig.rotations.shape[1]
    times = store.add(track.seconds.astype(np.float32), bounds=True)
    outputs = [store.add(rig.root.astype(np.float32))]
    outputs += [store.add(_quaternions(rig.rotations[:, k])) for k in range(count)]
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


def _quaternions(rotations: np.ndarray) -> np.ndarray:
    """(T, 4) float32 x, y, z, w, each on the side of the one before, so that blending takes the short way."""
    out = Rotation.from_matrix(rotations).as_quat()
    turned = np.concatenate([[1.0], np.where((out[1:] * out[:-1]).sum(1) < 0, -1.0, 1.0)])
    return (out * np.cumprod(turned)[:, None]).astype(np.float32)


def _container(gltf: dict, data: bytes) -> bytes:
    text = json.dumps(gltf, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(data), _BIN) + data
    return struct.pack("<III", _MAGIC, 2, 12 + len(chunks)) + chunks


def read_skeleton_glb(path: str | Path) -> SkeletonTrack:
    """Read what ``write_skeleton_glb`` wrote; bones have their median lengths.

    Raises:
        HvrError: missing, damaged, or another program's GLB.
    """
    path = Path(path)
    try:
        gltf, data = _open(path)
        animation, nodes = gltf["animations"][0], gltf["nodes"]
        arrays = [_array(gltf, data, sampler["output"]) for sampler in animation["samplers"]]
        extras, joints = animation["extras"], gltf["skins"][0]["joints"]
        found = {
            (c["target"]["node"], c["target"]["path"]): arrays[c["sampler"]] for c in animation["channels"]
        }
        turns = [Rotation.from_quat(found[k, "rotation"]).as_matrix() for k in joints]
        offsets = np.array([nodes[k]["translation"] for k in joints])
        root = found[0, "translation"].astype(np.float64)
        times = _array(gltf, data, animation["samplers"][0]["input"])[:, 0].astype(np.float64)
        track = replace(_posed(gltf, offsets, np.stack(turns, 1), root, extras), times=times)
    except (KeyError, IndexError, ValueError, TypeError, OSError, struct.error) as error:
        raise HvrError(
            f"{path} is not a skeleton that this project wrote ({error!r}); write it again with "
            "write_skeleton_glb"
        ) from error
    check_track(track, path, suffix=".glb")
    return track


def _posed(
    gltf: dict, offsets: np.ndarray, turns: np.ndarray, root: np.ndarray, extras: dict
) -> SkeletonTrack:
    """The joints of K nodes with offsets (K, 3) and local turns (T, K, 3, 3), the root at (T, 3)."""
    count = len(offsets)
    above = {child: k for k in range(count) for child in gltf["nodes"][k].get("children", ())}
    parents = tuple(above.get(k, -1) for k in range(count))
    world, places = turns.copy(), np.repeat(root[:, None], count, 1)
    for k, p in enumerate(parents):
        if p >= 0:
            places[:, k] = places[:, p] + world[:, p] @ offsets[k]
            world[:, k] = world[:, p] @ turns[:, k]
    names = tuple(gltf["nodes"][k]["name"] for k in range(count))
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


def _open(path: Path) -> tuple[dict, bytes]:
    content = path.read_bytes()
    magic, version, total = struct.unpack_from("<III", content)
    if magic != _MAGIC or version != 2 or total != len(content):
        raise ValueError("no whole glTF 2.0 binary file")
    size, kind = struct.unpack_from("<II", content, 12)
    if kind != _JSON:
        raise ValueError("its first part is not JSON")
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def _array(gltf: dict, data: bytes, index: int) -> np.ndarray:
    """(N, C) float32 values of an accessor."""
    accessor = gltf["accessors"][index]
    start = gltf["bufferViews"][accessor["bufferView"]]["byteOffset"]
    columns = {name: size for size, name in _TYPES.items()}[accessor["type"]]
    values = np.frombuffer(data, np.float32, accessor["count"] * columns, start)
    return values.reshape(accessor["count"], columns)
