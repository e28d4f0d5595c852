"""The map of ``warp.warp_rays`` in torch, for devices that numba does not serve.

The vertex nearest to a sample comes from PyTorch3D where it imports, else from all distances in plain
torch; then the faces about it are tested with the exact point-triangle distance (Ericson, "Real-Time
Collision Detection", 2005, section 5.1.5), as in ``geometry.nearest``. Tested on the CPU only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hvr_nb.geometry.nearest import vertex_rings

DISTANCES = 1 << 26  # point-vertex distances in memory at once, 256 MiB
CHUNK = 1 << 16  # samples whose faces are tested at once

NearestVertex = Callable[[Tensor, Tensor], Tensor]  # points (N, 3), vertices (V, 3) -> (N,) int64


@dataclass(frozen=True)
class DeviceBank:
    """T posed bodies as tensors of one device; metres, float32, world axes."""

    vertices: Tensor  # (T, V, 3)
    normals: Tensor  # (T, V, 3) unit
    maps: Tensor  # (T, V, 9) directions at a vertex to big pose, row-major 3x3
    big_vertices: Tensor  # (V, 3)
    faces: Tensor  # (F, 3) int64
    rings: Tensor  # (V, most) int64 faces about each vertex, the first repeated to fill up
    nearest_vertex: NearestVertex


def device_bank(
    vertices: np.ndarray,
    normals: np.ndarray,
    maps: np.ndarray,
    big_vertices: np.ndarray,
    faces: np.ndarray,
    device,
    *,
    nearest_vertex: NearestVertex | None = None,
):
    """Copies of a ``warp.PoseBank``'s arrays and of the big pose on a device, as a ``DeviceBank``.

    Args:
        vertices, normals: (T, V, 3). maps: (T, V, 9). big_vertices: (V, 3). faces: (F, 3).
        nearest_vertex: (N, 3) points and (V, 3) vertices to (N,) vertex numbers; None picks.
    """
    floats = (
        torch.as_tensor(a, dtype=torch.float32, device=device)
        for a in (vertices, normals, maps, big_vertices)
    )
    rings = padded_rings(faces, len(big_vertices))
    whole = (torch.as_tensor(a, dtype=torch.int64, device=device) for a in (faces, rings))
    return DeviceBank(*floats, *whole, nearest_vertex or pick_nearest_vertex())


def padded_rings(faces: np.ndarray, count: int) -> np.ndarray:
    """Faces (V, most) about each of ``count`` vertices of faces (F, 3), the first repeated to fill up."""
    start, ring = vertex_rings(faces, count)
    sizes = np.diff(start)[:, None]
    column = np.arange(sizes.max())[None]
    return ring[np.minimum(start[:-1, None] + np.where(column < sizes, column, 0), len(ring) - 1)]


def pick_nearest_vertex() -> NearestVertex:
    """PyTorch3D's search where it imports, else plain torch."""
    try:
        import pytorch3d.ops  # noqa: F401
    except (ImportError, OSError):
        return nearest_vertex_torch
    return nearest_vertex_pytorch3d


def nearest_vertex_pytorch3d(points: Tensor, vertices: Tensor) -> Tensor:
    """Number (N,) of the vertex (V, 3) nearest to each point (N, 3)."""
    from pytorch3d.ops import knn_points

    return knn_points(points[None], vertices[None], K=1).idx[0, :, 0]


