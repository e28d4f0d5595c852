"""The reconstructed person: a bare body and garments over it, each a mesh of constant topology."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from hvr_nb.body.model import BodyModel, single_pose
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.canonical.binding import Binding, bind_mesh, carried, pose_skin, skin_weights
from hvr_nb.geometry.mesh import clustered
from hvr_nb.methods._files import read_avatar
from hvr_nb.store.arrays import read_npz, write_npz
from hvr_nb.store.files import write_json
from hvr_nb.surface.clothed.motion import bumps, displaced
from hvr_nb.surface.clothed.picture import coloured, draw_surface, lit
from hvr_nb.surface.garments.outside import pushed_out
from hvr_nb.surface.garments.wardrobe import BODY, Wardrobe
from hvr_nb.types import Body, Camera, Canonical, Garment, HvrError, Mesh, Render, shaped

SCHEMA = 1


@dataclass(frozen=True)
class Wrinkles:
    """Light, and what moves every frame's surface; T frames."""

    light: np.ndarray = shaped("float (L,)")  # strengths of the lamps of ``hvr_nb.surface.light``
    centres: np.ndarray = shaped("float (P, 3)")  # big-pose centres of the bumps, metres
    heights: np.ndarray = shaped("float (T, P)")  # metres, heights of the bumps in every frame


@dataclass(frozen=True)
class GarmentAvatar:
    """A person as a body and garments in the big pose; made by ``reconstruct``, read by ``load``."""

    GIVES: ClassVar[frozenset[str]] = frozenset(
        {"render", "surface", "skin_weights", "mesh", "layers", "garments"}
    )
    made: Wardrobe
    wrinkles: Wrinkles
    names: tuple[str, ...]  # of the layers, the body first
    curves: tuple[tuple[str, str], ...]  # layer and name of every curve
    canonical: Canonical
    body: Body  # the clip's body with the refined poses, T frames
    model: BodyModel
    held_out: np.ndarray  # frames kept out of the fit
    history: dict  # by rounds: step, seconds, iou, psnr_body
    options: dict  # of ``reconstruct``, as used; what was found
    model_file: str = ""  # path of the body model, "" for the one load_body_model finds

    def render(self, camera: Camera, pose, *, frame: int | None = None) -> Render:
        """One picture.

        Args:
            camera: any camera; distortion is ignored.
            pose: a Body of one frame, or (poses (72,), transl (3,)).
            frame: frame of the clip whose own displacement to show; None shows the mean shape.
        """
        vertices = self._posed(pose, frame)
        colour = lit(self.made.albedo, vertices, self.made.faces, self.wrinkles.light)
        return draw_surface(vertices, self.made.faces, colour, camera)

    def surface(self, pose=None, *, frame: int | None = None) -> Mesh:
        """All layers as one mesh in a pose, None for the big pose: vertices correspond.

        Args:
            frame: of the clip, whose own displacement to show; None shows the mean shape.
        """
        if pose is not None:
            return replace(self._mesh, vertices=self._posed(pose, frame))
        return replace(self._mesh, vertices=self._displaced(self.made.vertices, frame).astype(np.float32))

    def mesh(self, frame: int | None = None, *, resolution: int | None = None) -> Mesh:
        """All layers as one coloured mesh: in the big pose, or posed as in a frame of the clip.

        Args:
            frame: None for the big pose.
            resolution: cells along the longest side. Where these are coarser than the avatar's own mesh, the
                vertices of a layer in one cell become one; else, and for None, it is given as it is.
        """
        whole = self._mesh
        if frame is not None:
            whole = replace(whole, vertices=self._posed(self.body.frame(frame), frame))
        if resolution is None:
            return whole
        cell = float(np.ptp(whole.vertices, axis=0).max() / resolution)
        return clustered(whole, self.made.layer, cell) if cell > self.options["cell"] / 2 else whole

    def layers(self, pose=None, *, frame: int | None = None) -> dict[str, Mesh]:
        """The bare body, by the name "body", and every garment, by its own: together they are ``surface``."""
        whole, start, out = self.surface(pose, frame=frame), 0, {}
        of_face = self.made.layer[self.made.faces[:, 0]]
        for number, name in enumerate(self.names):
            count = int((self.made.layer == number).sum())
            part = slice(start, start + count)
            faces = self.made.faces[of_face == number] - start
            out[name] = Mesh(whole.vertices[part], faces, colors=whole.colors[part])
            start += count
        return out

    def garments(self, pose=None, *, frame: int | None = None) -> tuple[Garment, ...]:
        """The garments with their feature curves, metres; arguments as ``surface`` takes them."""
        places = self.surface(pose, frame=frame).vertices
        meshes = self.layers(pose, frame=frame)
        curves: dict[str, dict[str, np.ndarray]] = {name: {} for name in self.names}
        for number, (layer, name) in enumerate(self.curves):
            curves[layer][name] = places[self.made.rim[self.made.curve == number]]
        return tuple(Garment(name, meshes[name], curves[name]) for name in self.names if name != BODY)

    def skin_weights(self) -> np.ndarray:
        """(V, 24) float32 weights of the vertices of ``surface``, rows summing to one."""
        return np.concatenate([self.canonical.weights.astype(np.float32), skin_weights(self._binding)])

    @property
    def _bare(self) -> int:
        """Number of vertices of the body, which come first."""
        return int((self.made.layer == 0).sum())

    @functools.cached_property
    def _cloth(self) -> np.ndarray:
        """Faces (F, 3) of all but the body, by vertices after the body."""
        return self.made.faces[self.made.layer[self.made.faces[:, 0]] > 0] - self._bare

    @functools.cached_property
    def _binding(self) -> Binding:
        """Of all vertices but the body's."""
        return bind_mesh(self.made.vertices[self._bare :], self._cloth, self.canonical)

    @functools.cached_property
    def _bumps(self):
        return bumps(self.made.vertices, self.wrinkles.centres)

    @functools.cached_property
    def _mesh(self) -> Mesh:
        """The big-pose mesh; colours as the mean light of a standing person shows them."""
        return coloured(self.made.vertices, self.made.faces, self.made.albedo)

    def _posed(self, pose, frame: int | None) -> np.ndarray:
        """(V, 3) float32 world metres."""
        skin = pose_skin(self.model, self.body.betas, *single_pose(pose))
        cloth = carried(self._binding, self.canonical.faces, skin.vertices[0], skin.world[0])
        if len(self._binding.which):
            bare = skin.vertices[0], self.canonical.faces
            cloth = pushed_out(cloth, self._cloth, *bare, which=self._binding.which)
        return self._displaced(np.concatenate([skin.vertices[0], cloth]), frame).astype(np.float32)

    def _displaced(self, vertices: np.ndarray, frame: int | None) -> np.ndarray:
        """Vertices (V, 3) in some pose with the displacement of a frame; None adds none."""
        if frame is None or not self.wrinkles.heights.shape[1]:
            return vertices
        return displaced(vertices, self.made.faces, self._bumps, self.wrinkles.heights[frame])

    @property
    def fingerprint(self) -> str:
        """sha256 of everything a picture depends on."""
        digest = hashlib.sha256(self.model.hash.encode())
        for value, names in (
            (self.made, ("vertices", "faces", "albedo", "layer")),
            (self.wrinkles, ("light", "centres", "heights")),
            (self.body, ("betas",)),
        ):
            for name in names:
                digest.update(np.ascontiguousarray(getattr(value, name)).tobytes())
        return digest.hexdigest()

    def save(self, folder: str | Path) -> Path:
        """Write the avatar, all that is needed to show it: layers, light, body, options."""
        folder = Path(folder)
        write_npz(folder / "wardrobe.npz", self.made, {})
        write_npz(folder / "wrinkles.npz", self.wrinkles, {})
        write_npz(folder / "body.npz", self.body, {})
        write_json(
            folder / "options.json",
            {
                "schema": SCHEMA,
                "method": "recmv",
                "model_hash": self.model.hash,
                "model_file": self.model_file,
                "names": list(self.names),
                "curves": [list(pair) for pair in self.curves],
                "held_out": [int(k) for k in self.held_out],
                "options": self.options,
                "history": self.history,
            },
        )
        return folder

    def __repr__(self) -> str:
        return (
            f"GarmentAvatar({', '.join(self.names)}; {len(self.made.vertices)} vertices, "
            f"{len(self.body)} frames, {len(self.held_out)} of them held out)"
        )


