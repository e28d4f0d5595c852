"""A person as one .glb for Blender and game engines: mesh, skeleton, skin, motion (docs/formats.md, 11).

The bind pose is the big pose. 24 joint nodes with SMPL's names move the mesh by linear blend skinning with
the four largest weights of every vertex. The rotations and root positions of the clip are the animation
(metres, Y up; glTF 2.0, sections 3.7.3 skins and 3.11 animations). Pose correctives cannot be kept;
``skinning_loss`` measures how much that costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import check_same_model
from hvr_nb.formats.models.glb_file import (
    INDEX_DATA,
    VERTEX_DATA,
    GlbBuffer,
    accessor,
    read_glb,
    rotation_keys,
    write_glb,
)
from hvr_nb.geometry.mesh import split_seams, vertex_normals
from hvr_nb.store.times import frame_seconds
from hvr_nb.types import SMPL_JOINT_NAMES, Body, Canonical, HvrError, Mesh

INFLUENCES = 4  # joints per vertex; viewers read no more
UNLIT = "KHR_materials_unlit"  # the colours contain the light of the film
JOINT_NODES = range(1, 25)  # numbers of the joint nodes; node 0 is the person, the last one the mesh


@dataclass(frozen=True)
class SkinnedMesh:
    """The content of a skinned .glb: N vertices on J joints, T key frames."""

    mesh: Mesh  # in the bind pose
    joints: np.ndarray  # (N, 4) joints of each vertex
    weights: np.ndarray  # (N, 4) their blend weights
    inverse_bind: np.ndarray  # (J, 4, 4) bind pose to the axes of each joint
    names: tuple[str, ...]  # J
    parents: np.ndarray  # (J,) -1 for the root
    times: np.ndarray  # (T,) seconds
    placed: np.ndarray  # (T, J, 4, 4) axes of each joint to the world

    def pose(self, frame: int) -> np.ndarray:
        """(N, 3) vertices of a key frame, world metres, computed like any glTF viewer."""
        carried = self.placed[frame] @ self.inverse_bind
        blended = np.einsum("nk,nkij->nij", self.weights, carried[self.joints])
        return np.einsum("nij,nj->ni", blended[:, :3, :3], self.mesh.vertices) + blended[:, :3, 3]

    def __repr__(self) -> str:
        counts = len(self.mesh.vertices), len(self.names), len(self.times)
        return "SkinnedMesh({} vertices, {} joints, {} frames)".format(*counts)


def strongest_weights(weights: np.ndarray, *, count: int = INFLUENCES) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` largest blend weights of every vertex, scaled to sum to one, and their joints.

    Args:
        weights: (N, 24) blend weights.

    Returns:
        (N, count) uint8 joints, 0 where the weight is 0; (N, count) float32 weights.
    """
    order = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    kept = np.take_along_axis(weights, order, 1).astype(np.float64)
    kept = (kept / kept.sum(1, keepdims=True)).astype(np.float32)
    return np.where(kept > 0, order, 0).astype(np.uint8), kept


def write_skinned_glb(
    path: str | Path,
    mesh: Mesh,
    weights: np.ndarray,
    canonical: Canonical,
    body: Body,
    *,
    fps: float,
    times: np.ndarray | None = None,
    name: str = "person",
) -> Path:
    """Write a skinned, animated person; returns ``path``.

    Args:
        path: the .glb file; a file of another program is not replaced.
        mesh: N vertices in the big pose of ``canonical``, metres, with texture or vertex colours.
        weights: (N, 24) blend weights; the four largest of a vertex are kept.
        canonical: its rest joints, parents and big pose give the skeleton.
        body: the motion, T frames, of the same shape. fps: its frames per second.
        times: (T,) seconds of the frames, where the rate varies.
        name: name of the person's node.

    Raises:
        HvrError: a value does not fit; the message names it.
    """
    path = Path(path)
    _check(path, mesh, weights, canonical, body)
    seconds = frame_seconds(len(body), fps=fps, times=times)
    buffer = GlbBuffer()
    primitive, look = _primitive(buffer, mesh, weights)
    bind = np.linalg.inv(_bind_pose(canonical)).astype(np.float32)
    bind[:, 3] = (0, 0, 0, 1)
    place = body.transl.mean(0)
    tree = {
        "scene": 0,
        "scenes": [{"nodes": [0, 25]}],
        "nodes": _nodes(canonical, place, name),
        "meshes": [{"name": name, "primitives": [primitive]}],
        **look,
        "skins": [{"joints": list(JOINT_NODES), "skeleton": 1, "inverseBindMatrices": buffer.numbers(bind)}],
        "animations": [_animation(buffer, canonical, body, place, seconds)],
    }
    return write_glb(path, tree, buffer)


