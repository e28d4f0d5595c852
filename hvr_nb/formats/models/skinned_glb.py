"""A person as one .glb for Blender and game engines: meshes, skeleton, skin, motion (docs/formats.md, 11).

One mesh, or one for the body and one for each garment, each with a node of its own that viewers can switch
off. The bind pose is the big pose. 24 joint nodes with SMPL's names move the meshes by linear blend skinning
with the four largest weights of every vertex. The rotations and root positions of the clip are the animation
(metres, Y up; glTF 2.0, sections 3.7.3 skins and 3.11 animations). Pose correctives cannot be kept;
``skinned_mesh`` reads such files and measures how much that costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import check_same_model
from hvr_nb.formats.models.glb_file import (
    INDEX_DATA,
    VERTEX_DATA,
    GlbBuffer,
    rotation_keys,
    write_glb,
)
from hvr_nb.geometry.functions import strongest_weights
from hvr_nb.geometry.mesh import split_seams, vertex_normals
from hvr_nb.store.times import frame_seconds
from hvr_nb.types import SMPL_JOINT_NAMES, Body, Canonical, HvrError, Mesh

UNLIT = "KHR_materials_unlit"  # the colours contain the light of the film
JOINT_NODES = range(1, 25)  # numbers of the joint nodes; node 0 is the person, those behind are the meshes


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
    """Write a skinned, animated person of one mesh, in a node ``<name>_mesh``; returns ``path``.

    Args:
        mesh: N vertices. weights: (N, 24). The rest as in ``write_layered_glb``.
    """
    parts = {f"{name}_mesh": (mesh, weights)}
    return write_layered_glb(path, parts, canonical, body, fps=fps, times=times, name=name)


def write_layered_glb(
    path: str | Path,
    parts: Mapping[str, tuple[Mesh, np.ndarray]],
    canonical: Canonical,
    body: Body,
    *,
    fps: float,
    times: np.ndarray | None = None,
    name: str = "person",
) -> Path:
    """Write a skinned, animated person of several meshes on one skeleton; returns ``path``.

    Args:
        path: the .glb file; a file of another program is not replaced.
        parts: by the name of its node, a mesh of N vertices in the big pose of ``canonical``, metres, with
            texture or vertex colours, and its blend weights (N, 24); the four largest of a vertex are kept.
            A texture that several meshes share is written once.
        canonical: its rest joints, parents and big pose give the skeleton.
        body: the motion, T frames, of the same shape. fps: its frames per second.
        times: (T,) seconds of the frames, where the rate varies.
        name: name of the person's node.

    Raises:
        HvrError: a value does not fit; the message names it.
    """
    path = Path(path)
    _check(path, parts, canonical, body, name)
    seconds = frame_seconds(len(body), fps=fps, times=times)
    buffer, looks = GlbBuffer(), _Looks()
    meshes = [
        {"name": part, "primitives": [_primitive(buffer, looks, part, *of)]} for part, of in parts.items()
    ]
    bind = np.linalg.inv(_bind_pose(canonical)).astype(np.float32)
    bind[:, 3] = (0, 0, 0, 1)
    place = body.transl.mean(0)
    first = len(JOINT_NODES) + 1
    tree = {
        "scene": 0,
        "scenes": [{"nodes": [0, *range(first, first + len(parts))]}],
        "nodes": _nodes(canonical, place, name, list(parts)),
        "meshes": meshes,
        **looks.tree(),
        "skins": [{"joints": list(JOINT_NODES), "skeleton": 1, "inverseBindMatrices": buffer.numbers(bind)}],
        "animations": [_animation(buffer, canonical, body, place, seconds)],
    }
    return write_glb(path, tree, buffer)


def _check(path, parts, canonical, body, name) -> None:
    taken = {name, *SMPL_JOINT_NAMES} & set(parts)
    if not parts or taken:
        raise HvrError(f"{path.name}: meshes are named {sorted(parts)}; none may be called {sorted(taken)}")
    if path.suffix.lower() != ".glb":
        raise HvrError(f"{path}: skinned meshes are written as .glb")
    if len(body) == 0:
        raise HvrError("the body has no frames; there is no motion to write")
    check_same_model("the canonical space", canonical.model_hash, body.model_hash, "run 04_canonical again")
    for part, (mesh, weights) in parts.items():
        if weights.shape != (len(mesh.vertices), 24):
            raise HvrError(
                f"blend weights of {part} are {weights.shape}; they must be ({len(mesh.vertices)}, 24), one "
                "row a vertex"
            )
        if not np.isfinite(weights).all() or (weights < 0).any() or not (weights.max(1) > 0).all():
            raise HvrError(
                f"blend weights of {part} must be finite and not negative, with one above 0 for every vertex"
            )
        if not all(np.isfinite(a).all() for a in (mesh.vertices, body.poses, body.transl)):
            raise HvrError(f"the mesh of {part} or the motion holds values that are not finite")


def _bind_pose(canonical: Canonical) -> np.ndarray:
    """(24, 4, 4) axes of each joint to the big pose."""
    out = np.tile(np.eye(4), (24, 1, 1))
    out[:, :3] = canonical.A_big
    out[:, :3, 3] = canonical.joints
    return out


def _nodes(canonical: Canonical, place: np.ndarray, name: str, parts: list[str]) -> list[dict]:
    """The nodes: the person at its position in the world, its 24 joints in the big pose, and the meshes."""
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
    return nodes + [{"name": part, "mesh": k, "skin": 0} for k, part in enumerate(parts)]


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


class _Looks:
    """Materials and textures of a file while it is written."""

    def __init__(self):
        self.materials: list[dict] = []
        self.images: list[dict] = []
        self._number: dict[int, int] = {}  # of textures by their identity

    def material(self, name: str, *, coloured: bool) -> dict:
        """A new material: colours contain the light of the film, so they are shown as they are."""
        look = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
        new = {"name": name, "pbrMetallicRoughness": look, "doubleSided": True}
        self.materials.append(new | ({"extensions": {UNLIT: {}}} if coloured else {}))
        return self.materials[-1]

    def texture(self, buffer: GlbBuffer, picture: np.ndarray) -> int:
        """The number of a texture (H, W, 3) uint8, which is written where it is new."""
        if id(picture) not in self._number:
            self._number[id(picture)] = len(self.images)
            png = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
            self.images.append({"mimeType": "image/png", "bufferView": buffer.view(png)})
        return self._number[id(picture)]

    def tree(self) -> dict:
        """Their parts of the glTF tree."""
        out = {"materials": self.materials}
        if self.images:
            out |= {
                "textures": [{"source": k, "sampler": 0} for k in range(len(self.images))],
                "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
                "images": self.images,
            }
        unlit = any("extensions" in material for material in self.materials)
        return out | ({"extensionsUsed": [UNLIT]} if unlit else {})


def _primitive(buffer: GlbBuffer, looks: _Looks, name: str, mesh: Mesh, weights: np.ndarray) -> dict:
    """The triangles of a mesh with their vertex attributes and material."""
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
    material = looks.material(name, coloured=textured or mesh.colors is not None)
    if textured:
        flipped = np.stack([uv[:, 0], 1 - uv[:, 1]], 1).astype(np.float32)  # glTF counts rows from the top
        attributes["TEXCOORD_0"] = buffer.numbers(flipped, target=VERTEX_DATA)
        number = looks.texture(buffer, mesh.texture)
        material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": number}
    elif mesh.colors is not None:
        attributes["COLOR_0"] = buffer.numbers(
            _linear(mesh.colors[:, :3])[which], target=VERTEX_DATA, normalized=True
        )
    indices = buffer.numbers(faces.astype(np.uint32).ravel(), target=INDEX_DATA)
    number = len(looks.materials) - 1
    return {"attributes": attributes, "indices": indices, "material": number, "mode": 4}


def _linear(colours: np.ndarray) -> np.ndarray:
    """(N, 4) uint16 linear, opaque colours of sRGB colours (N, 3) uint8 (glTF 2.0, section 3.7.2)."""
    c = colours / 255.0
    light = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.concatenate([light * 65535 + 0.5, np.full((len(c), 1), 65535)], 1).astype(np.uint16)
