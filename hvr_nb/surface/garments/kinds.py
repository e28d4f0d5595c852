"""Which garments a person wears, told from votes on the clothed surface and from its topology.

A kind of cloth says little of its cut. The cut follows from which ends of the body hang together without
crossing the cloth: both feet under a skirt, each alone under trousers; the head with both hands above a
strapless dress; the head with the feet through an open front (docs/surface.md, 14).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hvr_nb.surface.garments.topology import MeshGraph, grouped, joined_ends, one_piece, parted_ends
from hvr_nb.surface.garments.votes import KINDS, Votes
from hvr_nb.types import HvrError

_TOP, _FEET = frozenset({"head", "left_hand", "right_hand"}), frozenset({"left_foot", "right_foot"})
_SLEEVES = {"left_cuff": frozenset({"left_hand"}), "right_cuff": frozenset({"right_hand"})}
# the curves of a garment, and which ends of the body lie beyond each
CURVES = {
    "shirt": {"neck": frozenset({"head"}), **_SLEEVES, "hem": _FEET},
    "dress": {"neck": frozenset({"head"}), **_SLEEVES, "hem": _FEET},
    "tube": {"neck": _TOP, "hem": _FEET},
    "jacket": {"opening": _FEET | {"head"}, **_SLEEVES},
    "skirt": {"waist": _TOP, "hem": _FEET},
    "trousers": {
        "waist": _TOP,
        "left_ankle": frozenset({"left_foot"}),
        "right_ankle": frozenset({"right_foot"}),
    },
}
# what cloth of a kind can be; the first is taken where the topology is none of them
CUTS = {
    "upper": ("shirt", "tube", "jacket"),
    "coat": ("jacket", "shirt"),
    "lower": ("trousers", "skirt"),
    "skirt": ("skirt",),
    "dress": ("dress", "tube"),
}
LEAST = 0.012  # square metres, smallest garment
BARELY, STRAP, BRIDGE = 0.3, 0.04, 0.2  # sum of votes, metres to cloth, and label of what bridges a gap
LARGEST = 12  # so many gaps are looked at
FEW = 4  # least number of frames that show a garment


@dataclass(frozen=True)
class Piece:
    """A garment as a part of the clothed surface of V vertices."""

    name: str
    kind: str  # of ``KINDS``
    field: np.ndarray  # (V,) positive on the garment
    changed: bool  # whether its borders were joined or parted to make its cut possible
    hidden: np.ndarray | None = None  # (V,) bool, where it goes on beneath another one; None: nowhere

    @property
    def curves(self) -> dict[str, frozenset[str]]:
        """Its curves, and the ends of the body beyond each."""
        return CURVES[self.name]


def garment_names(text: str) -> tuple[str, ...]:
    """Names of garments from a parameter such as "shirt,trousers"; empty: as found.

    Raises:
        HvrError: a name is unknown.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in CURVES]
    if unknown:
        raise HvrError(
            f"garments names {' and '.join(map(repr, unknown))}; known are {', '.join(CURVES)}, separated by "
            "commas"
        )
    return names


def find_garments(
    votes: Votes,
    area: np.ndarray,
    graph: MeshGraph,
    ends: dict[str, np.ndarray],
    *,
    names: Sequence[str] = (),
    beneath: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
) -> list[Piece]:
    """The garments on a surface of V vertices, each one connected piece with the borders of its cut.

    What cannot be told is said by a warning.

    Args:
        area: (V,) square metres of the surface at every vertex. ends: (V,) bool, see ``topology.ENDS``.
        names: garments that are there; empty: told from the votes.
        beneath: by kind, the field (V,) of cloth that goes on beneath another, and where it does, (V,) bool.

    Raises:
        HvrError: a named garment has no cloth, or shares its label with another one; nobody wears a garment.
    """
    fields = {kind: label_field(votes, kind) for kind in CUTS}
    size = {kind: float(area[field > 0].sum()) for kind, field in fields.items()}
    there = [kind for kind in CUTS if size[kind] > LEAST]
    rare = [kind for kind in there if votes.frames[KINDS.index(kind)] < FEW]
    there = [kind for kind in there if kind not in rare]
    for kind in rare:
        seen = (
            f"cloth labelled {kind!r} is seen in only {votes.frames[KINDS.index(kind)]} of {votes.of} frames"
        )
        if set(names) & set(CUTS[kind]):
            raise HvrError(f"{seen}; use a longer clip, or leave it out of garments")
        warnings.warn(f"{seen} and is left out; use a longer clip", stacklevel=2)
    wanted = _assigned(names, there, size) if names else {kind: CUTS[kind] for kind in there}
    if not wanted:
        raise HvrError(
            "no garment is seen in the labels of 02_masks; look at its pictures of labels, and run it again"
        )
    unseen, out = votes.weight < BARELY, []
    for kind, cuts in wanted.items():
        field, hidden = (beneath or {}).get(kind, (fields[kind], None))
        if len(grouped(one_piece(field, graph, ends), graph, ends)) == len(ends):
            warnings.warn(
                f"cloth labelled {kind!r} goes from the neck to both hands and both feet: two garments with "
                f"one label, or an overall; it is taken for one {cuts[0]}. Give labels that part them in "
                "02_masks",
                stacklevel=2,
            )
        out.append(replace(_piece(kind, field, unseen, cuts, graph, ends), hidden=hidden))
    return out


