"""A simulated detector's errors: noise partly shown by the confidence, hidden limbs, exchanged sides, gaps.

The figures follow docs/perception.md, 3: median error 0.8 to 2 % of the person's height, 95th percentile 2 to
6 %, half the confidence where passes differ by 1.5 %, short exchanges of arms and legs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hvr_nb.body.joint_sets import COCO_MIRROR, LIMB_GROUPS
from scripts.train.lifter.cameras import Views

JOINT_NOISE = torch.tensor([0.6] * 5 + [0.8, 0.8, 1.0, 1.0, 1.4, 1.4, 1.2, 1.2, 1.0, 1.0, 1.1, 1.1])
BEHIND = 0.10  # metres behind the hips from which the trunk may hide a joint
_FALLS = tuple(LIMB_GROUPS)


def spoil(
    views: Views, pace: np.ndarray, rng: np.random.Generator, *, occlusions: float = 1.0, swaps: float = 0.12
) -> tuple[Tensor, Tensor]:
    """Joints as a detector would report them: finite pixels (B, T, 17, 2) and confidence (B, T, 17).

    Args:
        occlusions: mean number of hidden limb groups in a clip. swaps: share of clips with exchanged sides.
    """
    count, frames = views.depth.shape[:2]
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))

    def slow(channels: int, span: float) -> Tensor:
        return _slow_noise((count, frames, 17, channels), span, generator)

    base = torch.from_numpy(np.exp(rng.normal(np.log(0.007), 0.6, count)).astype(np.float32)).view(-1, 1, 1)
    base = base.clamp(0.001, 0.03)
    behind = torch.sigmoid((views.depth - views.joints[:, :, :1, 2] - BEHIND) / 0.05)
    behind *= torch.from_numpy(rng.random((count, 1, 1)).astype(np.float32))
    sigma = base * JOINT_NOISE * torch.exp(0.6 * slow(1, 4.0)[..., 0] + 0.9 * behind)
    white = torch.randn(count, frames, 17, 2, generator=generator)
    share = torch.from_numpy(rng.uniform(0, 0.5, (count, 1, 1, 1)).astype(np.float32))
    noise = sigma[..., None] * (share * white + (1 - share**2).sqrt() * slow(2, float(rng.uniform(1, 5))))
    felt = sigma * torch.exp(0.35 * slow(1, 3.0)[..., 0])
    visible = 1 - 0.15 * torch.rand(count, 1, 1, generator=generator)
    conf = visible / (1 + (felt / 0.015) ** 2)
    wild = slow(2, 6.0) * 0.06  # error of a hidden limb that is guessed
    guess = torch.zeros(count, frames, 17, dtype=torch.bool)
    lost = ~views.inside
    for b in range(count):
        _hide(b, rng, occlusions, lost, guess, frames, pace[b])
    noise = torch.where(guess[..., None], wild, noise)
    conf = torch.where(guess, conf * torch.rand(count, 1, 1, generator=generator) * 0.4, conf)
    pixels = views.pixels + noise * views.height[..., None]
    for b in np.flatnonzero(rng.random(count) < swaps):
        _exchange(b, rng, pixels, conf)
    conf = _habit(conf, rng)
    flicker = torch.from_numpy(np.where(rng.random(count) < 0.2, 0.03, 0.0).astype(np.float32)).view(-1, 1, 1)
    lost |= torch.rand(count, frames, 17, generator=generator) < flicker
    return pixels, torch.where(lost, torch.zeros_like(conf), conf).clamp(0, 1)


def _slow_noise(shape: tuple[int, ...], span: float, generator: torch.Generator) -> Tensor:
    """Unit noise (B, T, J, C) that is correlated over ``span`` frames."""
    reach = int(3 * span)
    count, frames, joints, channels = shape
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / span) ** 2)
    taps = (taps / taps.norm()).view(1, 1, -1)
    white = torch.randn(count * joints * channels, 1, frames + 2 * reach, generator=generator)
    out = torch.nn.functional.conv1d(white, taps)
    return out.view(count, joints, channels, frames).permute(0, 3, 1, 2)


def _hide(
    b: int, rng: np.random.Generator, rate: float, lost: Tensor, guess: Tensor, frames: int, pace: float
):
    """Hide limb groups of clip ``b`` for a while: missing, or guessed with low confidence."""
    for _ in range(rng.poisson(rate)):
        group = list(LIMB_GROUPS[_FALLS[rng.integers(len(_FALLS))]])
        if rng.random() < 0.1:
            group = list(range(17))
        elif rng.random() < 0.3:
            group = list(rng.choice(17, rng.integers(1, 4), replace=False))
        length = max(1, int(pace * np.exp(rng.normal(np.log(0.6), 0.8))))
        if rng.random() < 0.2 and len(group) < 17:
            length = frames
        start = int(rng.integers(-length + 1, frames)) if length < frames else 0
        rows = slice(max(start, 0), start + length)
        (guess if rng.random() < 0.4 else lost)[b, rows, group] = True


def _exchange(b: int, rng: np.random.Generator, pixels: Tensor, conf: Tensor) -> None:
    """Exchange left and right arms, legs or both in clip ``b``, a few times for one to four frames."""
    joints = [[5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 15, 16], list(range(17))][rng.integers(3)]
    other = [COCO_MIRROR[j] for j in joints]
    for _ in range(rng.integers(1, 6)):
        first = int(rng.integers(pixels.shape[1]))
        rows = slice(first, first + int(rng.integers(1, 5)))
        pixels[b, rows, joints] = pixels[b, rows][:, other].clone()
        conf[b, rows, joints] = conf[b, rows][:, other].clone() * float(rng.uniform(0.3, 1))


def _habit(conf: Tensor, rng: np.random.Generator) -> Tensor:
    """Confidence on the scales of different detectors: some are always sure, others bend the scale."""
    count = len(conf)
    power = torch.from_numpy(np.where(rng.random(count) < 0.35, rng.uniform(0.2, 1.5, count), 1.0)).float()
    bent = conf ** power.view(-1, 1, 1)
    always = torch.from_numpy(rng.random(count) < 0.2).view(-1, 1, 1)
    return torch.where(always, torch.ones_like(bent), bent)
