"""Big-pose points hung on the body, and where a pose carries them.

Near the skin a point keeps to the nearest place of it: a point of a face and an offset that the
blended joint transforms turn, so pose correctives are followed too. Off the skin it follows the
smooth weights of ``hvr_nb.loose``, so that a skirt spans the legs without tearing (specs/surface.md C2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import sparse

from hvr_nb import loose
from hvr_nb.body_model import BodyModel
from hvr_nb.canonical import Canonical
from hvr_nb.mesh import unique_edges
from hvr_nb.nearest import nearest_surface, on_surface

WHOLLY = 0.2  # evened-out looseness from which cloth follows the smooth weights alone
EVEN = 0.03  # metres along a mesh over which the weights of loose cloth are evened out


@dataclass(frozen=True)
class Skin:
    """The bare body in T poses; world metres, float32."""

    vertices: np.ndarray  # (T, V, 3)
    joints: np.ndarray  # (T, 24, 3)
    world: np.ndarray  # (T, 24, 3, 4) rest pose to world


@dataclass(frozen=True)
class Binding:
    """N big-pose points bound to the skin, L of them (the loose ones) to the space about it as well."""

    face: np.ndarray  # (N,) face of the skin that carries a point
    bary: np.ndarray  # (N, 3) where in it
    weights: np.ndarray  # (N, 24) float32 skin weights there
    offset: np.ndarray  # (N, 3) float32 metres from there, in the rest pose's axes
    distance: np.ndarray  # (N,) signed metres off the skin
    which: np.ndarray  # (L,) points that are loose
    share: np.ndarray  # (L, 1) how much, 0..1
    smooth: np.ndarray  # (L, 24) float32 smooth weights at them
    rest: np.ndarray  # (L, 3) float32 where they are in the rest pose, metres


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


def bind(points: np.ndarray, canonical: Canonical) -> Binding:
    """Hang big-pose points (N, 3), metres, on the skin."""
    face, bary, distance = nearest_surface(points, canonical.vertices, canonical.faces)
    weights = on_surface(canonical.weights, canonical.faces, face, bary).astype(np.float32)
    foot = on_surface(canonical.vertices, canonical.faces, face, bary)
    turn = loose.blend(weights, canonical.A_big)[:, :, :3]
    offset = np.linalg.solve(turn, (points - foot)[..., None])[..., 0]
    share = loose.looseness(distance)
    which = np.flatnonzero(share)
    smooth = loose.weights_at(points[which], canonical).astype(np.float32)
    rest = loose.undo(loose.blend(smooth, canonical.A_big), points[which])
    return Binding(face, bary, weights, offset.astype(np.float32), distance, which,
                   share[which, None].astype(np.float32), smooth, rest.astype(np.float32))  # fmt: skip


def bind_mesh(vertices: np.ndarray, faces: np.ndarray, canonical: Canonical) -> Binding:
    """Hang a big-pose mesh (V, 3), (F, 3) on the skin; loose cloth's weights are smooth along the mesh.

    The nearest skin changes suddenly under a skirt; along the cloth itself weights must not.
    """
    bound = bind(vertices, canonical)
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


def carried(binding: Binding, faces: np.ndarray, skin: np.ndarray, world: np.ndarray) -> np.ndarray:
    """The bound points in one pose: (N, 3) float32 world metres.

    Args:
        faces: (F, 3) of the skin. skin: (V, 3) posed skin. world: (24, 3, 4) rest pose to world.
    """
    world = world.astype(np.float32)
    turn = loose.blend(binding.weights, world)[:, :, :3]
    out = on_surface(skin, faces, binding.face, binding.bary)
    out = out + np.einsum("nij,nj->ni", turn, binding.offset)
    if len(binding.which):
        smooth = loose.apply(loose.blend(binding.smooth, world), binding.rest)
        out[binding.which] += binding.share * (smooth - out[binding.which])
    return out


def skin_weights(binding: Binding) -> np.ndarray:
    """(N, 24) float32 weights of the bound points, summing to one: the skin's, off it the smooth ones."""
    out = binding.weights.copy()
    out[binding.which] += binding.share * (binding.smooth - out[binding.which])
    out = np.clip(out, 0, None)
    return out / out.sum(1, keepdims=True)
