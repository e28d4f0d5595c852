"""The crop: a square around the person that follows smoothly and keeps its size in metres.

The networks see the person in a cube of side 1, x right, y up, z towards the camera, which a camera of focal
length 5000 pixels films from a distance of 10 into 512 x 512 pixels (Zheng et al., "PaMIR", 2021). ``Crops``
keeps where that cube stands in every frame of a film: a point of the cube and the point of the world it
stands for fall on the same pixel of the film, and depth is a linear function of depth. So every mesh made
in a cube goes back into the film exactly, and into metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from hvr_nb.geometry.camera import project, to_camera
from hvr_nb.methods.pamir.point_network import DEPTH, DISTANCE, SIDE
from hvr_nb.store.files import read_json, write_json
from hvr_nb.types import Camera, HvrError

FILLED = 0.8  # share of the crop that the person's larger side fills in most frames
MOST = 0.94  # share that it fills at most
CALM = 3.0  # frames, standard deviation of the Gaussian that smooths the way of the crop
SCHEMA = 1


@dataclass(frozen=True)
class Crops:
    """Where the cube stands in each of T frames of a film."""

    centres: np.ndarray  # (T, 2) pixels of the film
    sides: np.ndarray  # (T,) pixels of the film
    depths: np.ndarray  # (T,) metres from the camera to the middle of the cube
    scale: float  # units of the cube in a metre, the same in all frames
    camera: Camera  # of the film, without distortion

    def to_cube(self, points: np.ndarray, frame: int) -> np.ndarray:
        """World points (N, 3), metres, in the cube of a frame, (N, 3)."""
        z = self.scale * (self.depths[frame] - to_camera(points, self.camera)[:, 2])
        uv = (project(points, self.camera) - self.centres[frame]) / (self.sides[frame] / 2)
        spread = (DEPTH - z) * (SIDE / DISTANCE)
        return np.stack([uv[:, 0] * spread, -uv[:, 1] * spread, z], 1)

    def to_world(self, points: np.ndarray, frame: int) -> np.ndarray:
        """Points of the cube of a frame (N, 3) in the world, (N, 3), metres."""
        spread = (DEPTH - points[:, 2:]) * (SIDE / DISTANCE)
        uv = points[:, :2] * [1, -1] / spread
        pixels = self.centres[frame] + uv * (self.sides[frame] / 2)
        depth = self.depths[frame] - points[:, 2:] / self.scale
        rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(self.camera.K).T
        return (rays * depth - self.camera.t) @ self.camera.R

    def cut(self, image: np.ndarray, frame: int, *, side: int = 512) -> np.ndarray:
        """The crop (side, side) or (side, side, 3) of a picture (H, W[, 3]); 0 beyond the picture's edge."""
        ratio = side / self.sides[frame]
        height, width = image.shape[:2]
        if ratio < 1:  # shrunk first, so that no pixel is left out
            width, height = max(1, round(width * ratio)), max(1, round(height * ratio))
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        zoom = ratio * np.array([self.camera.width / width, self.camera.height / height])
        shift = side / 2 - ratio * self.centres[frame] + zoom * 0.5 - 0.5  # OpenCV counts centres from 0
        moved = np.array([[zoom[0], 0, shift[0]], [0, zoom[1], shift[1]]])
        return cv2.warpAffine(image, moved, (side, side), flags=cv2.INTER_LINEAR)


def make_crops(vertices: np.ndarray, camera: Camera, *, calm: float = CALM) -> Crops:
    """The crops of a clip.

    Args:
        vertices: (T, V, 3) the posed body of every frame, world metres. camera: without distortion.
        calm: standard deviation of the smoothing in time, frames; 0: none.

    Raises:
        HvrError: the body stands behind the camera in some frame.
    """
    depth = np.stack([to_camera(v, camera)[:, 2] for v in vertices])
    if not (depth > 0).all():
        frame = int(np.flatnonzero((depth <= 0).any(1))[0])
        raise HvrError(f"the body of frame {frame} stands behind the camera; run 03_body again")
    pixels = np.stack([project(v, camera) for v in vertices])
    low, high = pixels.min(1), pixels.max(1)
    middle, depths = _calm((low + high) / 2, calm), _calm(np.median(depth, 1), calm)
    metres = depths / camera.K[1, 1]  # in a pixel, at the depth of the body
    reach = 2 * np.maximum(high - middle, middle - low).max(1) * metres
    side = max(float(np.percentile((high - low).max(1) * metres, 95)) / FILLED, float(reach.max()) / MOST)
    return Crops(middle, side / metres, depths, 2 * DEPTH * SIDE / DISTANCE / side, camera)


def _calm(values: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter1d(values, sigma, axis=0, mode="nearest") if sigma else values


def on_white(picture: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) uint8 over white by its alpha (H, W) uint8: (H, W, 3) float32, 0..1."""
    share = alpha[..., None].astype(np.float32) / 255
    return picture.astype(np.float32) / 255 * share + (1 - share)


def write_crops(path: str | Path, crops: Crops, names: list[str]) -> None:
    """Write ``crops.json``: of every frame cx, cy, size (pixels) and depth (metres), of all the scale."""
    rows = [
        {"frame": name, "cx": x, "cy": y, "size": size, "depth": depth}
        for name, (x, y), size, depth in zip(
            names, crops.centres.tolist(), crops.sides.tolist(), crops.depths.tolist(), strict=True
        )
    ]
    camera = crops.camera
    write_json(
        path,
        {
            "schema": SCHEMA,
            "units_per_metre": crops.scale,
            "src_w": camera.width,
            "src_h": camera.height,
            "K": camera.K,
            "R": camera.R,
            "t": camera.t,
            "frames": rows,
        },
    )


def read_crops(path: str | Path, *, remedy: str) -> Crops:
    """Read what ``write_crops`` wrote.

    Raises:
        HvrError: it is missing or damaged.
    """
    found = read_json(path, remedy=remedy)
    try:
        camera = Camera(
            np.array(found["K"], float).reshape(3, 3),
            int(found["src_w"]),
            int(found["src_h"]),
            R=np.array(found["R"], float).reshape(3, 3),
            t=np.array(found["t"], float).reshape(3),
        )
        rows = np.array([[r["cx"], r["cy"], r["size"], r["depth"]] for r in found["frames"]], float)
        rows, scale = rows.reshape(-1, 4), float(found["units_per_metre"])
        if not (np.isfinite(rows).all() and (rows[:, 2:] > 0).all() and 0 < scale < np.inf):
            raise ValueError("a number is out of range")
    except (KeyError, TypeError, ValueError) as error:
        raise HvrError(f"{path} is damaged ({error}); {remedy}") from error
    return Crops(rows[:, :2], rows[:, 2], rows[:, 3], scale, camera)
