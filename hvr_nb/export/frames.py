"""An avatar frame by frame: meshes of constant topology, pictures of them, and the IoU of their silhouettes.

The files are named as SelfRecon's inference names them (docs/formats.md), so that programs that read those
read these. For the avatars of all methods that give ``surface`` and ``render`` (``hvr_nb.methods.Avatar``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hvr_nb.drawing.pictures import over, to_uint8
from hvr_nb.drawing.shading import shade, viewpoint
from hvr_nb.formats.datasets.selfrecon_camera import picture_from_normals, values_from_camera
from hvr_nb.formats.models.mesh_file import save_mesh
from hvr_nb.geometry.camera import to_camera, undistort_images
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.methods import Avatar, require_gives
from hvr_nb.metrics.images import iou
from hvr_nb.store.atomic_files import atomic_folder
from hvr_nb.store.files import read_image, write_image
from hvr_nb.store.inside import check_names
from hvr_nb.store.video import write_video
from hvr_nb.types import Camera, HvrError, Mesh

WORST = 10  # frames listed in errors.txt
PICTURES = ("meshs", "def1meshs", "colors", "normals")
KINDS = ("ply", "obj", "none")


@dataclass(frozen=True)
class FrameExport:
    """What ``export_frames`` wrote."""

    folder: Path
    iou: np.ndarray = field(repr=False)  # (T,) of the mesh's silhouettes and the clip's

    def __repr__(self) -> str:
        return (
            f"FrameExport({self.folder}: {len(self.iou)} frames; IoU of silhouettes {self.iou.mean():.4f} "
            f"mean, {self.iou.min():.4f} least)"
        )


def export_frames(
    avatar: Avatar,
    folder: str | Path,
    *,
    frames: np.ndarray,
    alpha: np.ndarray,
    names: list[str],
    fps: float,
    times: np.ndarray | None = None,
    meshes: str = "ply",
    photo: bool = False,
) -> FrameExport:
    """Write the avatar of every frame of its clip.

    The folder gets

    - ``tmp.ply``: the mesh in the big pose, whose faces all frames share; ``camera.npz``,
    - ``meshs/0.npy`` ...: vertices in OpenCV camera axes, metres; ``meshs/0.png`` ...: shaded,
    - ``def1meshs/0.npy`` ... and ``.png``: the big pose with the frame's own displacement,
    - ``colors/0.png`` ...; ``normals/0.png`` ...: (n + 1) / 2 * 255, x right, y up, z towards the camera,
    - a ``video.mp4`` in each of these folders,
    - ``errors.txt`` and ``iou.csv``: silhouettes against the masks,
    - ``meshes/<frame>.ply`` or ``.obj``: in the clip's world.

    Args:
        avatar: of a method that gives ``surface`` and ``render``. folder: a new or empty one.
        frames: (T, H, W, 3) uint8, those of its body. alpha: (T, H, W) uint8.
        names: T. fps: frames per second of the videos. times: (T,) seconds, where the rate varies.
        meshes: "ply", "obj" or "none", the kind of files in ``meshes``; each has all faces and colours.
        photo: draw ``meshs`` and ``colors`` over the frames instead of on white.

    Raises:
        HvrError: the avatar does not give these, the frames are not its own, ``meshes`` is another word, or
            the folder is not empty.
    """
    require_gives(avatar, "export_frames", "surface", "render")
    body, camera, folder = avatar.body, avatar.body.camera, Path(folder)
    if meshes not in KINDS:
        raise HvrError(f'meshes is "{meshes}"; use one of {", ".join(KINDS)}')
    if frames.shape[:3] != (len(body), camera.height, camera.width) or alpha.shape != frames.shape[:3]:
        raise HvrError(
            f"the avatar has {len(body)} frames of {camera.width}x{camera.height}; given were {len(frames)} "
            f"of {frames.shape[2]}x{frames.shape[1]}, {len(alpha)} masks"
        )
    check_names(names, "the frames' names", "give plain names that differ")
    rest = avatar.surface(None)
    view = viewpoint(
        *(f(rest.vertices.astype(np.float64), 0) for f in (np.min, np.max)), angle=0.0, height=camera.height
    )
    overlap = np.zeros(len(body))
    with atomic_folder(folder, ours=set()) as new:
        save_mesh(Mesh(rest.vertices, rest.faces, rest.colors), new / "tmp.ply")
        np.savez(new / "camera.npz", **values_from_camera(camera_only(camera)))
        for name in PICTURES:
            (new / name).mkdir()
        for k in tqdm(range(len(body)), desc=f"writing {folder.name}", unit="frame"):
            mesh = avatar.surface(body.frame(k), frame=k)
            ground, mask = (undistort_images(x[k : k + 1], camera)[0][0] for x in (frames, alpha))
            ground = ground if photo else np.full_like(ground, 255)
            overlap[k] = _write_posed(new, k, mesh, camera, ground, mask)
            _write_rest(new, k, avatar.surface(None, frame=k), view)
            picture = avatar.render(camera, body.frame(k), frame=k)
            colours = over(to_uint8(picture.rgb), to_uint8(picture.alpha), ground.astype(np.float32))
            write_image(new / f"colors/{k}.png", colours)
            if meshes != "none":
                save_mesh(Mesh(mesh.vertices, mesh.faces, mesh.colors), new / f"meshes/{names[k]}.{meshes}")
        for name in PICTURES:
            write_video(new / name / "video.mp4", _read(new / name, len(body)), fps=fps, times=times)
        (new / "errors.txt").write_text(errors_text(overlap))
        lines = [f"{name},{value:.6f}" for name, value in zip(names, overlap, strict=True)]
        (new / "iou.csv").write_text("\n".join(["frame,iou", *lines]) + "\n")
    return FrameExport(folder, overlap)


def camera_only(camera: Camera) -> Camera:
    """The same lens at the origin of its own axes, as ``meshs/*.npy`` are given in them."""
    return Camera(camera.K, camera.width, camera.height, R=np.eye(3), t=np.zeros(3), source=camera.source)


def _write_posed(
    new: Path, k: int, mesh: Mesh, camera: Camera, ground: np.ndarray, mask: np.ndarray
) -> float:
    """Vertices, shading and normals of a frame; the IoU of its silhouette."""
    inside = to_camera(np.asarray(mesh.vertices, np.float64), camera)
    np.save(new / f"meshs/{k}.npy", inside.astype(np.float32))
    layer = shade(Mesh(mesh.vertices, mesh.faces), camera)
    shown = ground * (1 - layer[..., 3:]) + layer[..., :3]
    write_image(new / f"meshs/{k}.png", shown.round().clip(0, 255).astype(np.uint8))
    _, face, bary = rasterize(mesh.vertices, mesh.faces, camera)
    normals = interpolate(vertex_normals(inside, mesh.faces), mesh.faces, face, bary)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    write_image(new / f"normals/{k}.png", picture_from_normals(normals))
    return iou(face >= 0, mask > 127)


def _write_rest(new: Path, k: int, mesh: Mesh, view: Camera) -> None:
    """The big pose with a frame's own displacement, from one camera for all frames."""
    np.save(new / f"def1meshs/{k}.npy", np.asarray(mesh.vertices, np.float32))
    layer = shade(Mesh(mesh.vertices, mesh.faces), view)
    shown = 255 * (1 - layer[..., 3:]) + layer[..., :3]
    write_image(new / f"def1meshs/{k}.png", shown.round().astype(np.uint8))


def _read(folder: Path, count: int) -> Iterator[np.ndarray]:
    for k in range(count):
        yield read_image(folder / f"{k}.png", remedy="export again")


def errors_text(overlap: np.ndarray) -> str:
    """``errors.txt`` of IoU (T,): one minus it for every frame, mean, max, min, and the worst frames."""
    error = 1 - overlap
    worst = np.argsort(-error, kind="stable")[:WORST]
    lines = [f"{k}: {e:.6f}" for k, e in enumerate(error)]
    lines += [
        f"mean: {error.mean():.6f}",
        f"max: {error.max():.6f}",
        f"min: {error.min():.6f}",
        "worst: " + ", ".join(f"{k} ({error[k]:.6f})" for k in worst),
    ]
    return "\n".join(lines) + "\n"
