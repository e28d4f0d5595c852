"""Linear blend skinning in torch: forward kinematics, rest-relative transforms, blending.

Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015, equations 1 to 4 (docs/body.md, 2).
B is the batch; all functions are differentiable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BIG_POSE_HIP = math.pi / 6  # big pose: T-pose with the hips turned +-30 degrees about z


def axis_angle_to_matrix(rotvec: Tensor) -> Tensor:
    """Rotation vectors (..., 3), radians, to matrices (..., 3, 3) by Rodrigues' formula, smooth at zero."""
    angle2 = (rotvec * rotvec).sum(-1, keepdim=True)
    small = angle2 < 1e-8
    safe = torch.where(small, torch.ones_like(angle2), angle2)
    angle = safe.sqrt()
    a = torch.where(small, 1 - angle2 / 6, torch.sin(angle) / angle)[..., None]
    # (1 - cos) / angle^2 by the half angle: no cancellation in float32
    b = torch.where(small, 0.5 - angle2 / 24, 2 * (torch.sin(angle / 2) / angle) ** 2)[..., None]
    x, y, z = rotvec.unbind(-1)
    o = torch.zeros_like(x)
    k = torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(*rotvec.shape[:-1], 3, 3)
    return torch.eye(3, dtype=rotvec.dtype, device=rotvec.device) + a * k + b * (k @ k)


def forward_kinematics(rotations: Tensor, joints: Tensor, parents) -> tuple[Tensor, Tensor]:
    """World rotation and position of every joint of a chain.

    Args:
        rotations: (B, J, 3, 3) local rotations, joint 0 first.
        joints: (J, 3) or (B, J, 3) rest positions, metres.
        parents: J parent indices, parent before child, -1 for the root.

    Returns:
        (B, J, 3, 3) world rotations G and (B, J, 3) world positions p, metres.
    """
    joints = joints.expand(rotations.shape[0], -1, 3)
    turned, placed = [rotations[:, 0]], [joints[:, 0]]
    for j in range(1, rotations.shape[1]):
        parent = int(parents[j])
        bone = (joints[:, j] - joints[:, parent])[..., None]
        turned.append(turned[parent] @ rotations[:, j])
        placed.append(placed[parent] + (turned[parent] @ bone)[..., 0])
    return torch.stack(turned, 1), torch.stack(placed, 1)


def rest_relative(world_rotations: Tensor, positions: Tensor, joints: Tensor) -> Tensor:
    """(B, J, 3, 4) transforms of points of the rest pose with each joint.

    ``A_j = [G_j | p_j - G_j joint_j]``, the identity for the zero pose (Loper et al. 2015, equation 3).
    """
    joints = joints.expand(positions.shape[0], -1, 3)
    shift = positions - (world_rotations @ joints[..., None])[..., 0]
    return torch.cat([world_rotations, shift[..., None]], -1)


def blend_transforms(transforms: Tensor, weights: Tensor) -> Tensor:
    """Blend (B, J, 3, 4) or (J, 3, 4) transforms by skin weights (N, J): (B, N, 3, 4) or (N, 3, 4)."""
    flat = transforms.reshape(*transforms.shape[:-2], 12)
    return (weights @ flat).reshape(*transforms.shape[:-3], weights.shape[0], 3, 4)


def transform_points(transforms: Tensor, points: Tensor) -> Tensor:
    """Affine transforms (..., N, 3, 4) applied to points (..., N, 3): (..., N, 3)."""
    return (transforms[..., :3] @ points[..., None])[..., 0] + transforms[..., 3]


def invert_transforms(transforms: Tensor) -> Tensor:
    """Inverses (..., 3, 4) of affine transforms (..., 3, 4), by cofactors: no LAPACK call per matrix."""
    m = transforms[..., :3]
    rows = torch.stack(
        [
            torch.linalg.cross(m[..., 1, :], m[..., 2, :]),
            torch.linalg.cross(m[..., 2, :], m[..., 0, :]),
            torch.linalg.cross(m[..., 0, :], m[..., 1, :]),
        ],
        -1,
    )
    det = (m[..., 0, :] * rows[..., 0]).sum(-1)
    inverse = rows / det[..., None, None]
    return torch.cat([inverse, -inverse @ transforms[..., 3:]], -1)


def big_pose_rotations(joints: int = 24) -> Tensor:
    """(1, J, 3, 3) local rotations of the big pose: hips +-30 degrees about z (docs/body.md, 9)."""
    pose = torch.zeros(1, joints, 3)
    pose[0, 1, 2], pose[0, 2, 2] = BIG_POSE_HIP, -BIG_POSE_HIP
    return axis_angle_to_matrix(pose)
