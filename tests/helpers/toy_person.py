"""A person of tubes with the fields of garments on it, for tests of what is cut out of a surface."""

import numpy as np

from hvr_nb.geometry.isosurface import level_surface
from hvr_nb.surface.garments.topology import MeshGraph
from hvr_nb.surface.garments.votes import KINDS, Votes

# a person of five balls and tubes around the origin: metres, x to the person's left, y up
HANDS, FEET, HEAD = 0.5, -0.6, 0.35


def solid():
    """A closed surface of genus 0 shaped like a person in the big pose: (V, 3), (F, 3)."""
    cell = 0.02
    axes = [np.arange(-a, a, cell) for a in (0.62, 0.78, 0.2)]
    p = np.stack(np.meshgrid(*axes, indexing="ij"), -1)

    def tube(a, b, radius):
        a, b = np.array(a), np.array(b)
        t = np.clip(((p - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
        return np.linalg.norm(p - a - t[..., None] * (b - a), axis=-1) - radius

    parts = [
        tube((0, -0.15, 0), (0, 0.2, 0), 0.11),
        tube((0, 0.2, 0), (0, 0.45, 0), 0.07),
        tube((0, 0.15, 0), (0.5, 0.15, 0), 0.055),
        tube((0, 0.15, 0), (-0.5, 0.15, 0), 0.055),
        tube((0.05, -0.2, 0), (0.3, -0.65, 0), 0.065),
        tube((-0.05, -0.2, 0), (-0.3, -0.65, 0), 0.065),
    ]
    return level_surface(np.minimum.reduce(parts), np.array([-0.62, -0.78, -0.2]), cell)


def toy_person():
    """Vertices, faces, graph and ends of the body of ``solid``."""
    vertices, faces = solid()
    x, y = vertices[:, 0], vertices[:, 1]
    ends = {
        "head": y > HEAD + 0.1,
        "left_hand": x > HANDS - 0.05,
        "right_hand": x < -HANDS + 0.05,
        "left_foot": (y < FEET) & (x > 0),
        "right_foot": (y < FEET) & (x < 0),
    }
    ends["left_hand"] &= y > 0
    ends["right_hand"] &= y > 0
    return vertices, faces, MeshGraph(vertices, faces), ends


def shirt_of(vertices, *, reach=0.35, hem=-0.12, neck=0.28):
    x, y = np.abs(vertices[:, 0]), vertices[:, 1]
    return np.minimum.reduce([reach - x, y - hem, neck - y])


def trousers_of(vertices, *, end=-0.5):
    return np.minimum(-0.12 - vertices[:, 1], vertices[:, 1] - end)


def votes_of(vertices, fields, seen=None):
    """Votes as certain as fields (V,) by kind; the rest is skin."""
    share = np.zeros((len(vertices), len(KINDS)))
    for kind, field in fields.items():
        share[:, KINDS.index(kind)] = np.clip(0.5 + 10 * field, 0, 1)
    share[:, 0] = np.clip(1 - share.sum(1), 0, None)
    shown = np.array([60 if kind in fields or kind == "skin" else 0 for kind in KINDS])
    return Votes(
        share / share.sum(1, keepdims=True), np.ones(len(vertices)) if seen is None else seen * 3.0, shown, 60
    )