def label_field(votes: Votes, kind: str) -> np.ndarray:
    """(V,) share of a kind of cloth less the best other one: positive on the cloth."""
    k = KINDS.index(kind)
    return votes.share[:, k] - np.delete(votes.share, k, 1).max(1)


def _assigned(names: Sequence[str], there: list[str], size: dict[str, float]) -> dict[str, tuple[str, ...]]:
    """The kind of cloth of every named garment."""
    out: dict[str, tuple[str, ...]] = {}
    for name in names:
        fitting = [kind for kind in there if name in CUTS[kind]]
        free = [kind for kind in fitting if kind not in out]
        if not fitting:
            raise HvrError(
                f"garments names a {name}, but no cloth that could be one is labelled (there is "
                f"{', '.join(there) or 'none'}); correct garments, or the labels of 02_masks"
            )
        if not free:
            raise HvrError(
                f"the {name} and the {out[fitting[0]][0]} have one label, {fitting[0]!r}, so they cannot be "
                "told apart; name one of them in garments, or give labels that part them in 02_masks"
            )
        out[max(free, key=size.get)] = (name,)
    return out


def _piece(
    kind: str, field: np.ndarray, unseen: np.ndarray, cuts: tuple[str, ...], graph: MeshGraph, ends
) -> Piece:
    field = _bridged(one_piece(field, graph, ends), unseen, cuts, graph, ends)
    for trial in (field, _opened(field, unseen, graph, ends)):
        groups = set(grouped(trial, graph, ends))
        for name in cuts:
            if groups == set(CURVES[name].values()):
                return Piece(name, kind, trial, False)
    field = arranged(field, cuts[0], graph, ends)
    return Piece(cuts[0], kind, field, True)


def _bridged(
    field: np.ndarray, unseen: np.ndarray, cuts: tuple[str, ...], graph: MeshGraph, ends
) -> np.ndarray:
    """``field`` (V,) with cloth over gaps that nobody saw, where that makes another cut of what is there.

    A camera at eye level does not see the top of a shoulder: a strap that goes over it is seen in front and
    behind. Where nothing that was seen joins head and hand without cloth, the strap goes on.
    """
    gap = unseen & (field <= 0) & (graph.distances(field > 0)[0] < STRAP)
    all_closed = one_piece(np.where(gap, BRIDGE, field), graph, ends)
    if len(grouped(all_closed, graph, ends)) <= len(grouped(field, graph, ends)):
        return field
    blobs, out = graph.pieces(gap), field
    for number in np.argsort(-np.bincount(blobs[gap]))[:LARGEST]:
        trial = one_piece(np.where(blobs == number, BRIDGE, out), graph, ends)
        if len(grouped(trial, graph, ends)) > len(grouped(out, graph, ends)):
            out = trial
    possible = [set(CURVES[name].values()) for name in cuts]
    return out if set(grouped(out, graph, ends)) in possible else field


def _opened(field: np.ndarray, unseen: np.ndarray, graph: MeshGraph, ends) -> np.ndarray:
    """``field`` (V,) without the cloth that nobody saw, where that parts ends of the body.

    In the big pose the lid below a long skirt is an arch between its front and back, without a crease.
    """
    gap, out = unseen & (field > 0), field
    blobs = graph.pieces(gap)
    for number in np.argsort(-np.bincount(blobs[gap]))[:LARGEST] if gap.any() else ():
        trial = one_piece(np.where(blobs == number, -BRIDGE, out), graph, ends)
        if len(grouped(trial, graph, ends)) < len(grouped(out, graph, ends)):
            out = trial
    return out


def arranged(field: np.ndarray, name: str, graph: MeshGraph, ends) -> np.ndarray:
    """``field`` (V,) with the borders of a garment: the body's ends joined and parted as its cut has them.

    Raises:
        HvrError: that cannot be.
    """
    wanted = list(CURVES[name].values())
    for _ in range(len(ends)):
        groups = grouped(field, graph, ends)
        if set(groups) == set(wanted):
            return field
        owner = {end: group for group in groups for end in group}
        for group in wanted:
            first, *others = sorted(group)
            for other in others:
                if owner[first] != owner[other]:
                    field = joined_ends(field, graph, ends[first], ends[other])
        for group in groups:
            parts = [sorted(group & w) for w in wanted if group & w]
            for part in parts[1:]:
                one, other = (np.any([ends[e] for e in p], axis=0) for p in (parts[0], part))
                field = parted_ends(field, graph, one, other)
        field = one_piece(field, graph, ends)
    if set(grouped(field, graph, ends)) != set(wanted):
        raise HvrError(
            f"the borders of the {name} cannot be told apart in the labels of 02_masks; name other garments "
            "in the parameter garments, or correct the labels"
        )
    return field
