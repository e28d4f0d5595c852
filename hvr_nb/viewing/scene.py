"""A 3D scene as a value: what stands where and when. Both viewers draw it: the offline one and k3d.

Meshes move by linear blend skinning (docs/body.md, 2): vertices in a rest pose, blend weights and the joints'
transforms in every frame, so that limbs stay rigid between frames and a long clip costs a kilobyte a frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from hvr_nb.types import Body, Camera, Canonical, Joints3D, Mesh

LEANS = 4  # directions in which the rest pose changes with the pose (SMPL's pose correctives)


@dataclass(frozen=True)
class Solid:
    """A mesh of a scene: still, skinned, or with places of its own in every frame."""

    name: str
    mesh: Mesh  # in its rest pose, or as it stands
    weights: np.ndarray | None = None  # (V, J) blend weights, rows sum to one
    transforms: np.ndarray | None = None  # (T, J, 3, 4) rest pose to world
    basis: np.ndarray | None = None  # (K, V, 3) metres: the rest pose is mesh + amounts @ basis
    amounts: np.ndarray | None = None  # (T, K)
    places: np.ndarray | None = None  # (T, V, 3) metres, of a mesh without a skin
    shown: bool = True  # at first; every layer can be switched
    group: str = ""  # of the layers of one group, one is shown

    def vertices(self, frame: int) -> np.ndarray:
        """(V, 3) metres, world, in a frame."""
        if self.places is not None:
            return self.places[frame]
        rest = np.asarray(self.mesh.vertices, np.float64)
        if self.transforms is None or self.weights is None:
            return rest
        if self.basis is not None and self.amounts is not None:
            rest = rest + np.tensordot(self.amounts[frame], self.basis, 1)
        blended = np.tensordot(self.weights, self.transforms[frame], 1)
        return np.einsum("nij,nj->ni", blended[:, :, :3], rest) + blended[:, :, 3]


@dataclass(frozen=True)
class Bones:
    """A skeleton of a scene, T frames or one."""

    name: str
    joints: Joints3D
    shown: bool = True


@dataclass(frozen=True)
class Scene:
    """What a 3D view shows: layers that can be switched, over the floor, before the film's camera."""

    layers: tuple[Solid | Bones, ...]
    fps: float = 30.0  # frames per second
    camera: Camera | None = None  # who filmed it
    count: int = field(init=False)  # T, the longest of its layers

    def __post_init__(self):
        object.__setattr__(self, "count", max((_length(layer) for layer in self.layers), default=1))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (3,) of all that is shown at any time, metres."""
        frames = np.unique(np.linspace(0, self.count - 1, 12).astype(int))
        points = np.concatenate([_points(layer, frames) for layer in self.layers])
        points = points[np.isfinite(points).all(1)]
        if not len(points):
            return np.zeros(3), np.ones(3)
        return points.min(0).astype(float), points.max(0).astype(float)


def _length(layer: Solid | Bones) -> int:
    if isinstance(layer, Bones):
        return len(layer.joints.points)
    moving = layer.places if layer.places is not None else layer.transforms
    return 1 if moving is None else len(moving)


def _points(layer: Solid | Bones, frames: np.ndarray) -> np.ndarray:
    length = _length(layer)
    at = np.unique(np.minimum(frames, length - 1))
    if isinstance(layer, Bones):
        known = layer.joints.valid[at]
        return layer.joints.points[at][known if known.any() else slice(None)].reshape(-1, 3)
    return np.concatenate([layer.vertices(int(k)) for k in at])


def person_scene(body: Body, model, *, fps: float, avatar=None, lifted: Joints3D | None = None) -> Scene:
    """The person of a clip over time: skeleton, SMPL body, and the avatar with its garments.

    Args:
        body: T frames; its camera filmed them. model: the ``BodyModel`` of the body.
        fps: frames per second.
        avatar: of a method that gives ``surface`` and ``skin_weights``; others are left out.
        lifted: (T, J, 3) skeleton of ``lift_skeleton``, to compare with.
    """
    from hvr_nb.body.model import posed

    dressed = _avatar_layers(avatar) if avatar is not None else []
    joints = posed(model, body)[1]
    layers = [
        *dressed,
        skinned_body(body, model, shown=not dressed),
        Bones("skeleton", Joints3D(joints, np.ones(len(body), bool)), shown=False),
    ]
    if lifted is not None:
        layers.append(Bones("lifted", lifted, shown=False))
    return Scene(tuple(layers), fps=fps, camera=body.camera)


def canonical_scene(canonical: Canonical, colours: dict[str, np.ndarray], *, first: str) -> Scene:
    """The big pose in several colourings (V, 3) uint8 by name, one at a time, with its joints."""
    solids = [
        Solid(name, Mesh(canonical.vertices, canonical.faces, c), shown=name == first, group="colour")
        for name, c in colours.items()
    ]
    bones = Bones("skeleton", Joints3D(canonical.joints[None], np.ones(1, bool)), shown=False)
    return Scene((*solids, bones))


def skinned_body(body: Body, model, *, name: str = "SMPL", shown: bool = True) -> Solid:
    """An SMPL body as a skinned mesh, its pose correctives as a few directions of the rest pose."""
    rest, transforms, feature = _rest_pose(body, model)
    basis, amounts = _leans(feature, model.posedirs.numpy())
    mesh = Mesh(rest, model.faces)
    return Solid(name, mesh, model.weights.numpy(), transforms, basis, amounts, shown=shown)


def _rest_pose(body: Body, model):
    """Rest vertices (V, 3), joint transforms (T, 24, 3, 4) to the world, pose feature (T, 207)."""
    import torch

    from hvr_nb.body.model import check_fitted_with
    from hvr_nb.body.skinning import axis_angle_to_matrix

    check_fitted_with(model, body)
    with torch.no_grad():
        betas, poses, transl = (
            torch.as_tensor(np.asarray(a), dtype=torch.float32) for a in (body.betas, body.poses, body.transl)
        )
        turns = axis_angle_to_matrix(poses.reshape(len(poses), 24, 3))
        transforms = model.pose_matrices(betas, turns, transl, vertex_ids=np.zeros(1, int))[2].numpy().copy()
        transforms[..., 3] += body.transl[:, None]
        feature = (turns[:, 1:] - torch.eye(3)).reshape(len(turns), -1).numpy()
        return model.shaped(betas)[0].numpy(), transforms, feature


def _leans(feature: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pose correctives of a clip, feature (T, 207) @ directions (207, V * 3), by their main directions.

    Returns:
        basis (K, V, 3) and amounts (T, K); K is at most ``LEANS``.
    """
    some = feature[np.unique(np.linspace(0, len(feature) - 1, 64).astype(int))] @ directions
    _, _, basis = np.linalg.svd(some, full_matrices=False)
    basis = basis[:LEANS]
    return basis.reshape(len(basis), -1, 3), feature @ (directions @ basis.T)


def _avatar_layers(avatar) -> list[Solid]:
    """An avatar's garments, or its one surface, as skinned meshes; none where it gives no surface."""
    if not {"surface", "skin_weights"} <= set(avatar.GIVES):
        return []
    surface, weights = avatar.surface(None), avatar.skin_weights()
    _, posed_from_rest, _ = _rest_pose(avatar.body, avatar.model)
    turns = np.linalg.inv(_square(avatar.canonical.A_big))
    transforms = (_square(posed_from_rest) @ turns)[..., :3, :].astype(np.float32)
    parts = avatar.layers(None) if "layers" in avatar.GIVES else {"avatar": surface}
    if len(parts) == 1:
        return [Solid("avatar", surface, weights, transforms)]
    nearest = cKDTree(surface.vertices)
    return [
        Solid(name, part, weights[nearest.query(part.vertices)[1]], transforms)
        for name, part in parts.items()
    ]


def _square(transforms: np.ndarray) -> np.ndarray:
    """(..., 4, 4) of (..., 3, 4)."""
    last = np.broadcast_to([0.0, 0, 0, 1], (*transforms.shape[:-2], 1, 4))
    return np.concatenate([transforms, last], axis=-2)
