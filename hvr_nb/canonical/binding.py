"""Points of the big pose bound to the body, and their positions in a pose (docs/body.md, 10).

A point near the skin is bound to the nearest skin: to a point of a face, plus an offset that the blended
joint transforms rotate. So it follows pose correctives too. A point off the skin follows the smooth
weights of ``loose_weights``, so that a skirt spans the legs without tearing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from hvr_nb.body.model import BodyModel
from hvr_nb.canonical.loose_weights import blend_joints, carry_back, carry_points, looseness, weights_at
from hvr_nb.geometry.functions import smoothstep
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.types import Canonical

AROUND = 0.08  # metres over which looseness is averaged
LEAST = 0.2  # averaged looseness that loose cloth reaches somewhere; a crotch, collar or cuff stays below
HEAD = [12, 15]  # SMPL joints of neck and head
MIXED = (0.003, 0.2)  # averaged looseness between which the smooth weights take over, on a logarithmic scale


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


@dataclass(frozen=True)
class Binding:
    """N points of the big pose bound to the skin; L of them are loose and follow smooth weights as well."""

    face: np.ndarray  # (N,) nearest face of the skin
    bary: np.ndarray  # (N, 3) barycentric coordinates in it
    weights: np.ndarray  # (N, 24) float32 blend weights there
    offset: np.ndarray  # (N, 3) float32 offset from there, metres, in the axes of the rest pose
    distance: np.ndarray  # (N,) signed distance from the skin, metres
    which: np.ndarray  # (L,) indices of the loose points
    share: np.ndarray  # (L, 1) share 0..1 of the smooth weights
    smooth: np.ndarray  # (L, 24) float32 smooth weights
    rest: np.ndarray  # (L, 3) float32 position in the rest pose by the smooth weights, metres


def bind(points: np.ndarray, canonical: Canonical) -> Binding:
    """Bind big-pose points (N, 3), metres, to the nearest skin."""
    face, bary, distance = nearest_surface(points, canonical.vertices, canonical.faces)
    weights = on_surface(canonical.weights, canonical.faces, face, bary).astype(np.float32)
    foot = on_surface(canonical.vertices, canonical.faces, face, bary)
    turn = blend_joints(weights, canonical.A_big)[:, :, :3]
    offset = np.linalg.solve(turn, (points - foot)[..., None])[..., 0]
    none = np.zeros((0, 3), np.float32)
    return Binding(
        face,
        bary,
        weights,
        offset.astype(np.float32),
        distance,
        np.zeros(0, np.int64),
        none[:, :1],
        np.zeros((0, 24), np.float32),
        none,
    )


def loosened(
    binding: Binding, points: np.ndarray, canonical: Canonical, which: np.ndarray, share: np.ndarray
) -> Binding:
    """The same binding of big-pose points (N, 3) with loose points ``which`` (L,), by ``share`` (L, 1)."""
    smooth = weights_at(points[which], canonical).astype(np.float32)
    rest = carry_back(blend_joints(smooth, canonical.A_big), points[which])
    return replace(
        binding, which=which, share=share.astype(np.float32), smooth=smooth, rest=rest.astype(np.float32)
    )


def on_head(binding: Binding) -> np.ndarray:
    """(N,) share 0..1 of head and neck in the weights of the nearest skin.

    Hair, hats and what is above them go with the head: far from all skin, smooth weights hold much of the
    arms, which the big pose stretches out.
    """
    return binding.weights[:, HEAD].sum(1)


def bind_mesh(vertices: np.ndarray, faces: np.ndarray, canonical: Canonical) -> Binding:
    """Bind a big-pose mesh (V, 3), (F, 3) to the skin; loose cloth and what is near it follow smooth weights.

    Under a skirt the nearest skin jumps from leg to leg, also where the skirt is tight, so nothing there
    may follow it. Looseness is therefore averaged in space, and from 0.2 on the smooth weights count alone.
    They take over by the logarithm of the average: its tail is that of a Gaussian, and used directly the
    change would happen within 4 cm and fold the cloth.
    """
    bound = bind(vertices, canonical)
    loose = looseness(bound.distance) * (1 - on_head(bound))
    share = evened(vertices, loose, reach=AROUND)
    if share.max() < LEAST:
        return bound
    share = smoothstep(np.log(np.maximum(share, 1e-9)), *np.log(MIXED))
    which = np.flatnonzero(share)
    return loosened(bound, vertices, canonical, which, share[which, None])


def some_of(binding: Binding, keep: np.ndarray) -> Binding:
    """The binding of the points that ``keep`` (N,) bool chooses."""
    loose = keep[binding.which]
    names = ("face", "bary", "weights", "offset", "distance")
    return replace(
        binding,
        which=(np.cumsum(keep) - 1)[binding.which[loose]],
        **{name: getattr(binding, name)[keep] for name in names},
        **{name: getattr(binding, name)[loose] for name in ("share", "smooth", "rest")},
    )


def just_off(
    binding: Binding, vertices: np.ndarray, faces: np.ndarray, canonical: Canonical, distance: float
) -> Binding:
    """The points ``distance`` metres off a bound mesh (V, 3), (F, 3) along its normals, equally loose."""
    points = (vertices + distance * vertex_normals(vertices, faces)).astype(np.float32)
    return loosened(bind(points, canonical), points, canonical, binding.which, binding.share)


def evened(points: np.ndarray, values: np.ndarray, *, reach: float, cell: float = 0.02) -> np.ndarray:
    """(N,) values (N,) averaged over near points (N, 3) by a Gaussian of standard deviation ``reach``.

    Lengths in metres. Computed on a grid of ``cell``, so that the roughness of a mesh does not matter.
    """
    low = points.min(0) - 2 * cell
    shape = np.ceil((points.max(0) + 3 * cell - low) / cell).astype(int)
    number = np.ravel_multi_index(np.floor((points - low) / cell).astype(int).T, shape)
    total, count = (
        gaussian_filter(np.bincount(number, w, shape.prod()).reshape(shape), reach / cell, mode="constant")
        for w in (values, np.ones(len(values)))
    )
    mean = total / np.maximum(count, 1e-9)
    return map_coordinates(mean, (points - low).T / cell - 0.5, order=1, mode="nearest")


def shifted(binding: Binding, canonical: Canonical, shift: np.ndarray) -> Binding:
    """The same points moved by small big-pose vectors (N, 3), metres."""
    turn = blend_joints(binding.weights, canonical.A_big)[:, :, :3]
    offset = binding.offset + np.einsum("nji,nj->ni", turn, shift)  # nearly a rotation: inverse = transpose
    turn = blend_joints(binding.smooth, canonical.A_big)[:, :, :3]
    rest = binding.rest + np.einsum("nji,nj->ni", turn, shift[binding.which])
    return replace(binding, offset=offset.astype(np.float32), rest=rest.astype(np.float32))


def carried(binding: Binding, faces: np.ndarray, skin: np.ndarray, world: np.ndarray) -> np.ndarray:
    """The bound points in one pose: (N, 3) float32 world metres.

    Args:
        faces: (F, 3) of the skin. skin: (V, 3) posed skin. world: (24, 3, 4) rest pose to world; where
            no point is loose, only its linear parts are used.
    """
    world = world.astype(np.float32)
    turn = blend_joints(binding.weights, world)[:, :, :3]
    out = on_surface(skin, faces, binding.face, binding.bary)
    out = out + np.einsum("nij,nj->ni", turn, binding.offset)
    if len(binding.which):
        smooth = carry_points(blend_joints(binding.smooth, world), binding.rest)
        out[binding.which] += binding.share * (smooth - out[binding.which])
    return out


def skin_weights(binding: Binding) -> np.ndarray:
    """(N, 24) float32 blend weights of the bound points, which sum to one."""
    out = binding.weights.copy()
    out[binding.which] += binding.share * (binding.smooth - out[binding.which])
    out = np.clip(out, 0, None)
    return out / out.sum(1, keepdims=True)
