"""The avatar's surface in the big pose: marching cubes with a colour per vertex."""

from __future__ import annotations

import numpy as np
import torch

from hvr_nb.canonical.big_pose import sample_field
from hvr_nb.geometry.isosurface import floaters, level_surface
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.methods.nvr.network import AvatarField
from hvr_nb.types import Canonical, Mesh

BATCH = 131072  # points evaluated at once


def canonical_mesh(field: AvatarField, canonical: Canonical, *, margin: float, resolution: int) -> Mesh:
    """The surface, at height zero, by marching cubes (Lorensen and Cline, 1987), with mean colours.

    Args:
        margin: how far from the skin the surface may be, metres.
        resolution: cells along the longest side of the big-pose box.
    """
    low, high = canonical.bounds
    cell = float((high - low).max() / resolution)
    axes = [np.arange(a, b, cell) for a, b in zip(low, high, strict=True)]
    shape = tuple(len(a) for a in axes)
    coarse = _coarse_distance(canonical, axes)
    depth = np.where(coarse < 0, margin, -margin).astype(np.float32)  # metres below the surface
    near = np.flatnonzero(np.abs(coarse).ravel() < margin + canonical.spacing)
    nodes = low + cell * np.stack(np.unravel_index(near, shape), -1)
    depth.ravel()[near] = _depth(field, canonical, nodes)
    depth[floaters(depth > 0, corners=True)] = -1e-3
    vertices, faces = level_surface(-depth, low, cell)
    vertices = vertices.astype(np.float32)
    return Mesh(vertices, faces, colors=_colours(field, canonical, vertices))


def _coarse_distance(canonical: Canonical, axes) -> np.ndarray:
    """Signed distance on the grid of ``axes`` interpolated from the canonical field, slice by slice."""
    out = np.empty(tuple(len(a) for a in axes), np.float32)
    for i, x in enumerate(axes[0]):
        nodes = np.stack(np.meshgrid([x], axes[1], axes[2], indexing="ij"), -1).reshape(-1, 3)
        out[i] = sample_field(canonical, canonical.field_distance, nodes).reshape(out.shape[1:])
    return out


@torch.no_grad()
def _depth(field: AvatarField, canonical: Canonical, points: np.ndarray) -> np.ndarray:
    """(N,) metres below the avatar's surface at big-pose points (N, 3)."""
    _, _, distance = nearest_surface(points, canonical.vertices, canonical.faces)
    out = np.empty(len(points), np.float32)
    for start in range(0, len(points), BATCH):
        part = slice(start, start + BATCH)
        x = torch.as_tensor(points[part], dtype=torch.float32, device=field.low.device)
        d = torch.as_tensor(distance[part], device=field.low.device)
        out[part] = -field.height_over(field.features(x), d).cpu().numpy()
    return out


@torch.no_grad()
def _colours(field: AvatarField, canonical: Canonical, vertices: np.ndarray) -> np.ndarray:
    """(N, 3) uint8 mean colour at big-pose points under the clip's light."""
    face, bary, distance = nearest_surface(vertices, canonical.vertices, canonical.faces)
    normals = vertex_normals(canonical.vertices, canonical.faces)
    normal = on_surface(normals, canonical.faces, face, bary).astype(np.float32)
    out = np.empty((len(vertices), 3), np.uint8)
    for start in range(0, len(vertices), BATCH):
        part = slice(start, start + BATCH)
        x, d, n = (
            torch.as_tensor(a[part], dtype=torch.float32, device=field.low.device)
            for a in (vertices, distance, normal)
        )
        code = torch.zeros(1, field.codes.shape[1], device=x.device)
        _, rgb = field(x, d, n, code)
        out[part] = (rgb.clamp(0, 1) * 255 + 0.5).byte().cpu().numpy()
    return out
