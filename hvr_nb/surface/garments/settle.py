"""What labels leave open: whether a coat is one, a jacket of the shirt's label, a dress labelled as two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hvr_nb.surface.garments.one_cloth import is_dress, joined_dress
from hvr_nb.surface.garments.open_front import (
    COAT,
    UPPER,
    coats_apart,
    jacket_share,
    parted_pictures,
    parted_votes,
    without_coats,
)
from hvr_nb.surface.garments.topology import MeshGraph
from hvr_nb.surface.garments.votes import Votes
from hvr_nb.types import Camera


def settled_labels(
    votes: Votes,
    pictures: np.ndarray,
    frames: np.ndarray,
    views: Sequence[np.ndarray],
    mesh: tuple[np.ndarray, np.ndarray, np.ndarray],
    graph: MeshGraph,
    ends: dict[str, np.ndarray],
    camera: Camera,
    *,
    closed: np.ndarray,
    names: Sequence[str],
    by_colour: bool,
) -> tuple[Votes, np.ndarray]:
    """Votes and pictures (N, H, W) of ``votes.kinds_of`` in which every garment has its own kind.

    Args:
        frames: (N, H, W, 3) uint8. views: world vertices (V, 3) of every frame.
        mesh: vertices (V, 3), faces (F, 3) and albedo (V, 3), 0..1. closed: (V,) bool, arms and back.
        ends: (V,) bool, see ``topology.ENDS``. names: garments that are there; empty: told from the votes.
        by_colour: whether a colour model made the labels, which tells a dress from a shirt and a skirt by
            their colours alone.
    """
    vertices, faces, colour = mesh
    if not coats_apart(votes, graph, ends):
        votes = without_coats(votes)
        pictures = np.where(pictures == COAT, np.int8(UPPER), pictures)
        jacket = None
        if not names or "jacket" in names:
            jacket = jacket_share(votes, colour, vertices, faces, graph, ends, closed)
        if jacket is not None:
            votes = parted_votes(votes, jacket)
            pictures = parted_pictures(pictures, frames, views, faces, camera, jacket, graph)
    named = any(name in names for name in ("dress", "tube"))
    if named or (not names and by_colour and is_dress(votes, colour, graph, ends)):
        votes, pictures = joined_dress(votes, pictures, instead=named)
    return votes, pictures
