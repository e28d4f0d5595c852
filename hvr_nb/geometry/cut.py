"""An exact cut of a triangle mesh along the zero line of a function of its vertices.

Marching triangles: a face whose corners differ in sign is crossed by one straight piece from edge to edge.
The pieces join to closed lines, so the part that is kept has no edge with more than two faces, whatever the
function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from hvr_nb.geometry.mesh import unique_edges

SLIVER = 0.04  # least distance of a cut from a vertex, as a share of the edge


@dataclass(frozen=True)
class CutMesh:
    """The part of a mesh of V vertices where a function is positive; N vertices, G faces."""

    faces: np.ndarray  # (G, 3)
    mix: sparse.csr_array  # (N, V) values at the vertices from values at those of the whole mesh
    beyond: np.ndarray  # (N,) the vertex of the whole mesh on the other side of the cut, -1 off the rim


def cut_mesh(faces: np.ndarray, field: np.ndarray) -> CutMesh:
    """The part of a mesh (F, 3) where ``field`` (V,) is positive, cut along its zero line."""
    inside, count, total = field > 0, (field > 0)[faces].sum(1), len(field)
    edges = unique_edges(faces)
    cut = edges[inside[edges[:, 0]] != inside[edges[:, 1]]]
    t = np.clip(field[cut[:, 0]] / (field[cut[:, 0]] - field[cut[:, 1]]), SLIVER, 1 - SLIVER)
    row = np.arange(len(cut))
    between = sparse.csr_array((np.r_[1 - t, t], (np.r_[row, row], cut.T.ravel())), shape=(len(cut), total))
    key = cut[:, 0] * total + cut[:, 1]

    def crossing(a, b):
        return total + np.searchsorted(key, np.minimum(a, b) * total + np.maximum(a, b))

    parts = [faces[count == 3]]
    for wanted in (1, 2):
        some = faces[count == wanted]
        first = np.argmax(inside[some] == (wanted == 1), 1)  # the corner that differs comes first
        a, b, c = np.take_along_axis(some, (first[:, None] + np.arange(3)) % 3, 1).T
        ab, ac = crossing(a, b), crossing(a, c)
        parts += (
            [np.stack([a, ab, ac], 1)] if wanted == 1 else [np.stack(x, 1) for x in ((ab, b, c), (ab, c, ac))]
        )
    new = np.concatenate(parts)
    used, index = np.unique(new, return_inverse=True)
    mix = sparse.csr_array(
        sparse.vstack([sparse.eye_array(total, format="csr"), between], format="csr")[used]
    )
    beyond = np.full(total + len(cut), -1)
    beyond[total:] = np.where(inside[cut[:, 0]], cut[:, 1], cut[:, 0])
    return CutMesh(index.reshape(-1, 3), mix, beyond[used])
