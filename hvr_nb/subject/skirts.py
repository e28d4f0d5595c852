"""Skirts of the synthetic person, alone or as the lower part of a dress (docs/body.md, 8).

A skirt is a loft of rings about the widest radius of hips and legs. It hangs from the hips, so its blend
weights are theirs, and below the knees partly the knees'.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from hvr_nb.geometry.functions import smoothstep
from hvr_nb.geometry.open_mesh import boundary_loops
from hvr_nb.subject.garments import ATR_DRESS, ATR_SKIRT, Marks
from hvr_nb.subject.layers import ClothLayer

AROUND, DOWN = 96, 28  # vertices of a skirt around and from waist to hem
BODICE = 0.6  # share of the texture's height that the bodice of a dress takes


def make_skirt(
    skin: ClothLayer, marks: Marks, *, hem: float, down: int = DOWN, flare: float = 0.055
) -> ClothLayer:
    """A flared skirt: ``down`` rings around the hips from the waist to height ``hem``.

    Args:
        flare: how much wider at the hem, metres.
    """
    p, skin_weights = _without_arms(skin)
    top = marks.y(3) + 0.012
    heights = np.linspace(top, hem, down)
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    x = np.empty((down, AROUND, 3))
    x[..., [0, 2]] = _around(angle, _radii(p, marks, angle, heights, flare), marks)
    x[..., 1] = heights[:, None]
    weights = _weights(x, marks, top, hem)
    # the waistband has the weights of the waist under it, as the shirt does
    band = (1 - smoothstep(((top - heights) / (top - hem))[:, None], 0.05, 0.35))[..., None]
    _, near = cKDTree(p).query(x)
    weights += band * (skin_weights[near] - weights)
    faces, uv = _grid(down, AROUND)
    return ClothLayer(
        name="skirt",
        positions=x.reshape(-1, 3),
        faces=faces,
        uv=uv,
        weights=weights.reshape(-1, 24),
        labels=np.full(len(faces), ATR_SKIRT, np.uint8),
        tile=2,
        carry=sparse.csr_array((down * AROUND, len(skin.positions))),
    )


def with_skirt(
    bodice: ClothLayer, skin: ClothLayer, marks: Marks, *, hem: float, down: int, flare: float, name: str
) -> ClothLayer:
    """A dress: a bodice that ends at the waist, and ``down`` rings of a skirt sewn to its lowest loop.

    Args:
        hem: height of the skirt's end. flare: see ``make_skirt``. name: of the layer.
    """
    loops = boundary_loops(bodice.faces)
    loop = min(loops, key=lambda v: bodice.positions[v, 1].mean())
    flat = bodice.positions[loop][:, [0, 2]] - _centre(marks)
    angle = np.unwrap(np.arctan2(flat[:, 0], flat[:, 1]))
    if angle[-1] < angle[0]:
        loop, flat, angle = loop[::-1], flat[::-1], angle[::-1]
    top, start = float(bodice.positions[loop, 1].mean()), bodice.positions[loop, 1]
    share = np.linspace(0, 1, down + 1)[1:, None]
    heights = (1 - share) * start + share * hem
    p, skin_weights = _without_arms(skin)
    wide = _radii(p, marks, angle, (1 - share[:, 0]) * top + share[:, 0] * hem, flare)
    joined = smoothstep(top - heights, 0.0, 0.12)
    radius = np.linalg.norm(flat, axis=1) * (1 - joined) + joined * wide
    x = np.empty((down, len(loop), 3))
    x[..., [0, 2]] = _around(angle, radius, marks)
    x[..., 1] = heights
    band = (1 - smoothstep(share, 0.0, 0.35))[..., None]
    weights = _weights(x, marks, top, hem)
    _, near = cKDTree(p).query(x)
    weights += band * (skin_weights[near] - weights)
    near_top = (1 - smoothstep(share, 0.0, 0.15))[..., None]
    weights += near_top * (bodice.weights[loop] - weights)
    rings = sparse.kron(sparse.csr_array(near_top[:, 0]), bodice.carry[loop], format="csr")
    faces, uv = _grid(down + 1, len(loop))
    count = len(bodice.positions)
    number = np.concatenate([loop, count + np.arange(down * len(loop))])
    faces = number[faces]
    if not _continues(bodice.faces, faces):
        faces, uv = faces[:, ::-1], uv[:, ::-1]
    lowest = uv[..., 1].min()
    uv[..., 1] = 0.01 + (uv[..., 1] - lowest) / (0.99 - lowest) * (0.97 - BODICE)
    return replace(
        bodice,
        name=name,
        positions=np.concatenate([bodice.positions, x.reshape(-1, 3)]),
        faces=np.concatenate([bodice.faces, faces]),
        uv=np.concatenate([bodice.uv * [1, BODICE] + [0, 1 - BODICE], uv]),
        weights=np.concatenate([bodice.weights, weights.reshape(-1, 24)]),
        carry=sparse.csr_array(sparse.vstack([bodice.carry, rings])),
        labels=np.full(len(bodice.faces) + len(faces), ATR_DRESS, np.uint8),
    )


def _continues(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether faces (F, 3) and (G, 3) that share edges are turned alike: an edge is used once each way."""
    size = int(max(one.max(), other.max())) + 1
    half = [np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]) @ [size, 1] for f in (one, other)]
    return not np.isin(*half).any()


