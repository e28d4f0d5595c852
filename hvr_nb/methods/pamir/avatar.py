"""The reconstructed person: a mesh of its own for every frame, and their mean, which any pose moves."""

from __future__ import annotations

import functools
import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy.spatial import cKDTree

from hvr_nb.body.model import BodyModel, single_pose
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.canonical.binding import Binding, bind_mesh, carried, pose_skin, skin_weights
from hvr_nb.methods._files import read_avatar
from hvr_nb.methods.pamir.crop import Crops, read_crops, write_crops
from hvr_nb.store.arrays import read_npz, write_npz
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.digests import file_digest
from hvr_nb.store.files import write_json
from hvr_nb.store.inside import check_names
from hvr_nb.surface.clothed.picture import draw_surface
from hvr_nb.surface.remesh import remeshed_colours
from hvr_nb.types import Body, Camera, Canonical, HvrError, Mesh, Render, shaped

SCHEMA = 1
REMEDY = "run 05_train again"
SAME = 1e-5  # radians and metres up to which a pose is that of a frame


@dataclass(frozen=True)
class PaintedMesh:
    """A mesh as it is kept on disk; who saw the vertices is told by the marks of ``texture``."""

    vertices: np.ndarray = shaped("float (V, 3)")  # metres: the clip's world, or the big pose
    faces: np.ndarray = shaped("index of V (F, 3)")
    colors: np.ndarray = shaped("uint8 (V, 3)")  # RGB, with the light of the film
    seen: np.ndarray = shaped("uint8 (V,)")  # 2 this frame, 1 another frame, 0 nobody: a guess

    @property
    def mesh(self) -> Mesh:
        """Without the marks."""
        return Mesh(self.vertices, self.faces, self.colors)


