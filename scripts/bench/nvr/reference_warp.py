"""Instant-NVR's warp of world samples to the big pose (docs/field.md, 11.3).

Two things are cheaper here than described, in favour of the reference. The four nearest vertices of a part
come from this project's compiled cell search and a table of neighbours, not from all distances. And only
pairs near a part are skinned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree
from torch import Tensor

from hvr_nb.body import skinning
from hvr_nb.geometry.nearest import NEAR_RINGS, VertexGrid, nearest_vertex_kernel, vertex_grid
from hvr_nb.types import Canonical

REACH = 0.05  # metres from the body beyond which samples are dropped, ``smpl_thresh``
SPACING = 0.025  # metres between the nodes of a frame's distance grid
SPREAD = 0.075  # metres, sigma of the weights of the nearest vertices
NEIGHBOURS = 4  # nearest vertices used
CANDIDATES = 12  # neighbours of the nearest vertex among which they are searched


@dataclass(frozen=True)
class Part:
    """Vertices of one part and their neighbours."""

    index: np.ndarray  # (V_p,) vertices of the body
    near: np.ndarray  # (V_p, CANDIDATES) the nearest of them to each, itself first
    weights: np.ndarray  # (V_p, 24) skin weights


@dataclass(frozen=True)
class Posed:
    """One frame's body."""

    number: int  # index of its latents
    time: float  # 0..1
    transforms: Tensor  # (24, 3, 4) rest to world
    bounds: np.ndarray  # (2, 3) box that rays are sampled in, metres
    distance: np.ndarray  # (X, Y, Z) float32, metres to the nearest vertex
    parts: tuple[np.ndarray, ...]  # (V_p, 3) float32 vertices, metres
    grids: tuple[VertexGrid, ...]


@dataclass(frozen=True)
class Pairs:
    """Samples near one part."""

    index: np.ndarray  # (N,) which samples
    big: Tensor  # (N, 3) big-pose points, metres
    direction: Tensor  # (N, 3) view directions, rotated like the points


def split_parts(canonical: Canonical) -> tuple[Part, ...]:
    """The parts of a body."""
    out = []
    for p in range(len(canonical.part_names)):
        index = np.flatnonzero(canonical.parts == p)
        rest = canonical.rest_vertices[index]
        near = cKDTree(rest).query(rest, CANDIDATES)[1]
        out.append(Part(index, near, canonical.weights[index].astype(np.float32)))
    return tuple(out)


def pose_frame(scene, parts, number: int) -> Posed:
    """Prepare a frame of a scene's bank.

    The global motion is not removed first: blended transforms that contain it give the same big-pose
    points.
    """
    vertices, transforms = scene.bank.vertices[number], scene.bank.transforms[number].copy()
    transforms[:, :, 3] += scene.body.transl[scene.which[number]]
    bounds = np.stack([vertices.min(0) - REACH, vertices.max(0) + REACH])
    axes = [np.arange(a, b + SPACING, SPACING) for a, b in bounds.T]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    distance = cKDTree(vertices).query(nodes.reshape(-1, 3), workers=-1)[0].reshape(nodes.shape[:3])
    own = tuple(np.ascontiguousarray(vertices[part.index], np.float32) for part in parts)
    time = number / len(scene.bank)  # ``frame_dim`` (11.7)
    return Posed(
        number,
        time,
        torch.as_tensor(transforms),
        bounds,
        distance.astype(np.float32),
        own,
        tuple(vertex_grid(v) for v in own),
    )


def keep_near(points: np.ndarray, posed: Posed) -> np.ndarray:
    """(N,) indices of the samples (M, 3) within reach of the body."""
    where = ((points - posed.bounds[0]) / SPACING).T
    return np.flatnonzero(map_coordinates(posed.distance, where, order=1, mode="nearest") < REACH)


def to_big_pose(points: np.ndarray, direction: np.ndarray, posed: Posed, parts, big: Tensor) -> list[Pairs]:
    """Inverse skinning of samples (N, 3) and the directions of their rays (N, 3), part by part.

    Args:
        big: (24, 3, 4) rest to big pose.
    """
    out = []
    for part, vertices, grid in zip(parts, posed.parts, posed.grids, strict=True):
        nearest = np.empty(len(points), np.int64)
        _nearest(points, vertices, grid.origin, grid.dims, grid.start, grid.items, nearest)
        index = np.flatnonzero(nearest >= 0)
        weights, distance = _blend(points[index], vertices, part, nearest[index])
        index, weights = index[distance < REACH], torch.as_tensor(weights[distance < REACH])
        from_world = skinning.invert_transforms(skinning.blend_transforms(posed.transforms, weights))
        to_big = skinning.blend_transforms(big, weights)
        x = skinning.transform_points(
            to_big, skinning.transform_points(from_world, torch.as_tensor(points[index]))
        )
        turn = to_big[..., :3] @ from_world[..., :3]
        turned = (turn @ torch.as_tensor(direction[index])[..., None])[..., 0]
        out.append(Pairs(index, x, turned))
    return out


def _blend(points: np.ndarray, vertices: np.ndarray, part: Part, nearest: np.ndarray):
    """Skin weights (N, 24) of the four nearest vertices, and their weighted distance (N,), metres."""
    candidates = part.near[nearest]
    far = ((vertices[candidates] - points[:, None]) ** 2).sum(-1)
    pick = np.argpartition(far, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    d2 = np.take_along_axis(far, pick, 1)
    weight = np.exp(-d2 / (2 * SPREAD**2))
    weight /= weight.sum(1, keepdims=True)
    skin = (weight[..., None] * part.weights[np.take_along_axis(candidates, pick, 1)]).sum(1)
    return skin, (weight * np.sqrt(d2)).sum(1)


@numba.njit(cache=True, parallel=True)
def _nearest(points, vertices, origin, dims, start, items, out):
    for n in numba.prange(points.shape[0]):
        out[n] = nearest_vertex_kernel(points[n], -1, NEAR_RINGS, vertices, origin, dims, start, items)
