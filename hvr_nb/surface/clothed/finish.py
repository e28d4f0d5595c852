"""The surface that a fit ends with: half the triangle sides, colours and light (docs/surface.md, 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvr_nb.surface.clothed.fit import Fit, colours
from hvr_nb.surface.remesh import subdivision
from hvr_nb.types import shaped


@dataclass(frozen=True)
class ClothedSurface:
    """A clothed person as one closed mesh; V vertices, T frames, P bumps."""

    vertices: np.ndarray = shaped("float (V, 3)")  # big pose, metres
    faces: np.ndarray = shaped("index of V (F, 3)")
    albedo: np.ndarray = shaped("float (V, 3)")  # colour under the mean light, 0..1
    light: np.ndarray = shaped("float (L,)")  # strengths of the lamps of ``hvr_nb.surface.light``
    centres: np.ndarray = shaped("float (P, 3)")  # big-pose centres of the bumps of ``motion``, metres
    heights: np.ndarray = shaped("float (T, P)")  # metres, heights of the bumps in every frame


def finished(fit: Fit, *, layers: bool) -> tuple[ClothedSurface, list[dict]]:
    """The surface on a mesh of half the triangle sides, and the steps of cloth over cloth, metres.

    Args:
        layers: whether to look for such steps.
    """
    finer, faces = subdivision(fit.faces, len(fit.vertices))
    shrunk = finer[: len(fit.vertices)] @ fit.vertices
    # Subdivision moves vertices inwards, so it starts from vertices moved outwards by as much.
    vertices = finer @ (2 * fit.vertices - shrunk)
    seen = fit.sightings(vertices, faces)
    colour, light = colours(seen, vertices, faces)
    steps = []
    if layers:
        vertices, seen, drops = fit.layered(vertices, faces, colour, seen, finer)
        steps = [{"depth": d.step.depth, "error": d.step.error, "measured": d.measured} for d in drops]
        if drops:
            colour, light = colours(seen, vertices, faces)
    made = ClothedSurface(
        vertices.astype(np.float32),
        faces.astype(np.int32),
        colour.astype(np.float16),
        light,
        fit.centres.astype(np.float32),
        fit.heights.astype(np.float16),
    )
    return made, steps
