"""Skinned .glb files of ``skinned_glb``, read and posed as any viewer does it (docs/formats.md, 11)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.formats.models.glb_file import accessor, read_glb
from hvr_nb.types import HvrError, Mesh


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


def read_skinned_glb(path: str | Path) -> SkinnedMesh:
    """Read a file of ``write_skinned_glb``; of several meshes the first.

    Raises:
        HvrError: the file is damaged, or has no skin or motion.
    """
    return next(iter(read_layered_glb(path).values()))


def read_layered_glb(path: str | Path) -> dict[str, SkinnedMesh]:
    """Read the meshes of a file of ``write_layered_glb`` by name, using nothing but its content.

    Raises:
        HvrError: the file is damaged, or has no skin or motion.
    """
    tree, binary = read_glb(path)
    try:
        nodes = [n for n in tree["nodes"] if "skin" in n]
        parent_of = {c: k for k, n in enumerate(tree["nodes"]) for c in n.get("children", ())}
        times, placed = _placed(tree, binary, tree["animations"][0], parent_of)
        out = {n["name"]: _skinned(tree, binary, n, parent_of, times, placed) for n in nodes}
    except (KeyError, IndexError) as error:
        raise HvrError(f"{path} has no skinned, animated mesh ({error!r}); export it again") from error
    if not out:
        raise HvrError(f"{path} has no skinned, animated mesh; export it again")
    return out


def _skinned(
    tree: dict, binary: bytes, node: dict, parent_of: dict, times: np.ndarray, placed: np.ndarray
) -> SkinnedMesh:
    """The mesh of a node; times (T,), and placed (T, nodes, 4, 4) as of ``_placed``."""
    skin = tree["skins"][node["skin"]]
    primitive = tree["meshes"][node["mesh"]]["primitives"][0]
    parts = {key: accessor(tree, binary, k) for key, k in primitive["attributes"].items()}
    joints = skin["joints"]
    uv, texture = None, None
    if "TEXCOORD_0" in parts:
        look = tree["materials"][primitive["material"]]["pbrMetallicRoughness"]
        number = tree["textures"][look["baseColorTexture"]["index"]]["source"]
        uv, texture = parts["TEXCOORD_0"] * [1, -1] + [0, 1], _picture(tree, binary, number)
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


def _picture(tree: dict, binary: bytes, number: int) -> np.ndarray:
    view = tree["bufferViews"][tree["images"][number]["bufferView"]]
    data = np.frombuffer(binary, np.uint8, view["byteLength"], view["byteOffset"])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def skinning_loss(skinned: Iterable[SkinnedMesh], surface_of_frame, which: np.ndarray) -> dict[str, float]:
    """Distances of the file's vertices from those of the full model, over some frames.

    Args:
        skinned: the meshes of a file. surface_of_frame: frame -> (N, 3) vertices, metres, in their order.
        which: (M,) frames.

    Returns:
        mean_mm, p95_mm and max_mm.
    """
    off = []
    for k in map(int, which):
        there = np.concatenate([part.pose(k) for part in skinned])
        off.append(1e3 * np.linalg.norm(there - surface_of_frame(k), axis=1))
    off = np.concatenate(off)
    return {"mean_mm": float(off.mean()), "p95_mm": float(np.percentile(off, 95)), "max_mm": float(off.max())}