@dataclass(frozen=True)
class FrameAvatar:
    """A person as one mesh a frame; made by ``reconstruct``, read by ``load``."""

    GIVES: ClassVar[frozenset[str]] = frozenset({"render", "surface", "skin_weights", "mesh", "sightings"})
    mean: PaintedMesh  # the mean of all frames in the big pose
    canonical: Canonical
    body: Body  # the clip's body, T frames
    model: BodyModel
    crops: Crops
    names: tuple[str, ...]  # T frames
    source: Path  # folder with the meshes of the frames
    digests: tuple[str, ...]  # sha256 of their files
    held_out: np.ndarray  # frames whose own picture was not used
    history: dict  # by frames: step, seconds, iou, psnr_body
    options: dict  # of ``reconstruct``, as used, and whose weights
    model_file: str = ""  # path of the body model, "" for the one load_body_model finds

    def frame_mesh(self, frame: int) -> PaintedMesh:
        """The mesh of a frame in the clip's world, with marks of who saw it; vertices are its own.

        Raises:
            HvrError: there is no such frame, or its file is missing or damaged.
        """
        if not 0 <= frame < len(self.names):
            raise HvrError(f"there is no frame {frame}; the avatar has frames 0 to {len(self.names) - 1}")
        return read_npz(frame_file(self.source, self.names[frame]), PaintedMesh, remedy=REMEDY)[0]

    def render(self, camera: Camera, pose, *, frame: int | None = None, antialias: bool = True) -> Render:
        """One picture: of a frame's own mesh where ``pose`` is that frame's, else of the mean surface.

        Args:
            camera: any camera; distortion is ignored.
            pose: a Body of one frame, or (poses (72,), transl (3,)).
            frame: of the clip; None shows the mean surface, which for a single picture is its mesh.
            antialias: every pixel is the mean of four samples.
        """
        frame = 0 if frame is None and len(self.body) == 1 else frame
        shown = self.frame_mesh(frame) if frame is not None and self._is_of(pose, frame) else None
        if shown is None:
            shown = replace(self.mean, vertices=self._posed(pose))
        return draw_surface(shown.vertices, shown.faces, shown.colors / 255.0, camera, antialias=antialias)

    def surface(self, pose=None, *, frame: int | None = None) -> Mesh:
        """The mean surface in a pose, None for the big pose: vertices correspond.

        Args:
            frame: taken as by every avatar; a frame's own shape has other vertices, see ``mesh``.
        """
        whole = self.mean.mesh
        return whole if pose is None else replace(whole, vertices=self._posed(pose))

    def mesh(self, frame: int | None = None, *, resolution: int | None = None) -> Mesh:
        """The mean surface in the big pose, or the mesh of a frame of the clip with vertices of its own.

        Args:
            frame: None for the big pose.
            resolution: cells along the longest side. Where these are coarser than the mesh, it is remeshed;
                else, and for None, it is given as it is.
        """
        whole = self.mean.mesh if frame is None else self.frame_mesh(frame).mesh
        if resolution is None:
            return whole
        cell = float(np.ptp(whole.vertices, axis=0).max() / resolution)
        own = self.options["fit"]["canonical_cell"]
        if frame is not None:
            own = 1 / (self.crops.scale * self.options["fit"]["resolution"])
        return whole if cell <= own else remeshed_colours(whole, cell)

    def sightings(self, frame: int, points: np.ndarray) -> np.ndarray:
        """(N,) uint8 marks of points (N, 3) on a frame's mesh, those of its nearest vertices."""
        shown = self.frame_mesh(frame)
        return shown.seen[cKDTree(shown.vertices).query(points)[1]]

    def skin_weights(self) -> np.ndarray:
        """(V, 24) float32 blend weights of the vertices of ``surface``; rows sum to one."""
        return skin_weights(self._binding)

    @functools.cached_property
    def _binding(self) -> Binding:
        return bind_mesh(self.mean.vertices, self.mean.faces, self.canonical)

    def _posed(self, pose) -> np.ndarray:
        """(V, 3) float32 world metres."""
        skin = pose_skin(self.model, self.body.betas, *single_pose(pose))
        return carried(self._binding, self.canonical.faces, skin.vertices[0], skin.world[0]).astype(
            np.float32
        )

    def _is_of(self, pose, frame: int) -> bool:
        poses, transl = single_pose(pose)
        own = self.body.frame(frame)
        return bool(np.abs(poses - own.poses).max() < SAME and np.abs(transl - own.transl).max() < SAME)

    @property
    def fingerprint(self) -> str:
        """sha256 of everything a picture depends on."""
        digest = hashlib.sha256(self.model.hash.encode())
        for name in ("vertices", "faces", "colors"):
            digest.update(np.ascontiguousarray(getattr(self.mean, name)).tobytes())
        for array in (self.body.betas, self.body.poses, self.body.transl):
            digest.update(np.ascontiguousarray(array).tobytes())
        return hashlib.sha256((digest.hexdigest() + "".join(self.digests)).encode()).hexdigest()

    def save(self, folder: str | Path) -> Path:
        """Write the avatar: a file for each frame, the mean surface, body, crops, and options last."""
        folder = Path(folder)
        for name in self.names:
            there = frame_file(folder, name)
            if there.resolve() != frame_file(self.source, name).resolve():
                with atomic(there) as partial:
                    shutil.copyfile(frame_file(self.source, name), partial)
        write_npz(folder / "mean.npz", self.mean, {})
        write_npz(folder / "body.npz", self.body, {})
        write_crops(folder / "crops.json", self.crops, list(self.names))
        write_json(
            folder / "options.json",
            {
                "schema": SCHEMA,
                "method": "pamir",
                "model_hash": self.model.hash,
                "model_file": self.model_file,
                "held_out": [int(k) for k in self.held_out],
                "options": self.options,
                "history": self.history,
                "names": list(self.names),
                "digests": list(self.digests),
            },
        )
        return folder

    def __repr__(self) -> str:
        return (
            f"FrameAvatar({len(self.names)} meshes, {len(self.held_out)} of them without their own picture, "
            f"weights {self.options['weights']})"
        )


def frame_file(folder: Path, name: str) -> Path:
    """Where the mesh of a frame lies."""
    return folder / f"frame_{name}.npz"


def load(folder: str | Path, *, device: str = "auto") -> FrameAvatar:
    """Read an avatar that ``reconstruct`` or ``FrameAvatar.save`` wrote.

    Args:
        device: taken as by every method; showing it runs on the CPU.

    Raises:
        HvrError: a file is missing or damaged, or the body model at hand is not the avatar's.
    """
    folder = Path(folder)
    options, model, body = read_avatar(folder, "pamir", schema=SCHEMA, remedy=REMEDY)
    names = check_names(options["names"], folder / "options.json", REMEDY)
    crops = read_crops(folder / "crops.json", remedy=REMEDY)
    if not len(names) == len(body) == len(crops.sides):
        raise HvrError(f"{folder}: {len(names)} meshes do not fit {len(body)} poses; {REMEDY}")
    missing = [name for name in names if not frame_file(folder, name).is_file()]
    if missing:
        raise HvrError(f"{frame_file(folder, missing[0])} is missing; {REMEDY}")
    return FrameAvatar(
        read_npz(folder / "mean.npz", PaintedMesh, remedy=REMEDY)[0],
        make_canonical(body, model),
        body,
        model,
        crops,
        tuple(names),
        folder,
        tuple(options["digests"]),
        np.asarray(options["held_out"], np.int64),
        options["history"],
        options["options"],
        options["model_file"],
    )


def digests_of(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """sha256 of the files of the frames' meshes."""
    return tuple(file_digest(frame_file(folder, name)) for name in names)