def _check(path, mesh, weights, canonical, body) -> None:
    if path.suffix.lower() != ".glb":
        raise HvrError(f"{path}: skinned meshes are written as .glb")
    if len(body) == 0:
        raise HvrError("the body has no frames; there is no motion to write")
    check_same_model("the canonical space", canonical.model_hash, body.model_hash, "run 04_canonical again")
    if weights.shape != (len(mesh.vertices), 24):
        raise HvrError(
            f"blend weights are {weights.shape}; they must be ({len(mesh.vertices)}, 24), one row a vertex"
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or not (weights.max(1) > 0).all():
        raise HvrError("blend weights must be finite and not negative, with one above 0 for every vertex")
    if not all(np.isfinite(a).all() for a in (mesh.vertices, body.poses, body.transl)):
        raise HvrError("the mesh or the motion holds values that are not finite")


def _bind_pose(canonical: Canonical) -> np.ndarray:
    """(24, 4, 4) axes of each joint to the big pose."""
    out = np.tile(np.eye(4), (24, 1, 1))
    out[:, :3] = canonical.A_big
    out[:, :3, 3] += np.einsum("jab,jb->ja", canonical.A_big[:, :, :3], canonical.rest_joints)
    return out


def _nodes(canonical: Canonical, place: np.ndarray, name: str) -> list[dict]:
    """The nodes: the person at its position in the world, its 24 joints in the big pose, and the mesh."""
    bones = _bones(canonical)
    turn = canonical.A_big[:, :, :3].astype(np.float64)
    local = turn.copy()
    for j, parent in enumerate(canonical.parents.tolist()):
        local[j] = turn[j] if parent < 0 else turn[parent].T @ turn[j]
    nodes = [{"name": name, "translation": place.tolist(), "children": [1]}]
    for j, joint in enumerate(SMPL_JOINT_NAMES):
        node = {
            "name": joint,
            "translation": bones[j].tolist(),
            "rotation": Rotation.from_matrix(local[j]).as_quat(canonical=True).tolist(),
        }
        children = [int(k) + 1 for k in np.flatnonzero(canonical.parents == j)]
        nodes.append(node | ({"children": children} if children else {}))
    return [*nodes, {"name": f"{name}_mesh", "mesh": 0, "skin": 0}]


def _bones(canonical: Canonical) -> np.ndarray:
    """(24, 3) offsets of the joints from their parents at rest, metres; for the root its position."""
    rest = canonical.rest_joints.astype(np.float64)
    return np.where(canonical.parents[:, None] < 0, rest, rest - rest[canonical.parents])


def _animation(
    buffer: GlbBuffer, canonical: Canonical, body: Body, place: np.ndarray, seconds: np.ndarray
) -> dict:
    """The animation: rotations of all joints and positions of the root, one key for each frame."""
    times = buffer.numbers(seconds.astype(np.float32), bounds=True)
    turns = rotation_keys(Rotation.from_rotvec(body.poses.reshape(-1, 3)), len(body))
    path = body.transl - place + _bones(canonical)[0]
    tracks = [(1, "translation", path)] + [(j + 1, "rotation", turns[:, j]) for j in range(24)]
    samplers = [
        {"input": times, "output": buffer.numbers(values.astype(np.float32)), "interpolation": "LINEAR"}
        for _, _, values in tracks
    ]
    channels = [
        {"sampler": k, "target": {"node": node, "path": what}} for k, (node, what, _) in enumerate(tracks)
    ]
    return {"name": "motion", "samplers": samplers, "channels": channels}


def _primitive(buffer: GlbBuffer, mesh: Mesh, weights: np.ndarray) -> tuple[dict, dict]:
    """The triangles with their vertex attributes, and the material."""
    normals = vertex_normals(mesh.vertices, mesh.faces)
    normals[~normals.any(1)] = (0, 0, 1)  # vertices without a face
    which, faces, uv = np.arange(len(mesh.vertices)), mesh.faces, None
    textured = mesh.texture is not None and mesh.uv is not None and mesh.uv_faces is not None
    if textured:
        which, faces, uv = split_seams(mesh)
    joints, kept = strongest_weights(weights)
    parts = {"NORMAL": normals.astype(np.float32)[which], "JOINTS_0": joints[which], "WEIGHTS_0": kept[which]}
    positions = buffer.numbers(mesh.vertices.astype(np.float32)[which], target=VERTEX_DATA, bounds=True)
    attributes = {"POSITION": positions}
    attributes |= {key: buffer.numbers(values, target=VERTEX_DATA) for key, values in parts.items()}
    material = {
        "name": "skin",
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
        "doubleSided": True,
    }
    look = {"materials": [material]}
    if textured:
        flipped = np.stack([uv[:, 0], 1 - uv[:, 1]], 1).astype(np.float32)  # glTF counts rows from the top
        attributes["TEXCOORD_0"] = buffer.numbers(flipped, target=VERTEX_DATA)
        material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
        png = cv2.imencode(".png", mesh.texture[..., ::-1])[1].tobytes()
        look |= {
            "textures": [{"source": 0, "sampler": 0}],
            "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
            "images": [{"mimeType": "image/png", "bufferView": buffer.view(png)}],
        }
    elif mesh.colors is not None:
        attributes["COLOR_0"] = buffer.numbers(
            _linear(mesh.colors[:, :3])[which], target=VERTEX_DATA, normalized=True
        )
    if textured or mesh.colors is not None:
        material["extensions"] = {UNLIT: {}}
        look["extensionsUsed"] = [UNLIT]
    indices = buffer.numbers(faces.astype(np.uint32).ravel(), target=INDEX_DATA)
    return {"attributes": attributes, "indices": indices, "material": 0, "mode": 4}, look


def _linear(colours: np.ndarray) -> np.ndarray:
    """(N, 4) uint16 linear, opaque colours of sRGB colours (N, 3) uint8 (glTF 2.0, section 3.7.2)."""
    c = colours / 255.0
    light = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.concatenate([light * 65535 + 0.5, np.full((len(c), 1), 65535)], 1).astype(np.uint16)


def read_skinned_glb(path: str | Path) -> SkinnedMesh:
    """Read a file of ``write_skinned_glb``, using nothing but its content.

    Raises:
        HvrError: the file is damaged, or has no skin or motion.
    """
    tree, binary = read_glb(path)
    try:
        node = next(n for n in tree["nodes"] if "skin" in n)
        skin, motion = tree["skins"][node["skin"]], tree["animations"][0]
        primitive = tree["meshes"][node["mesh"]]["primitives"][0]
        parts = {key: accessor(tree, binary, k) for key, k in primitive["attributes"].items()}
        parent_of = {c: k for k, n in enumerate(tree["nodes"]) for c in n.get("children", ())}
        times, placed = _placed(tree, binary, motion, parent_of)
    except (KeyError, IndexError, StopIteration) as error:
        raise HvrError(f"{path} has no skinned, animated mesh ({error!r}); export it again") from error
    joints = skin["joints"]
    uv, texture = None, None
    if "TEXCOORD_0" in parts:
        uv, texture = parts["TEXCOORD_0"] * [1, -1] + [0, 1], _picture(tree, binary)
    faces = accessor(tree, binary, primitive["indices"]).reshape(-1, 3).astype(np.int64)
    mesh = Mesh(
        parts["POSITION"].astype(np.float64),
        faces,
        uv=uv,
        uv_faces=None if uv is None else faces,
        texture=texture,
    )
    return SkinnedMesh(
        mesh,
        parts["JOINTS_0"].astype(np.int64),
        parts["WEIGHTS_0"].astype(np.float64),
        accessor(tree, binary, skin["inverseBindMatrices"]).astype(np.float64),
        tuple(tree["nodes"][k]["name"] for k in joints),
        np.array([joints.index(parent_of[k]) if parent_of.get(k) in joints else -1 for k in joints]),
        times,
        placed[:, joints],
    )


def _placed(
    tree: dict, binary: bytes, motion: dict, parent_of: dict[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """(T,) key times, seconds, and (T, nodes, 4, 4) axes of every node to the world."""
    times = accessor(tree, binary, motion["samplers"][0]["input"]).astype(np.float64)
    local = np.tile(np.eye(4), (len(times), len(tree["nodes"]), 1, 1))
    for k, node in enumerate(tree["nodes"]):
        local[:, k, :3, :3] = Rotation.from_quat(node.get("rotation", (0, 0, 0, 1))).as_matrix()
        local[:, k, :3, 3] = node.get("translation", (0, 0, 0))
    for channel in motion["channels"]:
        values = accessor(tree, binary, motion["samplers"][channel["sampler"]]["output"])
        node, what = channel["target"]["node"], channel["target"]["path"]
        if what == "rotation":
            local[:, node, :3, :3] = Rotation.from_quat(values).as_matrix()
        else:
            local[:, node, :3, 3] = values
    placed: dict[int, np.ndarray] = {}

    def place(node: int) -> np.ndarray:
        if node not in placed:
            above = place(parent_of[node]) if node in parent_of else np.eye(4)
            placed[node] = above @ local[:, node]
        return placed[node]

    return times, np.stack([place(k) for k in range(len(tree["nodes"]))], 1)


def _picture(tree: dict, binary: bytes) -> np.ndarray:
    view = tree["bufferViews"][tree["images"][0]["bufferView"]]
    data = np.frombuffer(binary, np.uint8, view["byteLength"], view["byteOffset"])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def skinning_loss(skinned: SkinnedMesh, surface_of_frame, which: np.ndarray) -> dict[str, float]:
    """Distances of the file's vertices from those of the full model, over some frames.

    Args:
        surface_of_frame: frame -> (N, 3) vertices, metres, in the order of ``skinned``. which: (M,) frames.

    Returns:
        mean_mm, p95_mm and max_mm.
    """
    off = [np.linalg.norm(skinned.pose(int(k)) - surface_of_frame(int(k)), axis=1) for k in which]
    off = 1e3 * np.concatenate(off)
    return {"mean_mm": float(off.mean()), "p95_mm": float(np.percentile(off, 95)), "max_mm": float(off.max())}
