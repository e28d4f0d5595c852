"""The body in all its poses, and a mesh hung on it whose loose cloth is bound evenly along itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import sparse

from hvr_nb import loose
from hvr_nb.binding import Binding, bind, skin_weights
from hvr_nb.body_model import BodyModel
from hvr_nb.canonical import Canonical
from hvr_nb.mesh import unique_edges

WHOLLY = 0.2  # evened-out looseness from which cloth follows the smooth weights alone
EVEN = 0.03  # metres along a mesh over which the weights of loose cloth are evened out


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
    """Hang a big-pose mesh (V, 3), (F, 3) on the skin; loose cloth's weights are smooth along the mesh.

    The nearest skin changes suddenly under a skirt; along the cloth itself weights must not.
    """
    bound = bind(vertices, canonical, cloth=True)
    if not len(bound.which):
        return bound
    edge = float(np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1).mean())
    mean, steps = neighbour_mean(faces, len(vertices)), int(np.ceil((EVEN / edge) ** 2))
    share = np.zeros((len(vertices), 1), np.float32)
    share[bound.which] = bound.share
    weights = skin_weights(bound)
    both = np.concatenate([share, weights], 1).astype(np.float32)
    for _ in range(steps):
        both = 0.5 * both + 0.5 * (mean @ both)
    # Beside loose cloth the nearest skin jumps already: the smooth weights take over early, and wholly.
    share = np.clip(both[:, :1] / WHOLLY, 0, 1)
    which = np.flatnonzero(share > 0.01)
    smooth = both[which, 1:] / both[which, 1:].sum(1, keepdims=True)
    rest = loose.undo(loose.blend(smooth, canonical.A_big), vertices[which])
    return replace(bound, which=which, share=share[which], smooth=smooth, rest=rest.astype(np.float32))


def neighbour_mean(faces: np.ndarray, count: int) -> sparse.csr_array:
    """(V, V) float32 mean of the neighbours of every vertex of a mesh (F, 3) with ``count`` vertices."""
    edges = unique_edges(faces)
    pairs = np.concatenate([edges, edges[:, ::-1]])
    near = sparse.csr_array((np.ones(len(pairs), np.float32), pairs.T), shape=(count, count))
    share = 1 / np.maximum(near.sum(1), 1).astype(np.float32)
    return sparse.csr_array(sparse.diags_array(share) @ near)
