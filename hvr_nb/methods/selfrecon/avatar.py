"""The reconstructed person: one coloured mesh of constant topology that the body poses."""

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
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.methods._files import read_avatar
from hvr_nb.store.arrays import read_npz, write_npz
from hvr_nb.store.files import write_json
from hvr_nb.surface.clothed.finish import ClothedSurface
from hvr_nb.surface.clothed.motion import bumps, displaced
from hvr_nb.surface.clothed.picture import coloured, draw_surface, lit
from hvr_nb.surface.remesh import remeshed
from hvr_nb.types import Body, Camera, Canonical, HvrError, Mesh, Render

SCHEMA = 2


@dataclass(frozen=True)
class MeshAvatar:
    """A person as a mesh in the big pose; made by ``reconstruct``, read by ``load``."""

    GIVES: ClassVar[frozenset[str]] = frozenset({"render", "surface", "skin_weights", "mesh", "layers"})
    made: ClothedSurface
    canonical: Canonical
    body: Body  # the clip's body with the refined poses, T frames
    model: BodyModel
    held_out: np.ndarray  # frames kept out of the fit
    history: dict  # by rounds: step, seconds, iou, psnr_body
    options: dict  # of ``reconstruct``, as used; the steps found
    model_file: str = ""  # path of the body model, "" for the one load_body_model finds

    def render(self, camera: Camera, pose, *, frame: int | None = None, antialias: bool = True) -> Render:
        """One picture.

        Args:
            camera: any camera; distortion is ignored.
            pose: a Body of one frame, or (poses (72,), transl (3,)).
            frame: frame of the clip whose own displacement to show; None shows the mean shape.
            antialias: every pixel is the mean of four samples.
        """
        vertices = self._posed(pose, frame)
        colour = lit(self.made.albedo, vertices, self.made.faces, self.made.light)
        return draw_surface(vertices, self.made.faces, colour, camera, antialias=antialias)

    def render_fast(self, camera: Camera, pose) -> Render:
        """A picture of the mean shape with a hard outline."""
        return self.render(camera, pose, antialias=False)

    def surface(self, pose=None, *, frame: int | None = None) -> Mesh:
        """The mesh in a pose, None for the big pose: vertices correspond; colours under the mean light.

        Args:
            frame: of the clip, whose own displacement to show; None shows the mean shape.
        """
        if pose is not None:
            return replace(self._mesh, vertices=self._posed(pose, frame))
        return replace(self._mesh, vertices=self._displaced(self.made.vertices, frame).astype(np.float32))

    def mesh(self, frame: int | None = None, *, resolution: int | None = None) -> Mesh:
        """The surface as a coloured mesh: in the big pose, or posed as in a frame of the clip.

        Args:
            frame: None for the big pose.
            resolution: cells along the longest side. Where these are coarser than the avatar's own mesh, it
                is remeshed; else, and for None, it is given as it is.
        """
        whole = self._mesh
        if frame is not None:
            whole = replace(whole, vertices=self._posed(self.body.frame(frame), frame))
        if resolution is None:
            return whole
        cell = float(np.ptp(whole.vertices, axis=0).max() / resolution)
        if cell <= self.options["fit"]["cell"]:
            return whole
        vertices, faces = remeshed(self.made.vertices.astype(np.float64), self.made.faces, cell)
        face, bary, _ = nearest_surface(vertices, self.made.vertices, self.made.faces)
        colors = on_surface(whole.colors.astype(np.float32), self.made.faces, face, bary)
        if frame is not None:
            vertices = on_surface(whole.vertices, self.made.faces, face, bary)
        return Mesh(vertices.astype(np.float32), faces, (colors + 0.5).astype(np.uint8))

    def layers(self, pose=None, *, frame: int | None = None) -> dict[str, Mesh]:
        """The one layer there is: ``surface``, by the name "person"."""
        return {"person": self.surface(pose, frame=frame)}

    def signed_distance(self, points: np.ndarray, pose=None) -> np.ndarray:
        """(N,) metres from points (N, 3) to the surface, negative inside; ``pose`` None is the big pose."""
        vertices = self.made.vertices if pose is None else self._posed(pose, None)
        return nearest_surface(points, vertices, self.made.faces)[2]

    def skin_weights(self) -> np.ndarray:
        """(V, 24) float32 weights of the vertices of ``mesh()`` and ``surface``, rows summing to one."""
        return skin_weights(self._binding)

    def looseness(self) -> np.ndarray:
        """(V,) 0..1, how much vertices follow the smooth weights rather than the nearest skin."""
        out = np.zeros(len(self.made.vertices), np.float32)
        out[self._binding.which] = self._binding.share[:, 0]
        return out

    @functools.cached_property
    def _binding(self) -> Binding:
        return bind_mesh(self.made.vertices, self.made.faces, self.canonical)

    @functools.cached_property
    def _bumps(self):
        return bumps(self.made.vertices, self.made.centres)

    @functools.cached_property
    def _mesh(self) -> Mesh:
        """The big-pose mesh; colours as the mean light of a standing person shows them."""
        return coloured(self.made.vertices, self.made.faces, self.made.albedo)

    def _posed(self, pose, frame: int | None) -> np.ndarray:
        """(V, 3) float32 world metres."""
        skin = pose_skin(self.model, self.body.betas, *single_pose(pose))
        out = carried(self._binding, self.canonical.faces, skin.vertices[0], skin.world[0])
        return self._displaced(out, frame).astype(np.float32)

    def _displaced(self, vertices: np.ndarray, frame: int | None) -> np.ndarray:
        """Vertices (V, 3) in some pose with the displacement of a frame; None adds none."""
        if frame is None or not self.made.heights.shape[1]:
            return vertices
        return displaced(vertices, self.made.faces, self._bumps, self.made.heights[frame])

    @property
    def fingerprint(self) -> str:
        """sha256 of everything a picture depends on."""
        digest = hashlib.sha256(self.model.hash.encode())
        for name in ("vertices", "faces", "albedo", "light", "centres", "heights"):
            digest.update(np.ascontiguousarray(getattr(self.made, name)).tobytes())
        digest.update(np.ascontiguousarray(self.body.betas).tobytes())
        return digest.hexdigest()

    def save(self, folder: str | Path) -> Path:
        """Write the avatar, all that is needed to show it: surface, body, options."""
        folder = Path(folder)
        write_npz(folder / "surface.npz", self.made, {})
        write_npz(folder / "body.npz", self.body, {})
        write_json(
            folder / "options.json",
            {
                "schema": SCHEMA,
                "method": "selfrecon",
                "model_hash": self.model.hash,
                "model_file": self.model_file,
                "held_out": [int(k) for k in self.held_out],
                "options": self.options,
                "history": self.history,
            },
        )
        return folder

    def __repr__(self) -> str:
        deep = [f"{1000 * x['depth']:.1f}" for x in self.options.get("layers", ()) if x.get("measured", True)]
        over = f", cloth over cloth by {' and '.join(deep)} mm" if deep else ""
        return (
            f"MeshAvatar({len(self.made.vertices)} vertices, {len(self.body)} frames, "
            f"{len(self.held_out)} of them held out{over})"
        )


def load(folder: str | Path, *, device: str = "auto") -> MeshAvatar:
    """Read an avatar that ``reconstruct`` or ``MeshAvatar.save`` wrote.

    Args:
        device: taken as by every method; everything runs on the CPU.

    Raises:
        HvrError: a file is missing or damaged, or the body model at hand is not the avatar's.
    """
    folder, remedy = Path(folder), "run 05_train again"
    options, model, body = read_avatar(folder, "selfrecon", schema=SCHEMA, remedy=remedy)
    made, _ = read_npz(folder / "surface.npz", ClothedSurface, remedy=remedy)
    if made.faces.max(initial=-1) >= len(made.vertices) or len(made.heights) != len(body):
        raise HvrError(f"{folder / 'surface.npz'} does not fit body.npz; {remedy}")
    return MeshAvatar(
        made,
        make_canonical(body, model),
        body,
        model,
        np.asarray(options["held_out"], np.int64),
        options["history"],
        options["options"],
        options["model_file"],
    )
