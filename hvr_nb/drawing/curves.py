"""Feature curves of garments over a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hvr_nb.drawing.shading import distinct_colours
from hvr_nb.geometry.camera import to_camera
from hvr_nb.geometry.raster import rasterize
from hvr_nb.types import Camera, Garment, Mesh

BEHIND = 0.012  # metres that a curve may lie behind the mesh and still be drawn as seen
FINE = 4  # bits of a pixel's fraction in OpenCV's lines


def draw_curves(image: np.ndarray, garments: Sequence[Garment], person: Mesh, camera: Camera) -> np.ndarray:
    """The curves of garments over an image (H, W, 3) uint8, a colour each; dark where the person hides them.

    Args:
        garments: posed as in the image, world metres. person: all that can hide them, in the same pose.
        camera: scaled to the size of the image.
    """
    lens = camera.scaled(image.shape[1] / camera.width)
    depth = rasterize(person.vertices, person.faces, lens)[0]
    curves = [(name, curve) for garment in garments for name, curve in garment.curves.items()]
    out = image.copy()
    for (name, curve), colour in zip(curves, distinct_colours(len(curves)), strict=True):
        x = to_camera(np.asarray(curve, np.float64), lens)
        pixels = x[:, :2] / np.maximum(x[:, 2:], 1e-3) @ lens.K[:2, :2].T + lens.K[:2, 2]
        size = np.array([lens.width, lens.height])
        col, row = np.clip(np.floor(pixels), 0, size - 1).astype(int).T
        seen = ((pixels >= 0) & (pixels < size)).all(1) & (x[:, 2] < depth[row, col] + BEHIND)
        ends = np.roll(np.arange(len(pixels)), -1) if name != "opening" else np.arange(1, len(pixels))
        for dark in (True, False):
            for a, b in zip(range(len(ends)), ends, strict=True):
                if (seen[a] and seen[b]) != dark:
                    p, q = (np.rint((pixels[k] - 0.5) * 2**FINE).astype(int).tolist() for k in (a, b))
                    shade = (colour.astype(int) // (3 if dark else 1)).tolist()
                    cv2.line(out, p, q, shade, 1 if dark else 2, cv2.LINE_AA, FINE)
    return out