def load(folder: str | Path, *, device: str = "auto") -> GarmentAvatar:
    """Read an avatar that ``reconstruct`` or ``GarmentAvatar.save`` wrote.

    Args:
        device: taken as by every method; everything runs on the CPU.

    Raises:
        HvrError: a file is missing or damaged, or the body model at hand is not the avatar's.
    """
    folder, remedy = Path(folder), "run 05_train again"
    options, model, body = read_avatar(folder, "recmv", schema=SCHEMA, remedy=remedy)
    made, _ = read_npz(folder / "wardrobe.npz", Wardrobe, remedy=remedy)
    wrinkles, _ = read_npz(folder / "wrinkles.npz", Wrinkles, remedy=remedy)
    canonical = make_canonical(body, model)
    names, curves = tuple(options["names"]), tuple((a, b) for a, b in options["curves"])
    layer, curve = made.layer, made.curve
    sorted_ = all((np.diff(x) >= 0).all() for x in (layer, curve))
    counted = len(names) == layer.max(initial=-1) + 1 and len(curves) == curve.max(initial=-1) + 1
    fits = len(wrinkles.heights) == len(body) and (layer == 0).sum() == len(canonical.vertices)
    if not (sorted_ and counted and fits and (np.ptp(layer[made.faces], axis=1) == 0).all()):
        raise HvrError(f"{folder / 'wardrobe.npz'} does not fit body.npz and options.json; {remedy}")
    return GarmentAvatar(
        made,
        wrinkles,
        names,
        curves,
        canonical,
        body,
        model,
        np.asarray(options["held_out"], np.int64),
        options["history"],
        options["options"],
        options["model_file"],
    )
