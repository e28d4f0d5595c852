"""What the method knows of a clip: pictures, masks, the posed skin, crops, and the occupancy of a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hvr_nb.canonical.binding import Skin
from hvr_nb.geometry.camera import project
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.geometry.outline_distance import lookup, signed_distance
from hvr_nb.methods.pamir.crop import Crops, on_white
from hvr_nb.methods.pamir.logits import logits_off
from hvr_nb.types import Camera, Canonical

# of the skin nearest to N points: faces (N,), barycentric coordinates (N, 3), signed distances (N,)
Near = tuple[np.ndarray, np.ndarray, np.ndarray]
# points (N, 3) of the cube and the skin nearest to them to logits (N,)
Ask = Callable[[np.ndarray, Near], np.ndarray]
# a picture of the crop (S, S, 3), 0..1 on white, and the body in the cube (V, 3), to logits in the cube
Predict = Callable[[np.ndarray, np.ndarray], Ask]


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

    def near(self, points: np.ndarray, frame: int) -> Near:
        """The skin of a frame nearest to world points (N, 3); distances in metres."""
        return nearest_surface(points, self.skin.vertices[frame], self.canonical.faces)

    def covered(self, frame: int) -> float:
        """Share of the body's vertices that lie in the mask of a frame or beyond the film's edge."""
        at = project(self.skin.vertices[frame], self.camera)
        alpha = lookup(self.alpha[frame].astype(np.float32) / 255, at)
        return float(np.where(self.shown(at), alpha, 1).mean())

    def shown(self, pixels: np.ndarray) -> np.ndarray:
        """(N,) bool, whether pixels (N, 2) are in the film."""
        return ((pixels >= 0) & (pixels <= [self.camera.width, self.camera.height])).all(1)

    def occupancy(self, frame: int, predict: Predict, side: int) -> FrameOccupancy:
        """What a frame says about points.

        Args:
            predict: the networks. side: of their picture, pixels.
        """
        if frame not in self.used:
            return FrameOccupancy(self, frame, None, None)
        mask = self.alpha[frame]
        picture = on_white(
            self.crops.cut(self.frames[frame], frame, side=side), self.crops.cut(mask, frame, side=side)
        )
        metres = self.crops.depths[frame] / self.camera.K[1, 1]  # in a pixel, at the depth of the body
        return FrameOccupancy(
            self,
            frame,
            predict(picture, self.crops.to_cube(self.skin.vertices[frame], frame)),
            logits_off(signed_distance(mask).astype(np.float32) * metres),
        )


@dataclass(frozen=True)
class FrameOccupancy:
    """What one frame of a film says about world points; where it shows nothing of them, the body's logits."""

    film: PersonFilm
    frame: int
    told: Ask | None  # by the networks; None: the picture is not used
    outline: np.ndarray | None  # (H, W) float32 logits of the mask, by the distance from its outline

    def __call__(self, points: np.ndarray, near: Near) -> np.ndarray:
        """Logits (N,) float32 of world points (N, 3), before the mask.

        Args:
            near: of ``PersonFilm.near``.
        """
        bare = logits_off(near[2])
        if self.told is None:
            return bare
        shown = self.film.shown(project(points, self.film.camera))
        bare[shown] = self.told(
            self.film.crops.to_cube(points[shown], self.frame), tuple(x[shown] for x in near)
        )
        return bare

    def masked(self, logits: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The same where the mask shows the person; where it shows the background, nothing is occupied.

        Args:
            logits: (N,) of world points (N, 3).
        """
        if self.outline is None:
            return logits
        at = project(points, self.film.camera)
        return np.where(self.film.shown(at), np.minimum(logits, lookup(self.outline, at)), logits)
