"""Unwrapping: texture coordinates from nearly flat charts, packed into a square (docs/surface.md, 11).

Each face is assigned to the axis that it faces most. Charts are the connected pieces, projected along their
axis; where a piece overlaps itself, the part behind becomes a chart of its own.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.ndimage import maximum_filter1d
from scipy.sparse.csgraph import connected_components

from hvr_nb.geometry.mesh import face_normals
from hvr_nb.geometry.raster import rasterize_pixels
from hvr_nb.types import HvrError

GAP = 2  # free texels around every chart, so that interpolation does not mix charts
SMOOTH = 30  # rounds of smoothing of the face normals; more give fewer and larger charts
FLAT = 0.25  # cosine; a face farther from the axis of its chart is too distorted and is assigned elsewhere
WORTH = 0.85  # a chart is cut where the boxes of its halves have less than this share of its own box
FEW = 40  # faces; smaller charts are merged with a neighbour where possible
_AXES = np.concatenate([np.eye(3), -np.eye(3)])
_ACROSS = np.array([[1, 2], [2, 0], [0, 1], [2, 1], [0, 2], [1, 0]])  # right-handed, so no chart is mirrored


def unwrap_mesh(
    vertices: np.ndarray, faces: np.ndarray, *, size: int = 1024
) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates for a closed or open mesh.

    Args:
        vertices: (V, 3) metres. faces: (F, 3). size: side of the texture, texels.

    Returns:
        (U, 2) texture coordinates 0..1, origin at the lower left, and (F, 3) indices into them.

    Raises:
        HvrError: the mesh has no faces, or has more charts than fit the texture.
    """
    if len(faces) == 0:
        raise HvrError("the mesh has no faces; there is nothing to unwrap")
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    pairs = _neighbours(faces)
    normals = face_normals(vertices, faces)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    axis = _axes(normals, pairs)
    chart = _cut(vertices, faces, axis, _pieces(axis, pairs), pairs)
    for _ in range(4):
        flat, index = _flatten(vertices, faces, axis, chart)
        uv = _pack(flat, index, chart, size)
        behind = _covered(uv, index, vertices, faces, axis, size)
        if not len(behind):
            break
        chart[behind] += chart.max() + 1
        chart = _pieces(chart, pairs)
    else:
        flat, index = _flatten(vertices, faces, axis, chart)
        uv = _pack(flat, index, chart, size)
    return uv / size, index


def _neighbours(faces: np.ndarray) -> np.ndarray:
    """(E, 2) pairs of faces (F, 3) with a common edge."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    order = np.lexsort(edges.T)
    same = (edges[order[1:]] == edges[order[:-1]]).all(1)
    return np.stack([order[:-1][same] // 3, order[1:][same] // 3], 1)


def _links(pairs: np.ndarray, count: int) -> sparse.csr_array:
    """(F, F) matrix: 1 where two faces are a pair."""
    ones = np.ones(len(pairs))
    links = sparse.coo_array((ones, tuple(pairs.T)), (count, count))
    return sparse.csr_array(links + links.T)


def _axes(normals: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(F,) which of the six axes each face is assigned to."""
    links = _links(pairs, len(normals))
    mean = sparse.diags_array(1 / np.maximum(links.sum(1), 1)) @ links
    smooth = normals
    for _ in range(SMOOTH):
        smooth = 0.5 * smooth + 0.5 * (mean @ smooth)
    facing = normals @ _AXES.T
    axis = np.where(facing > FLAT, smooth @ _AXES.T, facing - 2).argmax(1)
    for _ in range(4):  # small pieces and single faces take the axis of most faces around them
        piece = _pieces(axis, pairs)
        small = np.bincount(piece)[piece] < FEW
        votes = np.zeros((len(axis), 6))
        for a, b in (pairs.T, pairs.T[::-1]):
            outside = piece[a] != piece[b]
            np.add.at(votes, (piece[a][outside], axis[b][outside]), 1)
        votes = votes[piece] * (facing > FLAT)
        axis = np.where(small & (votes.max(1) > 0), votes.argmax(1), axis)
    return axis


