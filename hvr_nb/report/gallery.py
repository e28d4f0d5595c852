"""A gallery: hundreds of meshes, one a frame, in one HTML page that needs no network.

Every mesh is a small .glb, compressed and written into the page as text. The page unpacks only those that
are looked at and forgets the ones seen longest ago, so that a phone can show hundreds.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hvr_nb.drawing.pictures import encode_jpeg, resized
from hvr_nb.formats.models.small_glb import small_glb
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.methods import Avatar, require_gives
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import Clip
from hvr_nb.types import Camera, HvrError, Mesh, check_fps
from hvr_nb.viewing.templates import fill_template

CELLS = 110  # along the longest side of a mesh: about 15,000 triangles, 16 mm for a person
PER_PAGE = 24  # thumbnails
MARKS = np.array([0, 128, 255], np.uint8)  # alpha of what no frame saw, another frame, this frame


@dataclass(frozen=True)
class Gallery:
    """What ``write_gallery`` wrote."""

    path: Path
    meshes: int
    megabytes: float  # of the page
    triangles: int  # of all meshes

    def __repr__(self) -> str:
        return (
            f"Gallery({self.path}: {self.meshes} meshes, {self.triangles / 1000:.0f} thousand triangles, "
            f"{self.megabytes:.1f} MB)"
        )


def clip_gallery(
    clip: Clip, avatar: Avatar, *, most: int = 300, resolution: int = CELLS, path: str | Path | None = None
) -> Gallery:
    """Write ``gallery.html`` of a clip: the avatar's mesh of every frame beside the frame.

    Args:
        avatar: of a method that gives ``mesh``. most: at most so many frames, evenly spread.
        resolution: cells along the longest side of a mesh. path: default ``<clip>/gallery.html``.

    Raises:
        HvrError: the avatar gives no meshes, or none of these frames is its own.
    """
    require_gives(avatar, "clip_gallery", "mesh")
    which = spread_indices(len(avatar.body), most)
    if len(clip) != len(avatar.body):
        raise HvrError(f"the avatar has {len(avatar.body)} frames, the clip {len(clip)}; run 05_train again")

    def seen(k: int, mesh: Mesh) -> np.ndarray:
        return avatar.sightings(int(which[k]), mesh.vertices)

    return write_gallery(
        path or clip.folder / "gallery.html",
        lambda k: avatar.mesh(int(which[k]), resolution=resolution),
        clip.frames[which],
        avatar.body.camera,
        names=[clip.frame_names[k] for k in which],
        fps=clip.fps * len(which) / len(avatar.body),
        title=clip.name,
        seen=seen if "sightings" in avatar.GIVES else None,
    )


def write_gallery(
    path: str | Path,
    mesh_of: Callable[[int], Mesh],
    frames: np.ndarray,
    camera: Camera,
    *,
    names: Sequence[str],
    fps: float,
    title: str = "",
    max_side: int = 480,
    seen: Callable[[int, Mesh], np.ndarray] | None = None,
) -> Gallery:
    """Write the page.

    Args:
        path: the .html file. mesh_of: number of a frame to its coloured mesh in the world, metres.
        frames: (T, H, W, 3) uint8. camera: which filmed them; the first view is its.
        names: T. fps: frames per second at which the page plays. max_side: of the pictures, pixels.
        seen: number of a frame and its mesh to who saw the vertices, (V,): 2 this frame, 1 another, 0 none.

    Raises:
        HvrError: the numbers differ, or a mesh is empty.
    """
    path = Path(path)
    check_fps(fps)
    if len(names) != len(frames) or not len(frames):
        raise HvrError(f"{path}: {len(frames)} frames and {len(names)} names; give as many, and at least one")
    meshes, boxes, triangles = [], [], 0
    for k in tqdm(range(len(frames)), desc="gallery", unit="mesh"):
        mesh = mesh_of(k)
        marks = None if seen is None else MARKS[seen(k, mesh)]
        packed = gzip.compress(small_glb(mesh, marks), 6, mtime=0)
        meshes.append(base64.b64encode(packed).decode())
        boxes.append([mesh.vertices.min(0).tolist(), mesh.vertices.max(0).tolist()])
        triangles += len(mesh.faces)
    pictures = [
        base64.b64encode(encode_jpeg(resized(f, max_side=max_side), quality=80)).decode() for f in frames
    ]
    size = sum(map(len, meshes)) + sum(map(len, pictures))
    facts = f"{len(meshes)} meshes, {triangles / 1000:.0f} thousand triangles"
    facts += f", {size / 1e6:.1f} MB in this one file"
    film = {
        "names": list(names),
        "fps": float(fps),
        "boxes": boxes,
        "turn": camera.R.tolist(),
        "perPage": PER_PAGE,
        "marked": seen is not None,
        "pictures": pictures,
    }
    page = fill_template("gallery.html", title=title or path.stem, facts=facts, film=film, meshes=meshes)
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return Gallery(path, len(meshes), path.stat().st_size / 1e6, triangles)
