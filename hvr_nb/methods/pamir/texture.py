"""Colours of the frames' meshes: a frame's own pixels, and what other frames saw of the same skin.

Every frame has a mesh of its own, so colours meet on the body instead: its skin, subdivided once, keeps a
colour for each of its points, the robust mean of what the frames showed nearest to it. Where a frame's mesh
is not seen in its own frame, it takes that; what no frame saw is continued from around and marked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvr_nb.geometry.functions import robust_weight, smoothstep
from hvr_nb.geometry.mesh import neighbour_mean, vertex_normals
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.geometry.outline_distance import signed_distance
from hvr_nb.surface.albedo import filled, sighting
from hvr_nb.surface.remesh import subdivision
from hvr_nb.types import Camera

OWN = (0.02, 0.25)  # weights of a sighting between which a vertex takes its own pixel
FRONTAL = 0.15  # weight from which a sighting tells the skin's colour; at outlines pixels are mixed
DOUBT = 0.12  # usual difference of two frames' colours of one place, 0..1
FAR = 0.12  # metres off the skin from which a vertex tells nothing about the skin's colour
GUESSED, OTHER_FRAME, OWN_FRAME = 0, 1, 2  # marks of vertices: who saw them


@dataclass(frozen=True)
class SkinPlaces:
    """Points of the subdivided skin, one for each of N vertices."""

    face: np.ndarray  # (N,) faces of the subdivided skin
    bary: np.ndarray  # (N, 3) barycentric coordinates
    weight: np.ndarray  # (N,) how well the vertex tells the skin's colour, 0..1, falling off the skin


@dataclass(frozen=True)
class Seen:
    """What one frame shows of a mesh of N vertices."""

    colors: np.ndarray  # (N, 3) uint8 pixels
    weight: np.ndarray  # (N,) float32, 0 where not seen
    places: SkinPlaces


class SkinColours:
    """Colours of the subdivided skin, gathered frame by frame."""

    def __init__(self, faces: np.ndarray, count: int):
        """For a skin of ``count`` vertices with faces (F, 3)."""
        matrix, self.faces = subdivision(faces, count)
        self.count = matrix.shape[0]
        self.coarse = len(faces)
        self._near = neighbour_mean(self.faces, self.count)

    def places(self, vertices: np.ndarray, skin: np.ndarray, faces: np.ndarray) -> SkinPlaces:
        """Where vertices (N, 3) lie on a posed skin (V, 3) with its faces (F, 3)."""
        face, bary, away = nearest_surface(vertices, skin, faces)
        child = np.where(bary.max(1) >= 0.5, bary.argmax(1), 3)
        a, b, c = bary.T
        split = np.stack(
            [
                np.stack([2 * a - 1, 2 * b, 2 * c], 1),
                np.stack([2 * b - 1, 2 * c, 2 * a], 1),
                np.stack([2 * c - 1, 2 * a, 2 * b], 1),
                np.stack([1 - 2 * c, 1 - 2 * a, 1 - 2 * b], 1),
            ]
        )  # in the order of the corners of ``subdivision``'s four children
        inner = np.clip(split[child, np.arange(len(face))], 0, 1)
        fades = 1 - smoothstep(np.abs(away), FAR / 2, FAR)
        return SkinPlaces(child * self.coarse + face, inner.astype(np.float32), fades.astype(np.float32))

    def mean(self, frames: list[Seen]) -> tuple[np.ndarray, np.ndarray]:
        """Robust mean colours (S, 3), 0..1, of the skin's points, filled in; (S,) bool, which were seen."""
        mean = None
        for _ in range(3):
            total, mass = np.zeros((self.count, 3)), np.zeros(self.count)
            for seen in frames:
                at, rgb = np.flatnonzero(seen.weight > FRONTAL), seen.colors / 255.0
                places = SkinPlaces(
                    *(x[at] for x in (seen.places.face, seen.places.bary, seen.places.weight))
                )
                weight = seen.weight[at] ** 2 * places.weight
                if mean is not None:
                    off = np.abs(rgb[at] - on_surface(mean, self.faces, places.face, places.bary)).mean(1)
                    weight = weight * robust_weight(off, DOUBT)
                share = weight[:, None] * places.bary
                corner = self.faces[places.face]
                mass += np.bincount(corner.ravel(), share.ravel(), minlength=self.count)
                for k in range(3):
                    value = (share * rgb[at, k, None]).ravel()
                    total[:, k] += np.bincount(corner.ravel(), value, minlength=self.count)
            known = mass > 1e-3
            mean = np.where(known[:, None], total / np.maximum(mass, 1e-9)[:, None], np.nan)
            mean = np.clip(filled(mean, self._near), 0, 1)
        # a mesh coarser than the skin leaves points out between those that its vertices tell
        return mean, known | (self._near @ known.astype(np.float32) > 0.3)


def look(
    vertices: np.ndarray,
    faces: np.ndarray,
    camera: Camera,
    frame: np.ndarray,
    alpha: np.ndarray,
    places: SkinPlaces,
) -> Seen:
    """What a frame (H, W, 3) with mask (H, W) shows of a mesh (N, 3), (F, 3) in the world."""
    normals = vertex_normals(vertices, faces)
    distance = signed_distance(alpha)
    return Seen(*sighting(vertices, normals, faces, camera, frame, distance), places)


def paint(seen: Seen, skin: SkinColours, colours: np.ndarray, known: np.ndarray):
    """The colours of a frame's mesh.

    Args:
        colours: (S, 3) of the skin's points, 0..1. known: (S,) bool, which of them a frame saw.

    Returns:
        (N, 3) uint8; (N,) uint8 marks ``OWN_FRAME``, ``OTHER_FRAME``, ``GUESSED``.
    """
    there, places = on_surface(colours, skin.faces, seen.places.face, seen.places.bary), seen.places
    share = smoothstep(seen.weight, *OWN)[:, None]
    out = share * (seen.colors / 255.0) + (1 - share) * there
    other = on_surface(known[:, None].astype(np.float32), skin.faces, places.face, places.bary)[:, 0] > 0.5
    marks = np.where(other, OTHER_FRAME, GUESSED)
    marks = np.where(share[:, 0] > 0.5, OWN_FRAME, marks)
    return (255 * np.clip(out, 0, 1) + 0.5).astype(np.uint8), marks.astype(np.uint8)
