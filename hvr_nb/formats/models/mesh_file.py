"""Meshes as .ply, .obj and .glb (through trimesh)."""

from __future__ import annotations

from pathlib import Path

from hvr_nb.geometry.mesh import split_seams
from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import HvrError, Mesh


def save_mesh(mesh: Mesh, path: str | Path) -> Path:
    """Write ``mesh`` as .ply, .obj or .glb, with its vertex colours or texture.

    A textured .obj comes with ``<stem>.mtl`` and ``<stem>.png`` beside it.

    Raises:
        HvrError: another kind of file, or the disk is full or closed.
    """
    path = Path(path)
    if path.suffix not in (".ply", ".obj", ".glb"):
        raise HvrError(f"{path}: meshes are written as .ply, .obj or .glb, not {path.suffix!r}")
    out = _as_trimesh(mesh, path.stem)
    if path.suffix == ".obj":
        from trimesh.exchange.obj import export_obj

        text, files = export_obj(out, return_texture=True, mtl_name=f"{path.stem}.mtl")
        for name, data in files.items():
            _put(path.with_name(name), data)
        _put(path, text.encode())
    else:
        _put(path, out.export(file_type=path.suffix[1:]))
    return path


def _as_trimesh(mesh: Mesh, name: str):
    import trimesh
    from PIL import Image

    if mesh.texture is None or mesh.uv is None or mesh.uv_faces is None:
        return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=mesh.colors, process=False)
    which, faces, uv = split_seams(mesh)
    material = trimesh.visual.material.SimpleMaterial(image=Image.fromarray(mesh.texture), name=name)
    visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    return trimesh.Trimesh(mesh.vertices[which], faces, visual=visual, process=False)


def _put(path: Path, data: bytes) -> None:
    with atomic(path) as partial:
        partial.write_bytes(data)
