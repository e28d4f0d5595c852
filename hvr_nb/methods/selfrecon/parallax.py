"""Detail from colours: what stands farther out moves farther across the picture when the person turns.

The mean colours of all frames, drawn as the surface stands in each, are laid over the frame by optical flow
(Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016). A point that is too deep or too
high is off to one side in frames that see it from the left and to the other in those from the right; one
displacement along its normal must explain the shifts of all frames, and pictures count as much as they have
structure in the direction in which it would move (Lucas and Kanade, IJCAI 1981; specs/surface.md A10, E4 S4).
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from scipy import sparse

from hvr_nb.geometry import to_camera
from hvr_nb.mask_distance import lookup, pixels_of
from hvr_nb.methods.selfrecon.colour import sighting
from hvr_nb.methods.selfrecon.shape import laplacian, robust, solve
from hvr_nb.raster import interpolate, rasterize
from hvr_nb.types import Camera

NOISE = 12.0  # grey levels, usual difference between the drawn picture and the frame
WINDOW = (
    4.0  # pixels, sigma: over which flow and structure are smoothed, for single shifts are not independent
)
USUAL = 2.0  # pixels; larger shifts are believed less
PLACE, BEND = 0.01, 3e-3  # metres: usual displacement, and usual curvature of the displacement
OUTLINE, OFTEN = 0.002, 4.0  # metres, usual error of an outline; sightings beyond so many add nothing
FARTHEST = 0.02  # metres that a vertex moves at most


def pulls(views: Iterable, faces: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """What the shifts of all frames say of each vertex: weights (V,) and weighted displacements (V,), metres.

    Args:
        views: of every frame the posed vertices (V, 3), their normals (V, 3), their colours in its light (V, 3)
            0..1, the frame (H, W, 3) uint8 and its mask's distance (H, W), pixels.
    """
    weight, pull = 0.0, 0.0
    for vertices, normals, colours, frame, distance in views:
        seen = sighting(vertices, normals, faces, camera, frame, distance)[1].astype(np.float64)
        shift, structure = _shift(vertices, faces, colours, camera, frame, distance)
        pixels, x = pixels_of(vertices, camera)
        along = to_camera(vertices + normals, camera) - to_camera(vertices, camera)
        J = (along[:, :2] - along[:, 2:] * x[:, :2] / x[:, 2:]) / x[:, 2:] * np.diag(camera.K)[:2]
        s, (xx, xy, yy) = (
            lookup(shift, pixels).astype(np.float64),
            lookup(structure, pixels).astype(np.float64).T,
        )
        GJ = np.column_stack([xx * J[:, 0] + xy * J[:, 1], xy * J[:, 0] + yy * J[:, 1]])
        w = seen * robust(np.linalg.norm(s, axis=1), USUAL) / NOISE**2
        weight = weight + w * (GJ * J).sum(1)
        pull = pull + w * (GJ * s).sum(1)
    return weight, pull


def _shift(vertices, faces, colours, camera: Camera, frame, distance) -> tuple[np.ndarray, np.ndarray]:
    """Flow (H, W, 2), pixels, from the drawn surface to the frame, and its structure xx, xy, yy (H, W, 3)."""
    _, face, bary = rasterize(vertices, faces, camera)
    drawn = 255 * interpolate(np.clip(colours, 0, 1).astype(np.float32), faces, face, bary)
    shown = ((face >= 0) & (distance < -1)).astype(np.float32)
    share = cv2.GaussianBlur(shown, (0, 0), 1.0)[..., None] * shown[..., None]  # no edge where they meet
    drawn = (share * drawn + (1 - share) * frame + 0.5).astype(np.uint8)
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (drawn, frame)]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*grey, None)
    smooth = grey[0].astype(np.float32)
    dx, dy = cv2.Scharr(smooth, cv2.CV_32F, 1, 0) / 32, cv2.Scharr(smooth, cv2.CV_32F, 0, 1) / 32
    inner = cv2.erode(shown, np.ones((3, 3), np.uint8))[..., None]
    structure = np.stack([dx * dx, dx * dy, dy * dy], -1) * inner
    energy = structure[..., :1] + structure[..., 2:] + 1e-3
    flow = cv2.GaussianBlur(flow * energy * shown[..., None], (0, 0), WINDOW)
    flow /= cv2.GaussianBlur(energy * shown[..., None], (0, 0), WINDOW)[..., None] + 1e-6
    return flow, cv2.GaussianBlur(structure, (0, 0), WINDOW)


def displacements(vertices: np.ndarray, faces: np.ndarray, weight: np.ndarray, pull: np.ndarray, *,
                  held: np.ndarray) -> np.ndarray:  # fmt: skip
    """(V,) metres along the normals that ``pulls`` ask for, smooth, and none where outlines fixed the place.

    Args:
        held: (V,) how often an outline fixed a vertex's place.
    """
    count = len(vertices)
    L = laplacian(faces, count)
    still = weight + PLACE**-2 + np.minimum(held, OFTEN) / OUTLINE**2
    system = sparse.csr_array(sparse.diags_array(still) + (L.T @ L) / BEND**2)
    return np.clip(solve(system, pull), -FARTHEST, FARTHEST)