def _pieces(label: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(F,) number of the connected piece of equal label that each face is in."""
    same = pairs[label[pairs[:, 0]] == label[pairs[:, 1]]]
    return connected_components(_links(same, len(label)), directed=False)[1]


def _cut(vertices, faces, axis, chart, pairs) -> np.ndarray:
    """Charts (F,) where those that fill little of their box are cut in two, repeatedly."""
    for _ in range(8):
        flat, index = _flatten(vertices, faces, axis, chart)
        centre = flat[index].mean(1)
        order = np.argsort(chart, kind="stable")
        sizes = np.bincount(chart)
        beyond, done = chart.max() + 1, True
        for faces_of in np.split(order, np.cumsum(sizes)[:-1]):
            some = _smaller_half(centre[faces_of]) if len(faces_of) > 4 * FEW else None
            if some is not None:
                chart[faces_of[some]] += beyond
                done = False
        chart = _pieces(chart, pairs)
        if done:
            break
    return chart


def _smaller_half(points: np.ndarray) -> np.ndarray | None:
    """(N,) bool: points (N, 2) beyond the straight cut that gives the smallest boxes; None if none helps."""
    best, half = WORTH * np.ptp(points, axis=0).prod(), None
    for k in range(2):
        order = np.argsort(points[:, k], kind="stable")
        boxes = _growing_box(points[order])[:-1] + _growing_box(points[order[::-1]])[-2::-1]
        inner = boxes[len(boxes) // 20 : -(len(boxes) // 20) or None]
        if inner.min() < best:
            best = inner.min()
            half = np.zeros(len(points), bool)
            half[order[len(boxes) // 20 + int(inner.argmin()) + 1 :]] = True
    return half


def _growing_box(points: np.ndarray) -> np.ndarray:
    """(N,) area of the box of the first 1, 2, ... points (N, 2)."""
    return (np.maximum.accumulate(points) - np.minimum.accumulate(points)).prod(1)


def _flatten(vertices, faces, axis, chart) -> tuple[np.ndarray, np.ndarray]:
    """Every chart projected along its axis and rotated upright: (U, 2) metres, and (F, 3) indices."""
    corners = np.repeat(chart, 3) * len(vertices) + faces.ravel()
    corners, first, index = np.unique(corners, return_index=True, return_inverse=True)
    owner, vertex = np.divmod(corners, len(vertices))
    flat = np.take_along_axis(vertices[vertex], _ACROSS[axis[first // 3]], 1)
    count = np.bincount(owner)
    centred = flat - np.stack([np.bincount(owner, flat[:, k]) / count for k in range(2)], 1)[owner]
    xx, yy, xy = (np.bincount(owner, centred[:, a] * centred[:, b]) for a, b in ((0, 0), (1, 1), (0, 1)))
    turn = np.pi / 2 - 0.5 * np.arctan2(2 * xy, xx - yy)  # the longest direction becomes vertical
    c, s = np.cos(turn)[owner], np.sin(turn)[owner]
    return np.stack([c * centred[:, 0] - s * centred[:, 1], s * centred[:, 0] + c * centred[:, 1]], 1), (
        index.reshape(-1, 3)
    )


def _pack(flat: np.ndarray, index: np.ndarray, chart: np.ndarray, size: int) -> np.ndarray:
    """(U, 2) positions in texels of charts (U, 2) in metres, at one scale, as large as possible."""
    owner = np.empty(len(flat), np.int64)
    owner[index] = chart[:, None]
    count = int(chart.max()) + 1
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, owner, flat)
    np.maximum.at(high, owner, flat)
    box = high - low
    best, least, most = None, 0.0, size / max(box.max(), 1e-9)
    for _ in range(12):
        scale = (least + most) / 2
        corner = _skyline(np.ceil(box * scale).astype(int) + 2 * GAP, size)
        if corner is None:
            most = scale
        else:
            least, best = scale, (scale, corner)
    if best is None:
        raise HvrError(f"{count} charts do not fit a texture of {size} texels; choose a larger one")
    scale, corner = best
    return (flat - low[owner]) * scale + corner[owner] + GAP


def _skyline(boxes: np.ndarray, size: int) -> np.ndarray | None:
    """(C, 2) lower left corners of boxes (C, 2), texels, each as low as possible; None if they do not fit."""
    if boxes.prod(1).sum() > size * size or boxes.max() > size:
        return None
    sky, out = np.zeros(size, np.int64), np.empty((len(boxes), 2), np.int64)
    for k in np.lexsort((-boxes[:, 0], -boxes[:, 1])):
        width, height = boxes[k]
        top = maximum_filter1d(sky, width, origin=-(width // 2))[: size - width + 1]
        x = int(top.argmin())
        if top[x] + height > size:
            return None
        out[k] = x, top[x]
        sky[x : x + width] = top[x] + height
    return out


def _covered(uv, index, vertices, faces, axis, size) -> np.ndarray:
    """Faces that lie under other faces of their chart."""
    height = (vertices[faces] * np.abs(_AXES[axis])[:, None]).sum(-1) * np.sign(_AXES[axis].sum(1))[:, None]
    z = np.empty(len(uv))
    z[index] = height
    z = z - z.min() + 1.0
    front = rasterize_pixels(uv, z.max() + 1.0 - z, index, size, size)[1]
    back = rasterize_pixels(uv, z, index, size, size)[1]
    a, b = front[front != back], back[front != back]
    touching = (index[a][:, :, None] == index[b][:, None, :]).any((1, 2))
    return np.unique(b[~touching])