def nearest_vertex_torch(points: Tensor, vertices: Tensor) -> Tensor:
    """Number (N,) of the vertex (V, 3) nearest to each point (N, 3), from all their distances."""
    exact = "donot_use_mm_for_euclid_dist"  # |p|^2 - 2 p.v + |v|^2 is off by millimetres at some metres
    parts = points.split(max(DISTANCES // len(vertices), 1))
    return torch.cat([torch.cdist(p, vertices, compute_mode=exact).argmin(1) for p in parts])


@torch.no_grad()
def warp_rays_torch(
    points: Tensor, frame: np.ndarray, bank: DeviceBank
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Carry samples of rays to the big pose.

    Args:
        points: (R, S, 3) world metres, on the bank's device. frame: (R,) index of each ray's frame.

    Returns:
        big-pose points (R, S, 3), signed distance to the body (R, S) metres, nearest face
        (R, S) int32 and barycentric coordinates in it (R, S, 3).
    """
    vertex = torch.empty(points.shape[:2], dtype=torch.int64, device=points.device)
    for t in np.unique(frame).tolist():
        rays = torch.as_tensor(np.flatnonzero(frame == t), device=points.device)
        found = bank.nearest_vertex(points[rays].reshape(-1, 3), bank.vertices[t])
        vertex[rays] = found.view(len(rays), -1)
    each = torch.as_tensor(np.repeat(frame, points.shape[1]), device=points.device)
    parts = zip(*(a.split(CHUNK) for a in (points.reshape(-1, 3), each, vertex.view(-1))), strict=True)
    carried = [_carry(*part, bank) for part in parts]
    big, distance, face, bary = (torch.cat(pieces) for pieces in zip(*carried, strict=True))
    shape = points.shape[:2]
    return big.view(*shape, 3), distance.view(shape), face.to(torch.int32).view(shape), bary.view(*shape, 3)


def _carry(p: Tensor, frame: Tensor, vertex: Tensor, bank: DeviceBank):
    """``warp_rays`` for samples p (N, 3) of frames (N,), whose nearest vertices (N,) are known."""
    face, bary = _nearest_face(p, frame, vertex, bank)
    corners, frame = bank.faces[face], frame[:, None]

    def at(values):
        return (bary[..., None] * values).sum(1)

    offset = p - at(bank.vertices[frame, corners])
    outside = (offset * at(bank.normals[frame, corners])).sum(-1) >= 0
    maps = at(bank.maps[frame, corners]).view(-1, 3, 3)
    big = at(bank.big_vertices[corners]) + (maps * offset[:, None]).sum(-1)
    length = offset.norm(dim=-1)
    return big, torch.where(outside, length, -length), face, bary


def _nearest_face(p: Tensor, frame: Tensor, vertex: Tensor, bank: DeviceBank) -> tuple[Tensor, Tensor]:
    """The face (N,) about each vertex (N,) nearest to p (N, 3), and barycentric coordinates (N, 3)."""
    ring = bank.rings[vertex]
    triangles = bank.vertices[frame[:, None, None], bank.faces[ring]]
    bary = closest_on_triangle(p[:, None], *triangles.unbind(2))
    distance = ((bary[..., None] * triangles).sum(2) - p[:, None]).square().sum(-1)
    best = distance.argmin(1, keepdim=True)
    return ring.gather(1, best)[:, 0], bary.gather(1, best[..., None].expand(-1, -1, 3))[:, 0]


def closest_on_triangle(p: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Barycentric coordinates (..., 3) of the point of triangle abc nearest to p, all (..., 3)."""

    def dot(x, y):
        return (x * y).sum(-1)

    ab, ac = b - a, c - a
    d1, d2, d3, d4, d5, d6 = (dot(edge, p - corner) for corner in (a, b, c) for edge in (ab, ac))
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    one, zero, total = torch.ones_like(d1), torch.zeros_like(d1), va + vb + vc
    on_ab, on_ac, on_bc = d1 / (d1 - d3), d2 / (d2 - d6), (d4 - d3) / ((d4 - d3) + (d5 - d6))
    regions = (  # the first that holds is the point's
        ((d1 <= 0) & (d2 <= 0), (one, zero, zero)),
        ((d3 >= 0) & (d4 <= d3), (zero, one, zero)),
        ((vc <= 0) & (d1 >= 0) & (d3 <= 0), (1 - on_ab, on_ab, zero)),
        ((d6 >= 0) & (d5 <= d6), (zero, zero, one)),
        ((vb <= 0) & (d2 >= 0) & (d6 <= 0), (1 - on_ac, zero, on_ac)),
        ((va <= 0) & (d4 >= d3) & (d5 >= d6), (zero, 1 - on_bc, on_bc)),
        (total <= 0, (one, zero, zero)),  # a triangle without area
    )
    bary = torch.stack([1 - (vb + vc) / total, vb / total, vc / total], -1)
    for holds, value in reversed(regions):
        bary = torch.where(holds[..., None], torch.stack(value, -1), bary)
    return bary
