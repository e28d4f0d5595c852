"""A garment that goes on beneath an open jacket, where nobody saw it (docs/surface.md, 14).

Its borders beneath the jacket are a guess: the hem goes on level round the body, sleeves are short.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from hvr_nb.geometry.mesh import neighbour_mean, vertex_normals
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.geometry.open_mesh import boundary_loops
from hvr_nb.surface.garments.kinds import label_field
from hvr_nb.surface.garments.outside import MARGIN
from hvr_nb.surface.garments.topology import MeshGraph
from hvr_nb.surface.garments.votes import KINDS, Votes, edge_energy
from hvr_nb.types import Canonical

SLEEVE = 0.75  # how far along the upper arm a sleeve reaches that nobody saw
SLOPE = 0.05  # metres over which a guessed border changes from no cloth to cloth
SHARE = 0.6  # of the jacket's distance from the skin that cloth beneath it may have
STEP = 0.015  # metres beside the coat in which the surface still steps down from it
SPREAD = 0.04  # metres over which its distance from the skin is smoothed
PELVIS, CHEST, ARMS = 0, 9, ((16, 18), (17, 19))  # joints; shoulders and elbows


def goes_on(votes: Votes, vertices: np.ndarray, graph, canonical: Canonical) -> tuple[np.ndarray, np.ndarray]:
    """The upper garment with what goes on beneath the coat, on a surface (V, 3) in the big pose.

    Returns:
        field: (V,) positive on the garment. hidden: (V,) bool, where only the coat was seen.
    """
    joints, share = canonical.joints, votes.share
    upper, coat = KINDS.index("upper"), KINDS.index("coat")
    own, both = label_field(votes, "upper"), share[:, upper] + share[:, coat]
    both = both - np.delete(share, [upper, coat], 1).max(1)
    reach = np.minimum.reduce([_short_of(vertices, joints[a], joints[b]) for a, b in ARMS])
    limit = np.minimum(reach, vertices[:, 1] - _hem(own, both, vertices, graph, joints)) / SLOPE
    field = np.maximum(own, np.minimum(both, np.clip(limit, -1, 1)))
    return field, label_field(votes, "coat") > 0


def _short_of(x: np.ndarray, shoulder: np.ndarray, elbow: np.ndarray) -> np.ndarray:
    """(N,) metres that points (N, 3) lie above the end of a sleeve; 1 on the other side of the body."""
    arm = elbow - shoulder
    along = (x - shoulder) @ arm / np.linalg.norm(arm)
    return np.where(x[:, 0] * arm[0] > 0, SLEEVE * np.linalg.norm(arm) - along, 1.0)


def _hem(own: np.ndarray, both: np.ndarray, x: np.ndarray, graph, joints: np.ndarray) -> float:
    """Height of the hem: the median of where the cloth that is seen ends below; else the pelvis's."""
    edges = graph.edges
    inner, outer = (own > 0)[edges], (both <= 0)[edges]
    crossing = edges[(inner & outer[:, ::-1]).any(1)]
    height = x[crossing].mean(1)[:, 1]
    low = height[height < joints[CHEST, 1]]
    return float(np.median(low)) if len(low) else float(joints[PELVIS, 1])


def beneath(vertices: np.ndarray, faces: np.ndarray, hidden: np.ndarray, canonical: Canonical) -> np.ndarray:
    """Vertices (N, 3) of a garment, those ``hidden`` (N,) bool moved from the coat to beneath it.

    Their distance from the skin continues that of what was seen, and is soon at most ``SHARE`` of the coat's.
    What lies within ``STEP`` of them is moved with them.
    """
    if not hidden.any():
        return vertices
    graph = MeshGraph(vertices, faces)
    hidden = graph.distances(hidden)[0] < STEP
    inside = np.ones(len(vertices)) if hidden.all() else np.minimum(graph.distances(~hidden)[0] / SPREAD, 1)
    face, bary, off = nearest_surface(vertices, canonical.vertices, canonical.faces)
    side = float(graph.length.mean())
    trust = np.where(hidden, 0.02, 1.0)
    usual = np.clip(np.median(off[~hidden]) if (~hidden).any() else 2 * MARGIN, 2 * MARGIN, None)
    system = (
        sparse.diags_array(trust)
        + (SPREAD / side) ** 2 * edge_energy(graph.edges, np.ones(len(graph.edges)), len(vertices)) * 0.02
    )
    wanted = splu(sparse.csc_array(system)).solve(trust * np.where(hidden, usual, off))
    below = 1 - (1 - SHARE) * inside  # at the coat's edge the cloth goes on as it was seen
    wanted = np.clip(np.minimum(wanted, below * off), MARGIN, None)
    normal = on_surface(vertex_normals(canonical.vertices, canonical.faces), canonical.faces, face, bary)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    moved = on_surface(canonical.vertices, canonical.faces, face, bary) + wanted[:, None] * normal
    out, mean, rims = (
        np.where(hidden[:, None], moved, vertices),
        neighbour_mean(faces, len(vertices)),
        boundary_loops(faces),
    )
    for _ in range(10):
        middle = mean @ out
        for rim in rims:  # a rim is smoothed along itself
            middle[rim] = (np.roll(out[rim], 1, 0) + np.roll(out[rim], -1, 0)) / 2
        out = np.where(hidden[:, None], (out + middle) / 2, out)
    return out
