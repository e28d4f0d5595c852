"""The body in all its poses, and a mesh hung on it whose loose cloth is bound evenly in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from scipy.ndimage import gaussian_filter, map_coordinates

from hvr_nb import loose
from hvr_nb.binding import Binding, bind, loosened
from hvr_nb.body_model import BodyModel
from hvr_nb.canonical import Canonical
from hvr_nb.mesh import unique_edges

AROUND = 0.06  # metres over which looseness is evened out
MIXED = (0.02, 0.22)  # evened-out looseness between which the smooth weights take over


@dataclass(frozen=True)
class Skin:
    """The bare body in T poses; world metres, float32."""

    vertices: np.ndarray  # (T, V, 3)
    joints: np.ndarray  # (T, 24, 3)
    world: np.ndarray  # (T, 24, 3, 4) rest pose to world


def pose_skin(model: BodyModel, betas, poses, transl) -> Skin:
    """Pose the body: betas (10,), poses (T, 72) radians, transl (T, 3) metres."""
    parts = []
    with torch.no_grad():
        b, p, t = (torch.as_tensor(np.asarray(a), dtype=torch.float32) for a in (betas, poses, transl))
        for k in range(len(p)):
            vertices, joints, world = (x[0].numpy() for x in model.pose(b, p[k : k + 1], t[k : k + 1]))
            world = world.copy()
            world[..., 3] += t[k].numpy()
            parts.append((vertices, joints, world))
    return Skin(*(np.stack(x) for x in zip(*parts, strict=True)))


def bind_mesh(vertices: np.ndarray, faces: np.ndarray, canonical: Canonical) -> Binding:
    """Hang a big-pose mesh (V, 3), (F, 3) on the skin; loose cloth and all about it follow smooth weights.

    The nearest skin changes suddenly under a skirt, so no part of it may follow that: how loose a vertex is
    is evened out in space, and a fifth of looseness about it is enough.
    """
    bound = bind(vertices, canonical, cloth=False)
    raw = loose.looseness(bound.distance)
    if not raw.any():
        return bound
    share = evened(vertices, raw, reach=AROUND)
    share = loose.smoothstep(share, *MIXED)
    which = np.flatnonzero(share)
    return loosened(bound, vertices, canonical, which, share[which, None])


def evened(points: np.ndarray, values: np.ndarray, *, reach: float, cell: float = 0.02) -> np.ndarray:
    """(N,) mean of values (N,) over the points (N, 3) near each: a Gaussian of standard deviation ``reach``.

    All in metres; on a grid of ``cell``, so that the roughness of a mesh does not matter.
    """
    low = points.min(0) - 2 * cell
    shape = np.ceil((points.max(0) + 3 * cell - low) / cell).astype(int)
    number = np.ravel_multi_index(np.floor((points - low) / cell).astype(int).T, shape)
    total, count = (gaussian_filter(np.bincount(number, w, shape.prod()).reshape(shape), reach / cell,
                                    mode="constant") for w in (values, np.ones(len(values))))  # fmt: skip
    mean = total / np.maximum(count, 1e-9)
    return map_coordinates(mean, (points - low).T / cell - 0.5, order=1, mode="nearest")


def neighbour_mean(faces: np.ndarray, count: int) -> sparse.csr_array:
    """(V, V) float32 mean of the neighbours of every vertex of a mesh (F, 3) with ``count`` vertices."""
    edges = unique_edges(faces)
    pairs = np.concatenate([edges, edges[:, ::-1]])
    near = sparse.csr_array((np.ones(len(pairs), np.float32), pairs.T), shape=(count, count))
    share = 1 / np.maximum(near.sum(1), 1).astype(np.float32)
    return sparse.csr_array(sparse.diags_array(share) @ near)
