"""What the method knows of a clip: pictures, masks, the posed skin, crops, and the occupancy of a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hvr_nb.canonical.binding import Skin
from hvr_nb.geometry.camera import project
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.geometry.outline_distance import lookup
from hvr_nb.methods.pamir.crop import Crops, on_white
from hvr_nb.methods.pamir.fuse import body_occupancy
from hvr_nb.types import Camera, Canonical

# points (N, 3) to occupancies (N,)
Occupancy = Callable[[np.ndarray], np.ndarray]
# a picture of the crop (S, S, 3), 0..1 on white, and the body in the cube (V, 3), to an occupancy in the cube
Predict = Callable[[np.ndarray, np.ndarray], Occupancy]


@dataclass(frozen=True)
class PersonFilm:
    """T frames of a person, undistorted, with the body posed in each."""

    frames: np.ndarray  # (T, H, W, 3) uint8
    alpha: np.ndarray  # (T, H, W) uint8
    camera: Camera
    crops: Crops
    skin: Skin
    canonical: Canonical
    used: np.ndarray  # (M,) frames whose pictures are used

    def away(self, points: np.ndarray, frame: int) -> np.ndarray:
        """(N,) signed distances, metres, of world points (N, 3) from the skin of a frame."""
        return nearest_surface(points, self.skin.vertices[frame], self.canonical.faces)[2]

    def occupancy(self, frame: int, predict: Predict, side: int) -> Occupancy:
        """What a frame says about world points (N, 3); of one whose picture is not used, the body's own.

        What lies beyond the film's edge is the body's too. Where the mask shows the background, nothing is.

        Args:
            predict: the networks. side: of their picture, pixels.
        """
        if frame not in self.used:
            return lambda points: body_occupancy(self.away(points, frame))
        picture = self.crops.cut(self.frames[frame], frame, side=side)
        picture = on_white(picture, self.crops.cut(self.alpha[frame], frame, side=side))
        told = predict(picture, self.crops.to_cube(self.skin.vertices[frame], frame))

        def ask(points: np.ndarray) -> np.ndarray:
            shown = self._shown(points)
            out = np.empty(len(points), np.float32)
            out[shown] = told(self.crops.to_cube(points[shown], frame))
            out[~shown] = body_occupancy(self.away(points[~shown], frame)) if not shown.all() else 0
            return np.minimum(out, self.covered(points, frame))

        return ask

    def covered(self, points: np.ndarray, frame: int) -> np.ndarray:
        """(N,) share of the mask at world points (N, 3), 1 beyond the film's edge and in unused frames."""
        if frame not in self.used:
            return np.ones(len(points), np.float32)
        alpha = lookup(self.alpha[frame].astype(np.float32) / 255, project(points, self.camera))
        return np.where(self._shown(points), alpha, 1).astype(np.float32)

    def _shown(self, points: np.ndarray) -> np.ndarray:
        at = project(points, self.camera)
        return ((at >= 0) & (at <= [self.camera.width, self.camera.height])).all(1)
