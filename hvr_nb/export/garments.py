"""The garments of an avatar in files: open meshes, curves, patterns; also on another person's body."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.canonical.binding import bind_mesh, skin_weights
from hvr_nb.export.pattern_sheet import pattern_sheet
from hvr_nb.formats.models.mesh_file import save_mesh
from hvr_nb.formats.models.skinned_glb import write_layered_glb
from hvr_nb.geometry.open_mesh import topology
from hvr_nb.methods import Avatar, require_gives
from hvr_nb.store.atomic_files import atomic, atomic_folder
from hvr_nb.store.files import write_json
from hvr_nb.surface.garments.fixed import KINDS, fixed_topology
from hvr_nb.surface.garments.outside import penetration
from hvr_nb.surface.garments.pattern import garment_panels
from hvr_nb.surface.garments.wearer import put_on
from hvr_nb.types import Body, Canonical, Garment, HvrError, Mesh

INDEX = "garments.json"


def export_garments(
    avatar: Avatar,
    folder: str | Path,
    *,
    wearer: Canonical | None = None,
    motion: Body | None = None,
    fps: float = 30.0,
    times: np.ndarray | None = None,
    each_frame: bool = False,
    fixed: bool = False,
) -> Path:
    """Write the garments of an avatar, each by itself, in the big pose; returns the folder.

    For each there is ``registry_<garment>.obj``; of those with open ends ``<garment>_curves.ply`` (polylines)
    and ``<garment>_pattern.svg`` (panels in millimetres, seams, stretch). ``curves.json`` holds all curves,
    ``garments.json`` topology, share inside the body and stretch. With a ``wearer`` the garments are put on
    that body, and ``dressed.glb`` shows them on it, moving.

    Args:
        avatar: of a method that gives ``garments``.
        folder: a new or empty one.
        wearer: another body. motion: its T frames. fps: of these. times: (T,) seconds, where the rate varies.
        each_frame: also write the clip's person in every frame, world axes, metres: coloured
            ``meshs/<garment>_000000.obj`` ... and the bare body, ``smpl_meshs/smpl_000000.obj`` ...
        fixed: also write ``fixed_<garment>.obj``, of the same vertices and faces on everybody, see
            ``surface.garments.fixed_topology``; jackets have none.

    Raises:
        HvrError: the avatar gives no garments or has none, the bodies are of different models, or the folder
            holds files.
    """
    require_gives(avatar, "export_garments", "garments")
    garments = avatar.garments(None)
    if not garments:
        raise HvrError("the avatar wears no garment that was found; look at the labels in 02_masks")
    body = avatar.canonical
    if wearer is not None:
        garments, body = tuple(put_on(g, avatar.canonical, wearer) for g in garments), wearer
    with atomic_folder(Path(folder), ours=set()) as new:
        index, curves = {}, {}
        for garment in garments:
            index[garment.name] = _write_one(garment, body, new)
            curves[garment.name] = garment.curves
            if fixed and garment.name in KINDS:
                same = fixed_topology(garment, body, avatar.model)
                save_mesh(same.mesh, new / f"fixed_{garment.name}.obj")
        write_json(new / "curves.json", {"unit": "metres", "pose": "big pose", "curves": curves})
        write_json(new / INDEX, {"garments": index})
        if each_frame:
            _write_frames(avatar, new)
        if wearer is not None and motion is not None:
            parts = {"body": (Mesh(wearer.vertices, wearer.faces), wearer.weights)} | {
                g.name: (g.mesh, skin_weights(bind_mesh(g.mesh.vertices, g.mesh.faces, wearer)))
                for g in garments
            }
            write_layered_glb(new / "dressed.glb", parts, wearer, motion, fps=fps, times=times)
    return Path(folder)


def dress_another(avatar: Avatar, betas: np.ndarray) -> Mesh:
    """A body of another shape in an avatar's garments, big pose, as one coloured mesh.

    Args:
        betas: (10,) of the other body.

    Raises:
        HvrError: the avatar gives no garments.
    """
    require_gives(avatar, "dress_another", "garments", "layers")
    other = replace(avatar.body.frame(0), betas=np.asarray(betas, np.float32))
    wearer = make_canonical(other, avatar.model, spacing=0.1)  # only its skin is looked at
    bare = replace(avatar.layers()["body"], vertices=wearer.vertices.astype(np.float32))
    worn = [put_on(garment, avatar.canonical, wearer).mesh for garment in avatar.garments()]
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in (bare, *worn))])
    parts = list(zip((bare, *worn), starts, strict=False))
    return Mesh(
        np.concatenate([mesh.vertices for mesh, _ in parts]).astype(np.float32),
        np.concatenate([mesh.faces + start for mesh, start in parts]),
        colors=np.concatenate([mesh.colors for mesh, _ in parts]),
    )


def _write_frames(avatar: Avatar, new: Path) -> None:
    """The layers of an avatar in every frame of its clip."""
    for name in ("meshs", "smpl_meshs"):
        (new / name).mkdir()
    for k in range(len(avatar.body)):
        for name, mesh in avatar.layers(avatar.body.frame(k), frame=k).items():
            place = f"smpl_meshs/smpl_{k:06d}.obj" if name == "body" else f"meshs/{name}_{k:06d}.obj"
            save_mesh(mesh, new / place)


def _write_one(garment: Garment, body: Canonical, new: Path) -> dict:
    """The files of one garment; returns its line of the index."""
    save_mesh(garment.mesh, new / f"registry_{garment.name}.obj")
    cloth, faces = garment.mesh.vertices, garment.mesh.faces
    out = {
        "topology": asdict(topology(faces)),
        "penetration_pct": 100 * penetration(cloth, faces, body.vertices, body.faces),
    }
    if not garment.curves:
        return out
    with atomic(new / f"{garment.name}_curves.ply") as partial:
        partial.write_text(
            polylines_ply(garment.curves, closed={n: _closed(c) for n, c in garment.curves.items()})
        )
    try:
        panels = garment_panels(garment, body)
    except HvrError as error:  # one garment without a pattern is no reason to leave out the rest
        return out | {"pattern": str(error)}
    with atomic(new / f"{garment.name}_pattern.svg") as partial:
        partial.write_text(pattern_sheet(garment.name, panels))
    return out | {"stretch": {panel.name: asdict(panel.stretch) for panel in panels}}


def _closed(curve: np.ndarray) -> bool:
    """Whether a curve (N, 3) returns to its first point: its ends are no farther apart than its points."""
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    return bool(np.linalg.norm(curve[-1] - curve[0]) < 2 * steps.max(initial=0))


def polylines_ply(curves: dict[str, np.ndarray], *, closed: dict[str, bool]) -> str:
    """Curves (N, 3) as text of a PLY with vertices and edges; comments name the curves and their vertices."""
    points, edges, notes, start = [], [], [], 0
    for name, curve in curves.items():
        number = start + np.arange(len(curve))
        loop = np.append(number, start) if closed[name] else number
        edges.append(np.stack([loop[:-1], loop[1:]], 1))
        points.append(curve)
        notes.append(f"comment {name} {start} {start + len(curve)}")
        start += len(curve)
    head = [
        "ply",
        "format ascii 1.0",
        *notes,
        f"element vertex {start}",
        *(f"property float {axis}" for axis in "xyz"),
        f"element edge {sum(map(len, edges))}",
        "property int vertex1",
        "property int vertex2",
        "end_header",
    ]
    lines = [f"{x:.6f} {y:.6f} {z:.6f}" for curve in points for x, y, z in curve]
    return "\n".join([*head, *lines, *(f"{a} {b}" for part in edges for a, b in part)]) + "\n"
