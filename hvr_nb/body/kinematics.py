"""Forward kinematics of an SMPL body with exact derivatives, in numpy (docs/body.md, 2).

Rotations are perturbed on the right, ``R_j exp(d_j)``. Joint j then rotates everything below it
about its own position x_j by the world vector ``G_j d_j``, so a point p moves by
``(G_j d_j) x (p - x_j)``. A Gauss-Newton fit needs no more. No automatic differentiation; float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import BodyModel
from hvr_nb.types import Body


@dataclass(frozen=True)
class Rig:
    """The skeleton of a body model."""

    joints: np.ndarray  # (24, 3) rest joints of the mean body, metres
    directions: np.ndarray  # (24, 3, 10) metres per unit beta
    parents: tuple[int, ...]  # 24, -1 for the root
    below: np.ndarray  # (24, 24) [k, j]: 1.0 where joint k is j or a descendant of j

    def rest(self, betas: np.ndarray) -> np.ndarray:
        """(24, 3) rest joints of a shape (10,)."""
        return self.joints + self.directions @ betas

    def size(self, betas: np.ndarray) -> tuple[float, np.ndarray]:
        """Stature relative to the mean body, and its derivative (10,) with respect to ``betas``."""
        mean = _stature(self.joints)
        return float(_stature(self.rest(betas)) / mean), _stature(self.directions) / mean


@dataclass(frozen=True)
class PosedRig:
    """N posed skeletons and their derivatives with respect to the shape."""

    turned: np.ndarray  # (N, 24, 3, 3) world rotations
    joints: np.ndarray  # (N, 24, 3) world, metres
    d_betas: np.ndarray  # (N, 24, 3, 10) metres per unit beta


def _stature(joints: np.ndarray) -> np.ndarray:
    return joints[15, 1] - 0.5 * (joints[7, 1] + joints[8, 1])


def ancestors(parents) -> np.ndarray:
    """(J, J) matrix: 1.0 where the joint of the column is that of the row or one of its ancestors.

    Args:
        parents: J indices, each parent before its children.
    """
    out = np.eye(len(parents))
    for joint in range(1, len(parents)):
        out[joint] += out[int(parents[joint])]
    return out


def turn_joints(poses: np.ndarray, transl: np.ndarray, turn: np.ndarray, shift: np.ndarray, parents):
    """Poses after small rotations of the joints about world axes; each rotates its descendants too.

    Args:
        poses: (T, 72) axis-angle, radians. transl: (T, 3) metres.
        turn: (T, 24, 3) radians, world axes. shift: (T, 3) metres.

    Returns:
        poses (T, 72) and transl (T, 3).
    """
    local = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    world = local.copy()
    for joint in range(1, 24):
        world[:, joint] = world[:, parents[joint]] @ local[:, joint]
    out = local.copy()
    for joint in range(24):
        small = Rotation.from_rotvec(turn[:, joint]).as_matrix()
        frame = world[:, parents[joint]] if joint else np.broadcast_to(np.eye(3), small.shape)
        out[:, joint] = np.swapaxes(frame, 1, 2) @ small @ frame @ local[:, joint]
    rotvec = Rotation.from_matrix(out.reshape(-1, 3, 3)).as_rotvec()
    return rotvec.reshape(-1, 72), transl + shift


def rig_of(model: BodyModel) -> Rig:
    """The skeleton of ``model`` in float64."""
    regressor = model.J_regressor.double().numpy()
    return Rig(
        joints=regressor @ model.v_template.double().numpy(),
        directions=np.einsum("jv,vdk->jdk", regressor, model.shapedirs.double().numpy()),
        parents=model.parents,
        below=ancestors(model.parents),
    )


def pose_rig(rig: Rig, rotations: np.ndarray, transl: np.ndarray, betas: np.ndarray) -> PosedRig:
    """Forward kinematics of local rotations (N, 24, 3, 3) at transl (N, 3), metres."""
    rest = rig.rest(betas)
    turned, joints = np.empty_like(rotations), np.empty((len(rotations), 24, 3))
    slopes = np.empty((len(rotations), 24, 3, 10))
    turned[:, 0], joints[:, 0], slopes[:, 0] = rotations[:, 0], rest[0] + transl, rig.directions[0]
    for k in range(1, 24):
        p = rig.parents[k]
        turned[:, k] = turned[:, p] @ rotations[:, k]
        joints[:, k] = joints[:, p] + turned[:, p] @ (rest[k] - rest[p])
        slopes[:, k] = slopes[:, p] + turned[:, p] @ (rig.directions[k] - rig.directions[p])
    return PosedRig(turned, joints, slopes)


def pose_body(rig: Rig, body: Body) -> PosedRig:
    """The posed skeletons of all frames of a body."""
    turns = Rotation.from_rotvec(body.poses.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    return pose_rig(rig, turns, body.transl, body.betas)


def turn_slopes(rig: Rig, pose: PosedRig, parts: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Derivative of P points with respect to the joint rotations.

    A point is the sum over joints of ``parts``, each of which moves rigidly with its joint: a
    landmark, or a vertex under linear blend skinning.

    Args:
        parts: (N, P, 24, 3) share of each joint in the point, world metres; they sum to the point.
        mass: (P, 24) or (N, P, 24) weight of the joint's own position in its share.

    Returns:
        (N, P, 3, 72) metres per radian.
    """
    x, y, z = np.moveaxis(_arms(rig, pose, parts, mass), -1, 0)[..., None]  # each (N, P, 24, 1)
    a, b, c = np.moveaxis(pose.turned, 2, 0)[:, :, None]  # rows of G, each (N, 1, 24, 3)
    moved = np.stack([z * b - y * c, x * c - z * a, y * a - x * b], 2)  # (G d) x arm
    return moved.reshape(*moved.shape[:3], 72)


def turn_slopes_along(
    rig: Rig, pose: PosedRig, parts: np.ndarray, mass: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """``turn_slopes`` of the points of one frame, each along one direction: (P, 72).

    Args:
        pose: of a single frame. parts: (P, 24, 3). mass: (P, 24). direction: (P, 3).
    """
    arms = np.tensordot(rig.below, parts, (0, 1))  # (24, P, 3): a joint after the other is faster
    arms -= (mass @ rig.below).T[..., None] * pose.joints[0][:, None]
    lever = np.cross(arms, direction)
    return np.matmul(lever, pose.turned[0]).swapaxes(0, 1).reshape(len(direction), 72)


def _arms(rig: Rig, pose: PosedRig, parts: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """(N, P, 24, 3) lever arms: the shares that rotate with each joint, relative to the joint."""
    return rig.below.T @ parts - (mass @ rig.below)[..., None] * pose.joints[:, None]


def joint_slopes(rig: Rig, pose: PosedRig) -> np.ndarray:
    """Derivative of the 24 joints with respect to the joint rotations: (N, 24, 3, 72)."""
    parts = np.eye(24)[None, :, :, None] * pose.joints[:, :, None]
    return turn_slopes(rig, pose, parts, np.eye(24))
