"""A jacket that is open over another garment, where both have one label (docs/surface.md, 14).

ATR has no label for coats, and a parser may give both garments the same. Their colours tell them apart: cloth
in the colour of the sleeves is the jacket if, without the rest, it has the borders of an open jacket.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.cluster.vq import kmeans2

from hvr_nb.geometry.mesh import neighbour_mean
from hvr_nb.masks.colour_model import colour_features
from hvr_nb.surface.clothed.layers import MARK, SHADES, vertex_lab
from hvr_nb.surface.garments.arcs import vertex_picture
from hvr_nb.surface.garments.kinds import CURVES, CUTS, label_field
from hvr_nb.surface.garments.topology import MeshGraph, grouped, one_piece
from hvr_nb.surface.garments.votes import KINDS, Votes
from hvr_nb.types import Camera

UPPER, COAT = KINDS.index("upper"), KINDS.index("coat")
NEAR = 0.04  # metres from the border of the two within which pixels are told by their colour
SOME = 50  # pixels of each, from which on a frame's colours are told apart


def coats_apart(votes: Votes, graph: MeshGraph, ends: dict[str, np.ndarray]) -> bool:
    """Whether what is labelled a coat has the borders of one; else it is a part of the upper garment."""
    coat = one_piece(label_field(votes, "coat"), graph, ends)
    return set(grouped(coat, graph, ends)) in [set(CURVES[name].values()) for name in CUTS["coat"]]


def without_coats(votes: Votes) -> Votes:
    """Votes with all coats as upper garments."""
    out, frames = votes.share.copy(), votes.frames.copy()
    out[:, UPPER] += out[:, COAT]
    out[:, COAT] = 0
    frames[UPPER], frames[COAT] = max(frames[UPPER], frames[COAT]), 0
    return Votes(out, votes.weight, frames, votes.of)


def jacket_share(
    votes: Votes,
    colour: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    graph: MeshGraph,
    ends: dict[str, np.ndarray],
    arms: np.ndarray,
) -> np.ndarray | None:
    """How much of the upper garment on a mesh (V, 3), (F, 3) is a jacket: (V,) 0..1; None: nothing.

    Args:
        colour: (V, 3) albedo, 0..1. arms: (V,) bool. ends: (V,) bool, see ``topology.ENDS``.
    """
    cloth = one_piece(label_field(votes, "upper"), graph, ends)
    inside = cloth > 0
    if not (inside & arms).any():
        return None
    near = neighbour_mean(faces, len(vertices))
    lab = near @ vertex_lab(colour)
    sleeve = np.median(lab[inside & arms], axis=0)
    away = np.linalg.norm(lab - sleeve, axis=1)
    other = lab[inside & (away > np.quantile(away[inside], 0.9))].mean(0)
    centres, kind = kmeans2(lab[inside].astype(np.float64), np.stack([sleeve, other]).astype(np.float64))
    if np.linalg.norm(centres[0] - centres[1]) < SHADES or np.bincount(kind, minlength=2).min() == 0:
        return None
    share = np.zeros(len(vertices))
    share[inside] = kind == 0
    known = inside.astype(np.float64)
    for _ in range(round(2 * (MARK / graph.length.mean()) ** 2)):
        share, known = near @ share, near @ known
    share /= np.maximum(known, 1e-9)
    jacket = one_piece(np.minimum(cloth, share - 0.5), graph, ends)
    return share if set(grouped(jacket, graph, ends)) == set(CURVES["jacket"].values()) else None


def parted_votes(votes: Votes, share: np.ndarray) -> Votes:
    """Votes with the share (V,) of the upper garment as a coat."""
    out, frames = votes.share.copy(), votes.frames.copy()
    out[:, COAT] += share * out[:, UPPER]
    out[:, UPPER] *= 1 - share
    frames[COAT] = frames[UPPER]
    return Votes(out, votes.weight, frames, votes.of)


def parted_pictures(
    pictures: np.ndarray,
    frames: np.ndarray,
    views: Iterable[np.ndarray],
    faces: np.ndarray,
    camera: Camera,
    share: np.ndarray,
    graph: MeshGraph,
) -> np.ndarray:
    """Pictures (N, H, W) of ``votes.kinds_of`` with the jacket's pixels as a coat.

    Far from the border the surface tells, near it the pixel's colour against those of both in its frame.

    Args:
        frames: (N, H, W, 3) uint8. views: world vertices (V, 3) of every frame. share: of ``jacket_share``.
    """
    coat, out = share > 0.5, pictures.copy()
    crossing = graph.edges[coat[graph.edges].any(1) & ~coat[graph.edges].all(1)]
    border = np.zeros(len(coat), bool)
    border[crossing.ravel()] = True
    away = graph.distances(border)[0]
    for picture, frame, x in zip(out, frames, views, strict=True):
        shown = vertex_picture(x, faces, camera)
        row, col = np.nonzero((picture == UPPER) & (shown >= 0))
        mine, far = coat[shown[row, col]], away[shown[row, col]]
        if min(mine.sum(), (~mine).sum()) >= SOME:
            lab, gap = colour_features(frame)[row, col], []
            for own in (mine, ~mine):  # the half farther from the border teaches
                teachers = own & (far >= min(NEAR, np.median(far[own])))
                gap.append(np.linalg.norm(lab - np.median(lab[teachers], axis=0), axis=1))
            mine = np.where(far > NEAR, mine, gap[0] < gap[1])
        picture[row[mine], col[mine]] = COAT
    return out
