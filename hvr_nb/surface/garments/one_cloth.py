"""A dress that is labelled as an upper garment and a skirt (docs/surface.md, 14)."""

from __future__ import annotations

import numpy as np

from hvr_nb.masks.skirts import colour_histogram
from hvr_nb.surface.clothed.layers import vertex_lab
from hvr_nb.surface.garments.kinds import CURVES, label_field
from hvr_nb.surface.garments.topology import MeshGraph, grouped, one_piece
from hvr_nb.surface.garments.votes import KINDS, Votes

DRESS = KINDS.index("dress")
PARTS = ("upper", "lower", "skirt")  # kinds of which a dress can consist
# metres from the waist of cloth that is compared: a collar lies beyond the first, a belt before the second
BANDS = ((0.04, 0.16), (0.08, 0.30))
ALIKE = 0.8  # least Bhattacharyya coefficient of one cloth, in either (docs/benchmarks.md, Garments)


def joined_dress(votes: Votes, pictures: np.ndarray, *, instead: bool) -> tuple[Votes, np.ndarray]:
    """Votes and pictures (N, H, W) of ``votes.kinds_of`` with upper and lower garment as one dress.

    Args:
        instead: leave all as it is where a dress is labelled.
    """
    index = [KINDS.index(kind) for kind in PARTS]
    if instead and (label_field(votes, "dress") > 0).any():
        return votes, pictures
    share, frames = votes.share.copy(), votes.frames.copy()
    share[:, DRESS] += share[:, index].sum(1)
    share[:, index] = 0
    frames[DRESS] = max(frames[DRESS], *frames[index])
    frames[index] = 0
    parts = np.isin(pictures, index)
    return Votes(share, votes.weight, frames, votes.of), np.where(parts, np.int8(DRESS), pictures)


def is_dress(votes: Votes, colour: np.ndarray, graph: MeshGraph, ends: dict[str, np.ndarray]) -> bool:
    """Whether upper and lower garment are one: below is a skirt, and the cloth beside the waist is alike.

    Args:
        colour: (V, 3) albedo, 0..1. ends: (V,) bool, see ``topology.ENDS``.
    """
    index = [KINDS.index(kind) for kind in PARTS]
    best, legs = votes.share.argmax(1), votes.share[:, index[1:]].sum(1)
    below = one_piece(legs - np.delete(votes.share, index[1:], 1).max(1), graph, ends)
    whole = votes.share[:, index].sum(1) - np.delete(votes.share, index, 1).max(1)
    skirt, cut = (set(grouped(f, graph, ends)) for f in (below, one_piece(whole, graph, ends)))
    if skirt != set(CURVES["skirt"].values()):
        return False
    if cut not in [set(CURVES[name].values()) for name in ("dress", "tube")]:
        return False
    above = (label_field(votes, "upper") > 0) & (best == index[0])
    lab, sides = vertex_lab(colour), ((above, below > 0), (below > 0, above))
    parts = [(part, graph.distances(other)[0]) for part, other in sides]
    for first, last in BANDS:
        one, other = (colour_histogram(lab[part & (away > first) & (away < last)]) for part, away in parts)
        if np.sqrt(one * other).sum() > ALIKE:
            return True
    return False