def _centre(marks: Marks) -> np.ndarray:
    """(2,) x and z of the axis of a skirt, metres."""
    return np.array([0.0, marks.joints[[1, 2], 2].mean()])


def _without_arms(skin: ClothLayer) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 3) and weights (N, 24) of the skin without collars and arms."""
    arms = skin.weights[:, [13, 14, 16, 17, 18, 19, 20, 21, 22, 23]].sum(1) > 0.3
    return skin.positions[~arms], skin.weights[~arms]


def _around(angle: np.ndarray, radius: np.ndarray, marks: Marks) -> np.ndarray:
    """(D, N, 2) x and z at angles (N,) and radii (D, N) about the axis of a skirt."""
    return radius[..., None] * np.stack([np.sin(angle), np.cos(angle)], 1) + _centre(marks)


def _radii(p: np.ndarray, marks: Marks, angle: np.ndarray, heights: np.ndarray, flare: float) -> np.ndarray:
    """(D, N) metres from the axis to a skirt over points (V, 3), at ``heights`` (D,) and angles (N,)."""
    flat, ray = p[:, [0, 2]] - _centre(marks), np.stack([np.sin(angle), np.cos(angle)], 1)
    radius = np.stack([(flat[np.abs(p[:, 1] - y) < 0.02] @ ray.T).max(0, initial=0.0) for y in heights])
    radius = np.maximum.accumulate(radius, 0)
    radius = ndimage.gaussian_filter(radius, (1.5, 2), mode=("nearest", "wrap"))
    down = ((heights[0] - heights) / (heights[0] - heights[-1]))[:, None]
    return radius + (0.020 + flare * down + 0.012 * smoothstep(down, 0.15, 1) * np.cos(9 * angle))


def _weights(x: np.ndarray, marks: Marks, top: float, hem: float) -> np.ndarray:
    """(D, N, 24) blend weights of a skirt (D, N, 3) from height ``top`` to ``hem``: pelvis, hips, knees."""
    weights = np.zeros((*x.shape[:2], 24))
    swing = 0.8 * smoothstep((top - x[..., 1]) / (top - hem), 0.1, 1.0)
    left = smoothstep(x[..., 0], -0.12, 0.12)
    below = 0.5 * smoothstep(marks.y(4) - x[..., 1], 0.0, 0.3)
    weights[..., 0] = 1 - swing
    for side, share in enumerate((left, 1 - left)):
        weights[..., 1 + side] = swing * share * (1 - below)
        weights[..., 4 + side] = swing * share * below
    return weights


def _grid(down: int, around: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces (F, 3) and corner uv (F, 3, 2) of a tube of ``down`` rings of ``around`` vertices."""
    i, j = np.meshgrid(np.arange(down - 1), np.arange(around), indexing="ij")
    i, j = i.ravel(), j.ravel()
    corner = np.stack([i, i + 1, i + 1, i, i + 1, i], 1), np.stack([j, j, j + 1, j, j + 1, j + 1], 1)
    faces = (corner[0] * around + corner[1] % around).reshape(-1, 3)
    uv = np.stack([0.01 + 0.98 * corner[1] / around, 0.99 - 0.6 * corner[0] / (down - 1)], -1)
    return faces, uv.reshape(-1, 3, 2)
