"""A picture of signed distance, canonical space and deformation: one surface in two poses, whole and cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from hvr_nb.drawing.pictures import contact_sheet
from hvr_nb.drawing.shading import shade, viewpoint
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.types import Camera, Mesh

RANGE, STEP = 0.2, 0.02  # metres: where colours end, and from one line of equal distance to the next
MARGIN = 0.12  # metres about the surface
NARROWEST = 0.66  # of the height
CAPTIONS = (
    "big pose: distance to the surface",
    "big pose: every place has a colour",
    "posed: the same places",
    "posed: distance to the surface",
)


def distance_slices(rest: Mesh, posed: Mesh, camera: Camera, *, side: int = 300) -> np.ndarray:
    """One surface in the big pose and in another, whole and cut through the middle.

    In the cuts blue is inside (negative distance) and orange outside; lines are 2 cm apart, and the black one
    is the surface, where the distance is zero. Colours of the whole surfaces are places in the big pose.

    Args:
        rest: in the big pose. posed: the same vertices in another, metres.
        camera: that the pose is seen from. side: height of the pictures, pixels.

    Returns:
        (H, W, 3) uint8.
    """
    turn = camera.R.T * [1.0, -1.0, -1.0]  # camera axes with y up, towards us
    seen = replace(posed, vertices=np.asarray(posed.vertices, np.float64) @ turn)
    low, size = rest.vertices.min(0), np.ptp(rest.vertices, axis=0)
    places = (40 + 215 * (rest.vertices - low) / np.maximum(size, 1e-9)).astype(np.uint8)
    whole = [_whole(Mesh(m.vertices, m.faces, places), side) for m in (rest, seen)]
    pictures = [distance_slice(rest, side=side), *whole, distance_slice(seen, side=side)]
    return contact_sheet(pictures, CAPTIONS, tile=side)


def distance_slice(mesh: Mesh, *, side: int = 300) -> np.ndarray:
    """(side, W, 3) uint8: signed distance to a mesh in the upright plane through its middle, facing +z."""
    import matplotlib

    vertices = np.asarray(mesh.vertices, np.float64)
    (x0, y0, _), (x1, y1, _) = vertices.min(0) - MARGIN, vertices.max(0) + MARGIN
    x0, x1 = (x0 + x1) / 2 + np.array([-0.5, 0.5]) * max(x1 - x0, NARROWEST * (y1 - y0))
    cell = (y1 - y0) / side
    x, y = np.meshgrid(
        x0 + cell * (np.arange(int((x1 - x0) / cell)) + 0.5), y1 - cell * (np.arange(side) + 0.5)
    )
    points = np.stack([x, y, np.full(x.shape, np.median(vertices[:, 2]))], -1).reshape(-1, 3)
    distance = _even_signs(nearest_surface(points, vertices, mesh.faces)[2].reshape(x.shape), cell)
    colour = 255 * matplotlib.colormaps["PuOr_r"](0.5 + 0.5 * np.clip(distance / RANGE, -1, 1))[..., :3]
    off = np.abs(distance / STEP - np.round(distance / STEP)) * STEP / cell  # pixels to the next line
    fade = np.clip(1.2 - off, 0, 1)[..., None] * np.where(np.abs(distance) < RANGE, 0.3, 0)[..., None]
    edge = np.clip(1.8 - np.abs(distance) / cell, 0, 1)[..., None]
    return (colour * (1 - fade) * (1 - edge) + 20 * edge).clip(0, 255).astype(np.uint8)


def _even_signs(distance: np.ndarray, cell: float) -> np.ndarray:
    """Distances (H, W) with one sign on each side of the surface: nearest normals err beside folds."""
    pieces, count = ndimage.label(np.abs(distance) > cell)
    votes = np.bincount(pieces.ravel(), np.sign(distance).ravel(), count + 1)
    return np.where(pieces > 0, np.where(votes[pieces] < 0, -1, 1) * np.abs(distance), distance)


def _whole(mesh: Mesh, side: int) -> np.ndarray:
    vertices = np.asarray(mesh.vertices, np.float64)
    layer = shade(mesh, viewpoint(vertices.min(0), vertices.max(0), angle=0.0, height=side))
    return (255 * (1 - layer[..., 3:]) + layer[..., :3]).round().clip(0, 255).astype(np.uint8)
