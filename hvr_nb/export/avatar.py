"""An avatar in files that other programs open: mesh, texture, skeleton, skin and motion in one folder.

For the avatars of all methods that give ``surface`` and ``skin_weights`` (``hvr_nb.methods.Avatar``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hvr_nb.formats.models.mesh_file import save_mesh
from hvr_nb.formats.models.skinned_glb import write_layered_glb
from hvr_nb.formats.models.skinned_mesh import read_layered_glb, skinning_loss
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.mesh import split_seams
from hvr_nb.methods import Avatar, require_gives
from hvr_nb.store.arrays import write_npz
from hvr_nb.store.atomic_files import atomic_folder
from hvr_nb.store.digests import file_digest
from hvr_nb.store.files import read_json, write_image, write_json
from hvr_nb.surface.texture.bake import Texture, bake_texture
from hvr_nb.types import SMPL_JOINT_NAMES, HvrError, Masks, Mesh

SCHEMA = 1
MANIFEST = "export.json"
LOOKED_AT = 8  # frames over which the loss of linear blend skinning is measured


@dataclass(frozen=True)
class ExportedSkin:
    """Content of ``skin_weights.npz``: N vertices as in mesh.ply, M as in avatar.glb and avatar.obj."""

    weights: np.ndarray  # (N, 24) float32 blend weights, rows sum to one
    joints: np.ndarray  # (24, 3) places in the big pose, metres
    parents: np.ndarray  # (24,) -1 for the root
    names: tuple[str, ...]  # 24
    rest_to_big: np.ndarray  # (24, 3, 4) T-pose to big pose, per joint
    vertex: np.ndarray  # (M,) which of the N each vertex of the textured files is


@dataclass(frozen=True)
class Export:
    """What ``export_avatar`` wrote."""

    folder: Path
    files: tuple[str, ...]
    loss: dict = field(repr=False)  # mean_mm, p95_mm, max_mm of the .glb's vertices from the avatar's

    def __repr__(self) -> str:
        return (
            f"Export({self.folder}: {', '.join(self.files)}; vertices of the .glb are "
            f"{self.loss['mean_mm']:.1f} mm (mean) and {self.loss['max_mm']:.1f} mm (most) off the avatar)"
        )


def avatar_texture(avatar: Avatar, frames: np.ndarray, masks: Masks, *, size: int = 1024) -> Texture:
    """The texture of an avatar from its clip.

    Args:
        avatar: of a method that gives ``surface``.
        frames: (T, H, W, 3) uint8, those of its body. size: side, texels.

    Raises:
        HvrError: the avatar gives no surface, or the frames are not its own.
    """
    _check(avatar, "avatar_texture", "surface")
    body, camera = avatar.body, avatar.body.camera
    if frames.shape[:3] != (len(body), camera.height, camera.width) or masks.alpha.shape != frames.shape[:3]:
        raise HvrError(
            f"the avatar has {len(body)} frames of {camera.width}x{camera.height}; given were "
            f"{len(frames)} of {frames.shape[2]}x{frames.shape[1]}, {len(masks.alpha)} masks"
        )
    return bake_texture(
        lambda k: avatar.surface(body.frame(k)),
        frames,
        masks,
        camera,
        np.flatnonzero(body.valid),
        size=size,
        rest=avatar.surface(None),
    )


def export_avatar(
    avatar: Avatar,
    folder: str | Path,
    *,
    fps: float,
    times: np.ndarray | None = None,
    texture: Texture | None = None,
) -> Export:
    """Write an avatar for other programs.

    The folder gets ``mesh.ply`` (big pose, vertex colours), ``avatar.obj`` with ``.mtl`` and ``.png`` (the
    same with the texture), ``avatar.glb`` (the same with skeleton, skin and the clip's motion; of a method
    that gives ``layers``, body and garments have nodes of their own), ``skin_weights.npz``, with a texture
    ``texture_seen.png`` (white: filmed, grey: filled in), and ``export.json``, which lists them all.

    Args:
        avatar: of a method that gives ``surface`` and ``skin_weights``.
        folder: a new one, or one that holds nothing but an export that nobody has changed.
        fps: frames per second of the avatar's body. times: (T,) seconds, where the rate varies.
        texture: of ``avatar_texture``; None writes vertex colours.

    Raises:
        HvrError: the avatar gives no surface or weights, or the folder holds other files and is left alone.
    """
    _check(avatar, "export_avatar", "surface", "skin_weights")
    folder = Path(folder)
    mesh, weights = avatar.surface(None), avatar.skin_weights()
    painted = (
        mesh
        if texture is None
        else replace(mesh, uv=texture.uv, uv_faces=texture.uv_faces, texture=texture.image)
    )
    vertex = np.arange(len(mesh.vertices)) if texture is None else split_seams(painted)[0]
    with atomic_folder(folder, ours=exported_files(folder)) as new:
        save_mesh(Mesh(mesh.vertices, mesh.faces, mesh.colors), new / "mesh.ply")
        save_mesh(painted, new / "avatar.obj")
        parts = layered(avatar, painted, weights)
        write_layered_glb(new / "avatar.glb", parts, avatar.canonical, avatar.body, fps=fps, times=times)
        if texture is not None:
            write_image(new / "texture_seen.png", texture.mask)
        write_npz(
            new / "skin_weights.npz", _skin(avatar.canonical, weights, vertex), {"kind": "skin_weights"}
        )
        loss = _loss(avatar, new / "avatar.glb", vertex)
        digests = {p.name: file_digest(p) for p in sorted(new.iterdir())}
        seen = {} if texture is None else {"texture_seen_pct": texture.seen_pct}
        write_json(
            new / MANIFEST,
            {
                "schema": SCHEMA,
                "files": digests,
                "fps": fps,
                "skinning_loss": loss,
                **seen,
                "vertices": len(mesh.vertices),
                "frames": len(avatar.body),
            },
        )
    return Export(folder, (*digests, MANIFEST), loss)


def layered(avatar: Avatar, mesh: Mesh, weights: np.ndarray) -> dict[str, tuple[Mesh, np.ndarray]]:
    """A mesh of the avatar's surface (V, 3) and blend weights (V, 24) by layers; one is "person_mesh".

    Raises:
        HvrError: the vertices of the layers are not those of the surface, one layer after the other.
    """
    layers = avatar.layers(None) if "layers" in avatar.GIVES else {}
    if len(layers) < 2:
        return {"person_mesh": (mesh, weights)}
    ends = np.cumsum([len(layer.vertices) for layer in layers.values()])
    if ends[-1] != len(mesh.vertices):
        raise HvrError(
            f"the layers {', '.join(layers)} have {ends[-1]} vertices together, the surface "
            f"{len(mesh.vertices)}; mend the method's layers"
        )
    layer_of = np.searchsorted(ends, mesh.faces[:, 0], side="right")
    out = {}
    for k, (name, end) in enumerate(zip(layers, ends, strict=True)):
        start, mine = end - len(layers[name].vertices), layer_of == k
        out[name] = (
            replace(
                mesh,
                vertices=mesh.vertices[start:end],
                faces=mesh.faces[mine] - start,
                colors=None if mesh.colors is None else mesh.colors[start:end],
                uv_faces=None if mesh.uv_faces is None else mesh.uv_faces[mine],
            ),
            weights[start:end],
        )
    return out


def _check(avatar: Avatar, verb: str, *words: str) -> None:
    """Refuse an avatar that does not give what ``verb`` needs, or whose surface is empty."""
    require_gives(avatar, verb, *words)
    if len(avatar.surface(None).faces) == 0:
        raise HvrError("the avatar's surface is empty; train it longer in 05_train")


def exported_files(folder: Path) -> set[str]:
    """Files in ``folder`` that an export wrote and nobody has changed since; these may be replaced."""
    if not (folder / MANIFEST).is_file():
        return set()
    files = read_json(folder / MANIFEST, remedy="move the folder away").get("files", {})
    there = {name: folder / name for name in files if (folder / name).is_file()}
    return {name for name, path in there.items() if file_digest(path) == files[name]} | {MANIFEST}


def _skin(canonical, weights: np.ndarray, vertex: np.ndarray) -> ExportedSkin:
    return ExportedSkin(
        weights.astype(np.float32),
        canonical.joints,
        np.asarray(canonical.parents),
        SMPL_JOINT_NAMES,
        canonical.A_big,
        vertex,
    )


def _loss(avatar, path: Path, vertex: np.ndarray) -> dict[str, float]:
    """Distance of the .glb (linear blend skinning, four weights) from the avatar in a few frames, mm."""
    which = spread_indices(len(avatar.body), LOOKED_AT)
    return skinning_loss(
        read_layered_glb(path).values(),
        lambda k: avatar.surface(avatar.body.frame(k)).vertices[vertex],
        which,
    )
