"""Labels of the frames, voted onto the clothed surface (docs/surface.md, 14).

Every vertex that a frame shows takes the share of each kind of cloth at its pixel. Votes of all frames add
up; where nothing was seen, a smooth function continues them over the mesh.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

from hvr_nb.geometry.mesh import unique_edges, vertex_normals
from hvr_nb.geometry.outline_distance import lookup, pixels_of
from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.surface.albedo import sighting
from hvr_nb.types import Camera, HvrError

# what a label shows; names of all label sets, the others are no part of the person
KINDS = ("skin", "upper", "coat", "lower", "skirt", "dress", "hair", "shoes")
_OF = {
    "hat": "hair", "hair": "hair", "glove": "skin", "sunglasses": "skin", "upper clothes": "upper",
    "dress": "dress", "coat": "coat", "socks": "shoes", "pants": "lower", "torso skin": "skin",
    "scarf": "upper", "skirt": "skirt", "face": "skin", "left arm": "skin", "right arm": "skin",
    "left leg": "skin", "right leg": "skin", "left shoe": "shoes", "right shoe": "shoes",
    "jumpsuit": "dress", "belt": "lower", "bag": "upper",
}  # fmt: skip
ENOUGH = 3.0  # sum of weights that counts as certain
UNSEEN, LID = 1e-3, 0.1  # trust in skin where nothing was seen: on the body, and off it
OFF = 0.02  # metres off the body from which what nobody saw is the lid of loose cloth
CREASE, ACROSS = 0.06, 1e-3  # one less the cosine of a usual bend along an edge; least link across a crease


@dataclass(frozen=True)
class Votes:
    """What the frames say of V vertices."""

    share: np.ndarray  # (V, K) 0..1, of ``KINDS``; rows sum to one
    weight: np.ndarray  # (V,) sum of the weights of what was seen; 0: nothing
    frames: np.ndarray  # (K,) number of frames in which a kind has at least one of the person's pixels in 200
    of: int  # number of frames


def kinds_of(labels: np.ndarray, label_set: str) -> np.ndarray:
    """(H, W) int8 index into ``KINDS`` of labels (H, W) uint8, -1 for the background.

    Raises:
        HvrError: the label set is unknown.
    """
    if label_set not in LABEL_NAMES:
        raise HvrError(f'label_set is "{label_set}"; use one of {", ".join(LABEL_NAMES)}')
    table = np.full(256, -1, np.int8)
    for number, name in enumerate(LABEL_NAMES[label_set]):
        table[number] = KINDS.index(_OF[name]) if name in _OF else -1
    return table[labels]


def vote(
    views: Iterable,
    vertices: np.ndarray,
    faces: np.ndarray,
    camera: Camera,
    pictures: np.ndarray,
    distances: list[np.ndarray],
    *,
    off: np.ndarray,
) -> Votes:
    """Votes of N frames on a mesh (V, 3), (F, 3) in the big pose.

    Args:
        views: world vertices (V, 3) and normals (V, 3) of every frame.
        pictures: (N, H, W) int8 of ``kinds_of``. distances: N signed distances (H, W) of the masks.
        off: (V,) metres from the bare body.
    """
    total, frames = None, np.zeros(len(KINDS), int)
    for (x, normal), picture, distance in zip(views, pictures, distances, strict=True):
        _, weight = sighting(x, normal, faces, camera, np.zeros((*picture.shape, 3), np.uint8), distance)
        seen = np.flatnonzero(weight)
        pixels, _ = pixels_of(x[seen], camera)
        if total is None:
            total = np.zeros((len(x), len(KINDS)))
        for k in range(len(KINDS)):
            shown = picture == k
            frames[k] += shown.sum() > 0.005 * (picture >= 0).sum()
            if shown.any():
                total[seen, k] += weight[seen] * lookup(shown.astype(np.float32), pixels)
    return Votes(*_evened(total, vertices, faces, off), frames, len(pictures))


def _evened(
    total: np.ndarray, vertices: np.ndarray, faces: np.ndarray, off: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shares (V, K) without gaps from sums of votes (V, K), and the sums of all kinds (V,).

    Carving closes what hangs free with a lid that nobody saw. It is off the body and beyond a crease: little
    goes on across creases, and what nobody saw off the body counts as skin.
    """
    weight = total.sum(1)
    prior = np.where(off > OFF, LID, UNSEEN)
    trust = np.minimum(weight, ENOUGH) + prior
    share = total * (trust / np.maximum(weight, 1e-9))[:, None]
    share[weight == 0] = 0
    share[weight == 0, KINDS.index("skin")] = prior[weight == 0]
    edges = unique_edges(faces)
    normal = vertex_normals(vertices, faces)
    bend = 1 - (normal[edges[:, 0]] * normal[edges[:, 1]]).sum(1)
    link = ENOUGH * (ACROSS + np.exp(-bend / CREASE))
    system = sparse.csr_array(sparse.diags_array(trust) + edge_energy(edges, link, len(total)))
    inverse = sparse.diags_array(1 / system.diagonal())
    out = np.stack([cg(system, b, x0=b / trust, rtol=1e-6, maxiter=2000, M=inverse)[0] for b in share.T], 1)
    out = np.clip(out, 0, None)
    return out / np.maximum(out.sum(1, keepdims=True), 1e-9), weight


def edge_energy(edges: np.ndarray, weight: np.ndarray, count: int) -> sparse.csr_array:
    """(V, V) matrix of the sum of squared differences over edges (E, 2), V = ``count``, weights (E,)."""
    row = np.tile(np.arange(len(edges)), 2)
    value = np.concatenate([np.sqrt(weight), -np.sqrt(weight)])
    step = sparse.csr_array((value, (row, edges.T.ravel())), shape=(len(edges), count))
    return sparse.csr_array(step.T @ step)
