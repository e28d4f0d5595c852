"""The lifter's input: 2D joints seen by a virtual camera that looks at the person, scaled to one size.

Each frame is rotated into that virtual camera, so the position in the picture and the picture's shape do
not matter, and divided by the spread of the joints. Missing joints are zero with confidence 0. The rotation
is undone on the 3D joints. After Yu et al., "PCLs: Geometry-aware neural reconstruction of 3D pose with
perspective crop layers", CVPR 2021 (docs/perception.md, 8).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

PACE = 15.0  # frames per second that the lifter was made for; its input "pace" is zero there
FEATURES = 3  # x, y, confidence
_TRUNK, _TRUNK_WEIGHT = [5, 6, 11, 12], 4.0
_CENTRE_SPAN, _SIZE_SPAN = 1.5, 5.0  # frames, standard deviations of the smoothing over time
USUAL_SIZE, LARGEST = -2.2, 6.0  # logarithm of the usual spread in radians; bound of a coordinate


def look_straight(rays: Tensor, conf: Tensor, pace: float | Tensor) -> tuple[Tensor, Tensor]:
    """The lifter's input, and the rotations of its virtual cameras.

    Args:
        rays: (B, T, 17, 2) COCO joints on the plane at depth 1 of the camera; finite.
        conf: (B, T, 17) confidence 0..1, 0 = not known.
        pace: frames per second, a number or (B,).

    Returns:
        (B, T, 18, 3) x, y, confidence of each joint and, in the last row, the logarithms of the person's
        angular size and of the pace; (B, T, 3, 3) rotations from the camera to the virtual cameras.
    """
    known = (conf > 0).to(rays.dtype)
    weight = known * (0.05 + conf)
    weight[..., _TRUNK] *= _TRUNK_WEIGHT
    centre = _smooth(
        torch.cat([(weight[..., None] * rays).sum(2), weight.sum(2)[..., None]], 2), _CENTRE_SPAN
    )
    R = _look_at(centre[..., :2] / centre[..., 2:].clamp_min(1e-12))
    turned = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ R.transpose(2, 3)
    flat = turned[..., :2] / turned[..., 2:].clamp_min(0.05)
    spread = torch.stack([(weight * (flat**2).sum(-1)).sum(2), weight.sum(2)], 2)
    spread = _smooth(spread, _SIZE_SPAN)
    size = (spread[..., :1] / spread[..., 1:].clamp_min(1e-12)).clamp_min(1e-8).sqrt()
    flat = (flat / size[..., None] * known[..., None]).clamp(-LARGEST, LARGEST)
    pace = torch.as_tensor(pace, dtype=rays.dtype).reshape(-1, 1, 1).expand_as(size)
    last = torch.cat([size.log() - USUAL_SIZE, (pace / PACE).log(), torch.zeros_like(size)], 2)
    return torch.cat([torch.cat([flat, conf[..., None]], -1), last[:, :, None]], 2), R


def usual_rays(points: Tensor, conf: Tensor) -> Tensor:
    """Rays (B, T, 17, 2) of pixels (B, T, 17, 2) whose camera is not known.

    Assumes a camera that points at the person from a usual distance.
    """
    weight = (conf > 0) * (0.05 + conf)
    total = weight.sum((1, 2)).clamp_min(1e-12)[:, None]
    points = points - ((weight[..., None] * points).sum((1, 2)) / total)[:, None, None]
    per_frame = weight.sum(2, keepdim=True)
    middle = (weight[..., None] * points).sum(2) / per_frame.clamp_min(1e-12)
    spread = (weight * ((points - middle[:, :, None]) ** 2).sum(-1)).sum((1, 2))[:, None] / total
    return points * (math.exp(USUAL_SIZE) / spread.clamp_min(1e-12).sqrt())[:, None, None]


def mirror_2d(x: Tensor, mirror: tuple[int, ...]) -> Tensor:
    """The lifter's input (B, T, 18, 3) of the mirrored person."""
    joints = x[:, :, list(mirror)] * x.new_tensor([-1.0, 1.0, 1.0])
    return torch.cat([joints, x[:, :, 17:]], 2)


def mirror_3d(x: Tensor, mirror: tuple[int, ...]) -> Tensor:
    """3D joints (..., 17, 3) of the mirrored person."""
    return x[..., list(mirror), :] * x.new_tensor([-1.0, 1.0, 1.0])


def _smooth(values: Tensor, span: float) -> Tensor:
    """Weighted sums (B, T, C) over a Gaussian window; far frames count a little, which bridges any gap."""
    frames = values.shape[1]
    reach = math.ceil(3 * span)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=values.dtype) / span) ** 2)
    near = torch.nn.functional.conv1d(
        values.transpose(1, 2).reshape(-1, 1, frames), taps.view(1, 1, -1), padding=reach
    )
    near = near.view(len(values), -1, frames).transpose(1, 2)
    return near + 1e-4 * _far(values)


def _far(values: Tensor) -> Tensor:
    """Sums (B, T, C) whose weights fall by a tenth with each frame, to both sides."""
    out, back = torch.empty_like(values), torch.zeros_like(values[:, 0])
    keep = 0.9
    for t in range(values.shape[1]):
        back = keep * back + values[:, t]
        out[:, t] = back
    ahead = torch.zeros_like(back)
    for t in range(values.shape[1] - 1, -1, -1):
        out[:, t] += ahead
        ahead = keep * (ahead + values[:, t])
    return out


def _look_at(centre: Tensor) -> Tensor:
    """Rotations (..., 3, 3) without roll that take directions (x, y, 1), ``centre`` (..., 2), to z."""
    z = torch.cat([centre, torch.ones_like(centre[..., :1])], -1)
    z = z / z.norm(dim=-1, keepdim=True)
    x = torch.stack([z[..., 2], torch.zeros_like(z[..., 0]), -z[..., 0]], -1)
    x = x / x.norm(dim=-1, keepdim=True)
    return torch.stack([x, torch.linalg.cross(z, x), z], -2)
