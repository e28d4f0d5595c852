"""A jacket that is open over another garment, where both have one label (docs/surface.md, 14).

ATR has no label for coats, and a parser may give both garments the same. Their colours tell them apart: cloth
in the colour of the sleeves is the jacket if, without the rest, it has the borders of an open jacket.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from hvr_nb.geometry.mesh import neighbour_mean
from hvr_nb.masks.colour_model import colour_features
from hvr_nb.surface.albedo import filled
from hvr_nb.surface.clothed.layers import MARK, SHADES, vertex_lab
from hvr_nb.surface.garments.arcs import vertex_picture
from hvr_nb.surface.garments.kinds import CURVES, CUTS, label_field
from hvr_nb.surface.garments.topology import MeshGraph, grouped, one_piece
from hvr_nb.surface.garments.votes import ENOUGH, KINDS, Votes
from hvr_nb.types import Camera

UPPER, COAT = KINDS.index("upper"), KINDS.index("coat")
COLOURS = 6  # groups of colours
OFTEN = 0.2  # least share of a jacket's colour on sleeves and back, of that in front
PRINT = 0.03  # metres
NEAR = 0.04  # metres from the border of the two within which pixels are told by their colour
SHOWN = 4  # groups of colours of each in one frame
SOME = 50  # pixels of each, from which on a frame's colours are told apart


def coats_apart(votes: Votes, graph: MeshGraph, ends: dict[str, np.ndarray]) -> bool:
    """Whether what is labelled a coat has the borders of one; else it is a part of the upper garment.

    Args:
        ends: (V,) bool, see ``topology.ENDS``.
    """
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
    closed: np.ndarray,
) -> np.ndarray | None:
    """How much of the upper garment on a mesh (V, 3), (F, 3) is a jacket: (V,) 0..1; None: nothing.

    Args:
        colour: (V, 3) albedo, 0..1. ends: (V,) bool, see ``topology.ENDS``.
        closed: (V,) bool, arms and back, where a jacket shows its own colours only.
    """
    cloth = one_piece(label_field(votes, "upper"), graph, ends)
    inside = cloth > 0
    near, lab = neighbour_mean(faces, len(vertices)), vertex_lab(colour)
    seen = inside & (votes.weight >= ENOUGH)
    different = min(COLOURS, len(np.unique(lab[seen].round(), axis=0)))
    if not (seen & closed).any() or different < 2:
        return None
    kind = kmeans2(lab[seen].astype(np.float64), different, minit="++", seed=0)[1]
    often = [np.bincount(kind[part], minlength=different) for part in (closed[seen], ~closed[seen])]
    often = [count / max(count.sum(), 1) for count in often]
    mine = (often[0] > OFTEN * often[1])[kind]
    if mine.all() or np.linalg.norm(lab[seen][mine].mean(0) - lab[seen][~mine].mean(0)) < SHADES:
        return None
    share = np.full((len(vertices), 1), np.nan)
    share[seen, 0] = mine
    share = filled(share, near)[:, 0]
    share[~inside] = 0
    known = inside.astype(np.float64)
    for _ in range(round(2 * (MARK / graph.length.mean()) ** 2)):
        share, known = near @ share, near @ known
    share /= np.maximum(known, 1e-9)
    panel = _largest(_closed(inside & (share < 0.5), graph) & inside, graph)
    share = np.where(panel, np.minimum(share, 0.4), np.maximum(share, 0.6) * inside)
    jacket = one_piece(np.minimum(cloth, share - 0.5), graph, ends)
    return share if set(grouped(jacket, graph, ends)) == set(CURVES["jacket"].values()) else None


def _closed(part: np.ndarray, graph: MeshGraph) -> np.ndarray:
    """A part (V,) bool with its gaps up to twice ``PRINT`` wide: a print on the shirt may have any colour."""
    if not part.any():
        return part
    grown = graph.distances(part)[0] <= PRINT
    return part | (graph.distances(~grown)[0] > PRINT if not grown.all() else grown)


def _largest(part: np.ndarray, graph: MeshGraph) -> np.ndarray:
    """The largest connected piece of a part (V,) bool."""
    pieces = graph.pieces(part)
    return pieces == np.bincount(pieces[part]).argmax() if part.any() else part


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
                some = lab[teachers].astype(np.float64)
                count = min(SHOWN, len(np.unique(some.round(), axis=0)))
                centres = kmeans2(some, count, minit="++", seed=0)[0]
                gap.append(cKDTree(centres).query(lab)[0])
            mine = np.where(far > NEAR, mine, gap[0] < gap[1])
        picture[row[mine], col[mine]] = COAT
    return out
