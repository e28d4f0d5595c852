"""The semantic volume: which part of the body is where (docs/pamir.md, 3).

PaMIR (Zheng et al., TPAMI 2021) fills tetrahedra of a licensed file with a CUDA kernel. Here the inside of
the posed body's closed surface is found by rays, and the codes are smoothed as there, over all vertices.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.geometry.winding import filled_grid

SIGMA = 0.05  # units of the cube; the weight of a vertex is exp(-d^2 / SIGMA^2)
METRES = 2.0  # metres of a unit, about, for the cells of the search of the nearest point
_CHUNK = 1024  # voxels at a time


def vertex_codes(template: np.ndarray) -> np.ndarray:
    """Codes (V, 3) in 0..1 of the vertices of a rest body (V, 3): its box, scaled to the unit cube."""
    template = np.asarray(template, np.float64)
    low, high = template.min(0), template.max(0)
    return ((template - low) / (high - low)).astype(np.float32)


def voxel_centres(side: int) -> np.ndarray:
    """(side,) coordinates of the centres of the voxels along one axis of the unit cube."""
    return (np.arange(side) + 0.5 - side / 2) / side


def smooth_codes(
    points: np.ndarray, vertices: np.ndarray, codes: np.ndarray, *, sigma: float = SIGMA
) -> np.ndarray:
    """Codes (N, 3) at points (N, 3): the mean over all vertices (V, 3), weighted by exp(-d^2 / sigma^2)."""
    middle = vertices.mean(0)
    v = torch.as_tensor((vertices - middle) / sigma).float()
    p = torch.as_tensor((points - middle) / sigma).float()
    c = torch.as_tensor(codes).float()
    c = torch.cat([c, torch.ones(len(c), 1)], 1)
    out = []
    for part in p.split(_CHUNK):
        squared = torch.cdist(part, v, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        mean = torch.exp(squared.amin(1, keepdim=True) - squared) @ c  # far points keep their nearest code
        out.append(mean[:, :3] / mean[:, 3:])
    return torch.cat(out).numpy() if out else np.zeros((0, 3), np.float32)


def semantic_volume(
    vertices: np.ndarray, faces: np.ndarray, codes: np.ndarray, *, side: int = 128, sigma: float = SIGMA
) -> np.ndarray:
    """The semantic volume (3, side, side, side) float32 of one body: codes inside it, zeros outside.

    The last axis is x, the one before y, the first z.

    Args:
        vertices: (V, 3) posed body in the unit cube. faces: (F, 3), closed.
        codes: (V, 3) of ``vertex_codes``.
        side: voxels along an axis. sigma: width of the smoothing, units of the cube.
    """
    axis = voxel_centres(side)
    inside = filled_grid(vertices, faces, (axis, axis, axis))
    x, y, z = np.nonzero(inside)
    out = np.zeros((3, side, side, side), np.float32)
    at = np.stack([axis[x], axis[y], axis[z]], 1)
    out[:, z, y, x] = smooth_codes(at, vertices, codes, sigma=sigma).T
    return out


def tetra_volume(
    vertices: np.ndarray, tetrahedra: np.ndarray, surface: int, codes: np.ndarray, *, side: int = 128
) -> np.ndarray:
    """The same with tetrahedra of a user's file, as the original: inside is what is in any of them.

    Args:
        vertices: (V + W, 3) posed surface and interior vertices in the unit cube.
        tetrahedra: (T, 4) into them. surface: V. codes: (V, 3).
    """
    axis, inside = voxel_centres(side), np.zeros((side, side, side), bool)
    for corners in np.asarray(vertices, np.float64)[tetrahedra]:
        low = np.clip(np.floor((corners.min(0) + 0.5) * side - 0.5), 0, side - 1).astype(int)
        high = np.clip(np.ceil((corners.max(0) + 0.5) * side - 0.5), 0, side - 1).astype(int) + 1
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        edges = corners[1:] - corners[0]
        if abs(np.linalg.det(edges)) < 1e-15:
            continue
        grid = np.stack(np.meshgrid(*(axis[s] for s in box), indexing="ij"), -1)
        share = (grid - corners[0]) @ np.linalg.inv(edges)
        inside[box] |= (share >= 0).all(-1) & (share.sum(-1) <= 1)
    x, y, z = np.nonzero(inside)
    out = np.zeros((3, side, side, side), np.float32)
    at = np.stack([axis[x], axis[y], axis[z]], 1)
    out[:, z, y, x] = smooth_codes(at, vertices[:surface], codes).T
    return out


def place_on_body(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, codes: np.ndarray) -> Tensor:
    """Where points (N, 3) are on a body: (N, 7) signed distance, code and normal of the nearest skin.

    Args:
        points: in the unit cube. vertices: (V, 3) posed body there. faces: (F, 3). codes: (V, 3).

    Returns:
        distance in units of the cube, negative inside; code 0..1; unit normal.
    """
    face, bary, _ = nearest_surface(points * METRES, vertices * METRES, faces)
    return place_at(points, vertices, faces, codes, face, bary)


def place_at(
    points: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    codes: np.ndarray,
    face: np.ndarray,
    bary: np.ndarray,
) -> Tensor:
    """``place_on_body`` of points (N, 3) whose nearest skin is known: faces (N,), barycentric (N, 3)."""
    normals = vertex_normals(vertices, faces)
    parts = [np.asarray(a, np.float32) for a in (vertices, normals, codes)]
    foot, normal, code = (on_surface(a, faces, face, bary) for a in parts)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    offset = points.astype(np.float32) - foot
    side = np.where((offset * normal).sum(1) < 0, -1, 1)
    distance = side * np.linalg.norm(offset, axis=1)
    return torch.from_numpy(np.concatenate([distance[:, None], code, normal], 1).astype(np.float32))
