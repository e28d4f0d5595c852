"""The work of ``reconstruct``, frame by frame, in files that a stopped run finds again.

In the avatar's folder, ``work/`` holds for every frame ``band_<name>.npz``, its logits in the big pose, and
``shape_<name>.npz``, its uncoloured mesh. Each is written whole and says what it was made from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.drawing.shading import draw_mesh
from hvr_nb.methods.pamir.avatar import PaintedMesh, frame_file
from hvr_nb.methods.pamir.film import PersonFilm, Predict
from hvr_nb.methods.pamir.fuse import CanonicalBand, canonical_band, logit_correction, neighbour_weights
from hvr_nb.methods.pamir.options import Options
from hvr_nb.methods.pamir.shape import band_logits, frame_surface, mean_surface
from hvr_nb.methods.pamir.texture import Seen, SkinColours, look, paint
from hvr_nb.metrics.images import image_quality, iou
from hvr_nb.store.arrays import read_npz, read_npz_meta, write_npz
from hvr_nb.surface.clothed.picture import draw_surface
from hvr_nb.types import Camera, HvrError, Mesh, shaped


@dataclass(frozen=True)
class BandFile:
    """Content of ``band_<name>.npz``."""

    logits: np.ndarray = shaped("float or nan (N,)")


@dataclass(frozen=True)
class ShapeFile:
    """Content of ``shape_<name>.npz``."""

    vertices: np.ndarray = shaped("float (V, 3)")  # metres, the clip's world
    faces: np.ndarray = shaped("index of V (F, 3)")


@dataclass(frozen=True)
class Work:
    """One run over a film of T frames."""

    film: PersonFilm
    predict: Predict
    side: int  # of the networks' picture, pixels
    names: tuple[str, ...]  # T frames
    options: Options
    folder: Path
    key: str  # what the files belong to

    @property
    def steps(self) -> int:
        """Steps that are told of: two a frame."""
        return 2 * len(self.names)

    def draw(self, frame: int, camera: Camera) -> np.ndarray | None:
        """A picture (H, W, 3) uint8 of a frame's mesh, uncoloured; None where it is not made yet."""
        path = self.folder / f"shape_{self.names[frame]}.npz"
        if not self._done(path):
            return None
        shape = read_npz(path, ShapeFile, remedy="run 05_train again")[0]
        black = np.zeros((camera.height, camera.width, 3), np.uint8)
        return draw_mesh(black, Mesh(shape.vertices, shape.faces), camera, opacity=1.0)

    def run(
        self, tell: Callable[[int, Mapping], object] | None = None
    ) -> tuple[PaintedMesh, dict[str, list[float]]]:
        """The mean surface and the history; the frames' meshes lie in ``folder`` then.

        Args:
            tell: called after every step with the steps done; True stops the run.

        Raises:
            HvrError: ``tell`` has stopped it.
        """
        band = canonical_band(self.film.canonical, cell=self.options.canonical_cell, reach=self.options.band)
        bands, first = self._bands(band, tell)
        shapes, second = self._shapes(band, bands, tell)
        seconds = np.cumsum(first) + np.cumsum(second)
        skin = SkinColours(self.film.canonical.faces, self.film.skin.vertices.shape[1])
        seen = [self._look(skin, k, shape) for k, shape in enumerate(tqdm(shapes, desc="pamir: colours"))]
        colours = skin.mean([seen[k] for k in self.film.used])
        history = {"step": [], "seconds": [], "iou": [], "psnr_body": []}
        for k, (shape, view) in enumerate(zip(shapes, seen, strict=True)):
            mesh = PaintedMesh(shape.vertices, shape.faces, *paint(view, skin, *colours))
            write_npz(frame_file(self.folder, self.names[k]), mesh, {"key": self.key})
            row = (k + 1, seconds[k], *self._quality(mesh, k))
            for column, value in zip(history.values(), row, strict=True):
                column.append(float(value))
        return self._mean(band, [bands[k] for k in self.film.used], skin, colours), history

    def _tell(self, tell, done: int) -> None:
        if tell is not None and tell(done, {}) is True:
            raise HvrError(
                f"pamir was stopped after {done} of {self.steps} steps (two a frame), which are kept; run it "
                "again to go on"
            )

    def _bands(self, band: CanonicalBand, tell) -> tuple[list[np.ndarray], list[float]]:
        """The logits of every frame in the big pose, and the seconds that each took."""
        out, seconds = [], []
        for k, name in enumerate(tqdm(self.names, desc="pamir: occupancies", unit="frame")):
            path, began = self.folder / f"band_{name}.npz", time.perf_counter()
            if not self._done(path):
                asked = BandFile(band_logits(self.film, band, k, self._occupancy(k)))
                write_npz(path, asked, {"key": self.key, "seconds": time.perf_counter() - began})
            asked, meta = read_npz(path, BandFile, remedy="run 05_train again")
            out.append(asked.logits)
            seconds.append(float(meta["seconds"]))
            self._tell(tell, k + 1)
        return out, seconds

    def _shapes(
        self, band: CanonicalBand, bands: list[np.ndarray], tell
    ) -> tuple[list[ShapeFile], list[float]]:
        """The mesh of every frame, and the seconds that each took."""
        shapes, seconds, options = [], [], self.options
        for k, name in enumerate(tqdm(self.names, desc="pamir: meshes", unit="frame")):
            path, began = self.folder / f"shape_{name}.npz", time.perf_counter()
            if not self._done(path):
                weights = neighbour_weights(len(self.names), k, self.film.used, options.together)
                alone = list(weights) == [k]
                grid = (
                    None
                    if alone
                    else logit_correction(band, bands[k].astype(np.float32), dict(enumerate(bands)), weights)
                )
                made = frame_surface(
                    self.film,
                    k,
                    self._occupancy(k),
                    resolution=options.resolution,
                    reach=options.band,
                    band=band,
                    grid=grid,
                )
                shape = ShapeFile(made[0].astype(np.float32), made[1].astype(np.int32))
                write_npz(path, shape, {"key": self.key, "seconds": time.perf_counter() - began})
            shape, meta = read_npz(path, ShapeFile, remedy="run 05_train again")
            shapes.append(shape)
            seconds.append(float(meta["seconds"]))
            self._tell(tell, len(self.names) + k + 1)
        return shapes, seconds

    def _occupancy(self, frame: int):
        return self.film.occupancy(frame, self.predict, self.side)

    def _done(self, path: Path) -> bool:
        """Whether a file of this very run is there and whole."""
        try:
            return read_npz_meta(path, remedy="").get("key") == self.key
        except HvrError:
            return False

    def _look(self, skin: SkinColours, frame: int, shape: ShapeFile) -> Seen:
        film = self.film
        places = skin.places(shape.vertices, film.skin.vertices[frame], film.canonical.faces)
        seen = look(
            shape.vertices.astype(np.float64),
            shape.faces,
            film.camera,
            film.frames[frame],
            film.alpha[frame],
            places,
        )
        return seen if frame in film.used else Seen(seen.colors, np.zeros_like(seen.weight), places)

    def _quality(self, mesh: PaintedMesh, frame: int) -> tuple[float, float]:
        """IoU of the mesh's silhouette with the mask, PSNR on body pixels, dB."""
        film = self.film
        picture = draw_surface(mesh.vertices, mesh.faces, mesh.colors / 255.0, film.camera)
        alpha = film.alpha[frame : frame + 1]
        truth = (film.frames[frame : frame + 1] * (alpha[..., None] / 255.0)).astype(np.uint8)
        found = image_quality(to_uint8(picture.rgb)[None], truth, alpha)
        return float(iou(to_uint8(picture.alpha), alpha[0])), found["psnr_body"]

    def _mean(self, band: CanonicalBand, bands: list[np.ndarray], skin: SkinColours, colours) -> PaintedMesh:
        """The mean surface in the big pose, coloured by what the frames saw of the skin."""
        canonical = self.film.canonical
        vertices, faces = mean_surface(band, bands)
        places = skin.places(vertices, canonical.vertices, canonical.faces)
        none = Seen(np.zeros((len(vertices), 3), np.uint8), np.zeros(len(vertices), np.float32), places)
        painted, marks = paint(none, skin, *colours)
        return PaintedMesh(vertices.astype(np.float32), faces.astype(np.int32), painted, marks)
