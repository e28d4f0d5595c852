"""Sheets of cloth cut out of the body surface: clip by a scalar field, offset, relax (docs/body.md, 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from hvr_nb.geometry.mesh import unique_edges, vertex_normals

SLIVER = 0.04  # least distance of a cut from a vertex, as a share of the edge


@dataclass(frozen=True)
class ClothLayer:
    """One sheet (skin, shirt, hair ...) in the rest pose; V vertices, F faces, B body vertices."""

    name: str
    positions: np.ndarray  # (V, 3) metres, rest pose of the shaped body
    faces: np.ndarray  # (F, 3) vertex indices
    uv: np.ndarray  # (F, 3, 2) texture coordinates of each corner in the tile of the layer, 0..1
    carry: sparse.csr_array  # (V, B) body vertices whose pose correctives a vertex takes; rows may be empty
    weights: np.ndarray  # (V, 24) skinning weights, rows sum to 1
    labels: np.ndarray  # (F,) uint8 ATR labels
    tile: int  # 0 skin, 1 upper garment, 2 lower garment, 3 hair and shoes


def clip_layer(layer: ClothLayer, field: np.ndarray, name: str, tile: int) -> ClothLayer:
    """The part of ``layer`` where ``field`` (V,) is positive, cut along the zero line through its faces."""
    inside = field > 0
    count = inside[layer.faces].sum(1)
    edges = unique_edges(layer.faces)
    cut = edges[inside[edges[:, 0]] != inside[edges[:, 1]]]
    t = np.clip(field[cut[:, 0]] / (field[cut[:, 0]] - field[cut[:, 1]]), SLIVER, 1 - SLIVER)
    n, m = len(field), len(cut)
    row = np.arange(m)
    lerp = sparse.csr_array((np.r_[1 - t, t], (np.r_[row, row], cut.T.ravel())), shape=(m, n))
    mix = sparse.vstack([sparse.eye_array(n, format="csr"), lerp], format="csr")
    order = np.argsort(cut[:, 0] * n + cut[:, 1])
    keys = (cut[:, 0] * n + cut[:, 1])[order]

    def crossing(a, b):
        """Index of the cut vertex on each edge a-b, and its position between a (0) and b (1)."""
        lo, hi = np.minimum(a, b), np.maximum(a, b)
        found = order[np.searchsorted(keys, lo * n + hi)]
        return n + found, np.where(a == lo, t[found], 1 - t[found])

    parts = [(layer.faces[count == 3], layer.uv[count == 3], layer.labels[count == 3])]
    for wanted in (1, 2):
        pick = np.flatnonzero(count == wanted)
        alone = inside[layer.faces[pick]] == (wanted == 1)  # the corner that differs comes first
        turn = (np.argmax(alone, 1)[:, None] + np.arange(3)) % 3
        a, b, c = np.take_along_axis(layer.faces[pick], turn, 1).T
        ua, ub, uc = np.take_along_axis(layer.uv[pick], turn[..., None], 1).swapaxes(0, 1)
        (ab, s), (ac, r) = crossing(a, b), crossing(a, c)
        u_ab, u_ac = ua + (ub - ua) * s[:, None], ua + (uc - ua) * r[:, None]
        kept = layer.labels[pick]
        if wanted == 1:
            parts.append((np.stack([a, ab, ac], 1), np.stack([ua, u_ab, u_ac], 1), kept))
        else:
            parts.append((np.stack([ab, b, c], 1), np.stack([u_ab, ub, uc], 1), kept))
            parts.append((np.stack([ab, c, ac], 1), np.stack([u_ab, uc, u_ac], 1), kept))
    faces, uv, labels = (np.concatenate(p) for p in zip(*parts, strict=True))
    grown = replace(
        layer,
        name=name,
        tile=tile,
        positions=mix @ layer.positions,
        faces=faces,
        uv=uv,
        carry=sparse.csr_array(mix @ layer.carry),
        weights=mix @ layer.weights,
        labels=labels,
    )
    return compact(grown)


def compact(layer: ClothLayer, keep: np.ndarray | None = None) -> ClothLayer:
    """The layer with the faces ``keep`` (F,) bool (None: all) and without vertices that no face uses."""
    keep = np.ones(len(layer.faces), bool) if keep is None else keep
    used, index = np.unique(layer.faces[keep], return_inverse=True)
    return replace(
        layer,
        positions=layer.positions[used],
        faces=index.reshape(-1, 3),
        uv=layer.uv[keep],
        carry=layer.carry[used],
        weights=layer.weights[used],
        labels=layer.labels[keep],
    )


def border_vertices(faces: np.ndarray) -> np.ndarray:
    """Pairs of vertices (E, 2): the edges that only one face uses."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, times = np.unique(edges, axis=0, return_counts=True)
    return unique[times == 1]


def smoother(faces: np.ndarray, count: int) -> sparse.csr_array:
    """(V, V) matrix of the mean of the neighbours; border vertices take neighbours along the border only."""
    edges, border = unique_edges(faces), border_vertices(faces)
    on_border = np.zeros(count, bool)
    on_border[border.ravel()] = True
    pairs = np.concatenate([edges, edges[:, ::-1]])
    pairs = np.concatenate([pairs[~on_border[pairs[:, 0]]], border, border[:, ::-1]])
    near = sparse.csr_array((np.ones(len(pairs)), pairs.T), shape=(count, count))
    return sparse.csr_array(sparse.diags_array(1.0 / np.maximum(near.sum(1), 1)) @ near)


def inflate(
    layer: ClothLayer, offset: np.ndarray, normals: np.ndarray, *, steps: int = 8, floor=lambda p: 0.6
) -> ClothLayer:
    """Move a sheet off the body and relax it.

    Args:
        layer: the sheet lying on the body. offset: (V,) metres along ``normals`` (V, 3).
        steps: Laplacian steps. floor: function of positions (V, 3) to the share of ``offset`` that has to
            remain after relaxation.
    """
    base, mean = layer.positions, smoother(layer.faces, len(layer.positions))
    x, least = base + normals * offset[:, None], floor(base) * offset
    for _ in range(steps):
        x = 0.5 * x + 0.5 * (mean @ x)
        lack = least - ((x - base) * normals).sum(1)
        x = x + normals * np.maximum(lack, 0)[:, None]
    return replace(layer, positions=x)


def layer_normals(layer: ClothLayer) -> np.ndarray:
    """(V, 3) unit vertex normals of a sheet."""
    return vertex_normals(layer.positions, layer.faces)
