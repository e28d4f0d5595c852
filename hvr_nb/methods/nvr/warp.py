"""Samples of many posed frames carried to the big pose: the inner loop of training.

The same map as ``canonical.big_pose.warp_to_canonical``, for the frames of a bank: cell grids, vertices,
normals and linear maps of all of them, searched ray by ray in numba (the vertex nearest to one sample is a
good first guess for the next). Where frames are trained or shown on CUDA, the bank keeps copies there and
the search runs in torch (``warp_torch``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hvr_nb.body.model import BodyModel
from hvr_nb.canonical.big_pose import vertex_maps, warp_to_canonical
from hvr_nb.geometry import nearest
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.nearest import on_surface, vertex_grid, vertex_rings
from hvr_nb.methods.nvr import warp_torch
from hvr_nb.methods.nvr.dress import Dress
from hvr_nb.types import Canonical

try:
    import numba
except ImportError:  # frame by frame through canonical.warp_to_canonical
    numba = None

ANY_RING = 1 << 30  # samples are searched however far they are
TORCH_DEVICES = ("cuda",)  # kinds of devices that search for themselves; numba serves the others


@dataclass(frozen=True)
class PoseBank:
    """T posed bodies ready for queries; metres, float32, world axes."""

    vertices: np.ndarray  # (T, V, 3)
    normals: np.ndarray  # (T, V, 3) unit
    maps: np.ndarray  # (T, V, 9) directions at a vertex to big pose, row-major 3x3
    transforms: np.ndarray  # (T, 24, 3, 4) rest-relative joint transforms
    joints: np.ndarray  # (T, 24, 3)
    origin: np.ndarray  # (T, 3) of the cell grids
    dims: np.ndarray  # (T, 3)
    start: np.ndarray  # (T, most cells + 1)
    items: np.ndarray  # (T, V)
    on_device: warp_torch.DeviceBank | None = None  # copies for a device that searches for itself

    def __len__(self) -> int:
        return len(self.vertices)


def pose_bank(
    model: BodyModel, canonical: Canonical, betas, poses, transl, *, device="cpu", dress: Dress | None = None
) -> PoseBank:
    """Pose T frames: betas (10,), poses (T, 72) radians, transl (T, 3) metres.

    Args:
        device: where ``warp_rays`` is to search for samples of these frames.
        dress: body and loose clothes in place of the bare skin; ``canonical`` then is theirs.
    """
    parts = []
    with torch.no_grad():
        as32 = [torch.as_tensor(np.asarray(a), dtype=torch.float32) for a in (betas, poses, transl)]
        for k in range(len(as32[1])):
            v, j, a = model.pose(as32[0], as32[1][k : k + 1], as32[2][k : k + 1])
            v, a = v[0].numpy(), a[0].numpy()
            if dress is not None:
                v = dress.posed(v, a, as32[2][k].numpy())
            maps = vertex_maps(canonical, a).reshape(-1, 9).astype(np.float32)
            normals = vertex_normals(v, canonical.faces).astype(np.float32)
            parts.append((v, normals, maps, a, j[0].numpy(), vertex_grid(v)))
    most = max(len(p[5].start) for p in parts)
    start = [np.pad(p[5].start, (0, most - len(p[5].start)), mode="edge") for p in parts]
    stacked = [np.stack([p[i] for p in parts]) for i in range(5)]
    copies = None
    if torch.device(device).type in TORCH_DEVICES:
        copies = warp_torch.device_bank(*stacked[:3], canonical.vertices, canonical.faces, device)
    return PoseBank(
        *stacked,
        origin=np.stack([p[5].origin for p in parts]),
        dims=np.stack([p[5].dims for p in parts]),
        start=np.stack(start),
        items=np.stack([p[5].items for p in parts]),
        on_device=copies,
    )


def warp_rays(points: np.ndarray, frame: np.ndarray, bank: PoseBank, canonical: Canonical):
    """Carry samples of rays to the big pose.

    Args:
        points: (R, S, 3) world metres, the samples of a ray in order.
        frame: (R,) index of each ray's frame in the bank.

    Returns:
        big-pose points (R, S, 3), signed distance to the body (R, S) metres, nearest face
        (R, S) int32 and barycentric coordinates in it (R, S, 3).
    """
    points = np.ascontiguousarray(points, np.float32)
    if bank.on_device is not None:
        here = torch.as_tensor(points, device=bank.on_device.vertices.device)
        return tuple(a.cpu().numpy() for a in warp_torch.warp_rays_torch(here, frame, bank.on_device))
    shape = points.shape[:2]
    out = np.empty((*shape, 3), np.float32), np.empty(shape, np.float32)
    face, bary = np.empty(shape, np.int32), np.empty((*shape, 3), np.float32)
    if numba is None:
        _warp_slowly(points, frame, bank, canonical, *out, face, bary)
    else:
        rings = vertex_rings(canonical.faces, canonical.vertices.shape[0])
        _warp(
            points,
            np.asarray(frame, np.int64),
            bank.vertices,
            bank.normals,
            bank.maps,
            bank.origin,
            bank.dims,
            bank.start,
            bank.items,
            canonical.vertices,
            canonical.faces,
            *rings,
            *out,
            face,
            bary,
        )
    return *out, face, bary


def _warp_slowly(points, frame, bank, canonical, big, distance, face, bary):
    """``warp_rays`` without numba, frame by frame."""
    for t in np.unique(frame):
        mine = frame == t
        flat = points[mine].reshape(-1, 3)
        x, d = warp_to_canonical(flat, canonical, bank.vertices[t], bank.transforms[t])
        f, b, _ = nearest.nearest_surface(flat, bank.vertices[t], canonical.faces)
        for target, value in ((big, x), (distance, d), (face, f), (bary, b)):
            target[mine] = value.reshape(target[mine].shape)


def at_samples(values: np.ndarray, frame: np.ndarray, face, bary, faces: np.ndarray) -> np.ndarray:
    """Per-frame vertex values (T, V, C) at surface points: frame, face (N,), bary (N, 3) -> (N, C)."""
    if numba is None:
        corners = faces[face]
        return sum(bary[:, k, None] * values[frame, corners[:, k]] for k in range(3)).astype(np.float32)
    out = np.empty((len(face), values.shape[2]), np.float32)
    _gather(values, np.asarray(frame, np.int64), face, bary, faces, out)
    return out


def skin_weights_at(canonical: Canonical, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """(N, 24) skin weights at surface points."""
    return on_surface(canonical.weights, canonical.faces, face, bary)


def _warp_loop(
    points,
    frame,
    vertices,
    normals,
    maps,
    origin,
    dims,
    start,
    items,
    big_vertices,
    faces,
    ring_start,
    ring_faces,
    big,
    distance,
    face,
    bary,
):
    for r in numba.prange(points.shape[0]):
        t, guess = frame[r], -1
        v = vertices[t]
        for s in range(points.shape[1]):
            p = points[r, s]
            guess = nearest_vertex(p, guess, ANY_RING, v, origin[t], dims[t], start[t], items[t])
            f, a, b, c, d2 = nearest_face(p, guess, v, faces, ring_start, ring_faces)
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            ox = p[0] - (a * v[i, 0] + b * v[j, 0] + c * v[k, 0])
            oy = p[1] - (a * v[i, 1] + b * v[j, 1] + c * v[k, 1])
            oz = p[2] - (a * v[i, 2] + b * v[j, 2] + c * v[k, 2])
            n = normals[t]
            side = (
                ox * (a * n[i, 0] + b * n[j, 0] + c * n[k, 0])
                + oy * (a * n[i, 1] + b * n[j, 1] + c * n[k, 1])
                + oz * (a * n[i, 2] + b * n[j, 2] + c * n[k, 2])
            )
            m = maps[t]
            for q in range(3):
                mx = a * m[i, 3 * q] + b * m[j, 3 * q] + c * m[k, 3 * q]
                my = a * m[i, 3 * q + 1] + b * m[j, 3 * q + 1] + c * m[k, 3 * q + 1]
                mz = a * m[i, 3 * q + 2] + b * m[j, 3 * q + 2] + c * m[k, 3 * q + 2]
                foot = a * big_vertices[i, q] + b * big_vertices[j, q] + c * big_vertices[k, q]
                big[r, s, q] = foot + mx * ox + my * oy + mz * oz
            distance[r, s] = -np.sqrt(d2) if side < 0 else np.sqrt(d2)
            face[r, s] = f
            bary[r, s, 0], bary[r, s, 1], bary[r, s, 2] = a, b, c


def _gather_loop(values, frame, face, bary, faces, out):
    for n in numba.prange(face.shape[0]):
        t, i, j, k = frame[n], faces[face[n], 0], faces[face[n], 1], faces[face[n], 2]
        a, b, c = bary[n, 0], bary[n, 1], bary[n, 2]
        for q in range(values.shape[2]):
            out[n, q] = a * values[t, i, q] + b * values[t, j, q] + c * values[t, k, q]


if numba:
    nearest_vertex, nearest_face = nearest.nearest_vertex_kernel, nearest.nearest_face_kernel
    _warp = numba.njit(cache=True, parallel=True, nogil=True)(_warp_loop)
    _gather = numba.njit(cache=True, parallel=True, nogil=True)(_gather_loop)
