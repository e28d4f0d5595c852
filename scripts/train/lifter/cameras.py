"""Random cameras around people, and the rays that a lifter is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.train.lifter.people import People

PICTURES = np.array([(1920, 1080), (1080, 1920), (1440, 1080), (1080, 1440), (1080, 1080)], float)


@dataclass(frozen=True)
class Views:
    """B people, each seen by one of B cameras."""

    joints: Tensor  # (B, T, 17, 3) camera axes, metres, from the camera
    depth: Tensor  # (B, T, 17) of the COCO joints, metres
    pixels: Tensor  # (B, T, 17, 2)
    inside: Tensor  # (B, T, 17) bool, in the picture
    height: Tensor  # (B, T, 1) height of a standing person at that depth, pixels
    focal: np.ndarray  # (B,) pixels
    size: np.ndarray  # (B, 2) width and height, pixels


def film(people: People, rng: np.random.Generator) -> Views:
    """One camera for each person; most are static, some follow the person."""
    count = len(people.pace)
    size = PICTURES[rng.integers(len(PICTURES), size=count)]
    focal = np.exp(rng.uniform(np.log(0.75), np.log(2.3), count)) * size.max(1)
    follow = torch.from_numpy(rng.random(count) < 0.15).view(-1, 1, 1)
    root = people.joints[:, :, 0]
    drift = torch.where(follow, root, root.mean(1, keepdim=True)).double()
    distance = np.clip(focal * 1.7 / (rng.uniform(0.3, 1.05, count) * size[:, 1]), 1.6, 14.0)
    level = np.arctan2(rng.uniform(0.3, 2.0, count) - 0.95, distance)
    rise = np.where(rng.random(count) < 0.7, level, np.radians(rng.uniform(-20, 50, count)))
    R = torch.from_numpy(_axes(rng.uniform(0, 2 * np.pi, count), rise, _roll(rng, count)))
    aim = rng.uniform(-1, 1, (count, 2)) * [0.3, 0.12] * size / focal[:, None] * distance[:, None]
    shift = torch.from_numpy(np.column_stack([aim, distance]))[:, None, None]

    def to_camera(x: Tensor) -> Tensor:
        return (x.double() - drift[:, :, None]) @ R.transpose(1, 2)[:, None] + shift

    joints, seen = to_camera(people.joints), to_camera(people.seen)
    depth = seen[..., 2].clamp_min(0.3)
    f, wh = torch.from_numpy(focal).view(-1, 1, 1), torch.from_numpy(size)[:, None, None]
    pixels = seen[..., :2] / depth[..., None] * f[..., None] + wh / 2
    inside = ((pixels > 0) & (pixels < wh)).all(-1) & (seen[..., 2] > 0.3)
    height = 1.7 * f / joints[:, :, :1, 2].clamp_min(0.5)
    return Views(joints.float(), depth.float(), pixels.float(), inside, height.float(), focal, size)


def _roll(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.normal(0, np.where(rng.random(count) < 0.1, 0.25, 0.04))


def _axes(turn: np.ndarray, rise: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """World (Y up) to camera (y down) rotations (B, 3, 3) of cameras around and above the person."""
    zero = np.zeros_like(turn)
    z = -np.stack([np.cos(rise) * np.sin(turn), np.sin(rise), np.cos(rise) * np.cos(turn)], 1)
    x = np.stack([-np.cos(turn), zero, np.sin(turn)], 1)
    x = np.where((np.cross(z, x)[:, 1] > 0)[:, None], -x, x)  # so that y = z x x points down
    y = np.cross(z, x)
    c, s = np.cos(roll)[:, None], np.sin(roll)[:, None]
    return np.stack([c * x + s * y, c * y - s * x, z], 1)


def believed_rays(views: Views, pixels: Tensor, conf: Tensor, rng: np.random.Generator) -> Tensor:
    """Rays (B, T, 17, 2) with the true focal length, with a usual one, or without a known camera."""
    from hvr_nb.lift.view import usual_rays

    count = len(views.focal)
    kind = rng.choice(3, count, p=[0.4, 0.4, 0.2])
    focal = np.where(kind == 0, views.focal, 1.2 * views.size.max(1))
    centre, f = torch.from_numpy(views.size / 2).float(), torch.from_numpy(focal).float()
    rays = (pixels - centre[:, None, None]) / f.view(-1, 1, 1, 1)
    none = torch.from_numpy(kind == 2)
    rays[none] = usual_rays(pixels[none], conf[none])
    return rays
