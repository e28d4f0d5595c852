"""Volume rendering of a soft surface: heights along rays to weights, colours, opacity and depth.

Wang et al., "NeuS", 2021: with density alone a soft surface is seen too deep and its outline too
large, both by about its softness (4.6 mm at 3 mm, measured on the synthetic subject); the weights
used here put depth and outline where the height is zero, however soft the surface is and however
finely a ray is sampled (docs/field.md, 4).
"""

from __future__ import annotations

import torch
from torch import Tensor


def crossing_weights(height: Tensor, softness: Tensor | float, known: Tensor) -> Tensor:
    """Weight of every sample in the picture.

    Opacity between two samples is ``1 - f(behind) / f(before)`` with f the logistic function of
    height over softness (NeuS, equation 13), shared between them by where the surface lies.

    Args:
        height: (R, S) metres over the surface, negative inside; samples in order along the ray.
        softness: metres.
        known: (R, S) bool, samples with a colour; the others only occlude what is behind them.

    Returns:
        (R, S); the sum over S is the ray's opacity, less what samples without colour occlude.
    """
    clear = torch.sigmoid(height / softness).clamp(min=1e-6)
    before = torch.cat([torch.ones_like(clear[:, :1]), clear[:, :-1]], -1)
    passed = (clear / before).clamp(max=1)
    reach = torch.cumprod(torch.cat([torch.ones_like(clear[:, :1]), passed[:, :-1]], -1), -1)
    weight = reach * (1 - passed)
    with torch.no_grad():
        above = torch.cat([height[:, :1], height[:, :-1]], -1)
        share = (above / (above - height).clamp(min=1e-6)).clamp(0, 1)  # 1: the surface is at this sample
        has = torch.cat([torch.zeros_like(known[:, :1]), known[:, :-1]], -1)
        share = torch.where(has & known, share, has.logical_not().to(share.dtype))
    earlier = torch.cat([(weight * (1 - share))[:, 1:], torch.zeros_like(weight[:, :1])], -1)
    return (weight * share + earlier) * known


def composite(weights: Tensor, values: Tensor) -> Tensor:
    """Weighted sum along rays: (R, S), (R, S, C) -> (R, C)."""
    return (weights[..., None] * values).sum(-2)


def expected_depth(weights: Tensor, depth: Tensor) -> Tensor:
    """(R,) mean depth of what a ray sees, from (R, S) weights and depths; 0 where it sees nothing."""
    total = weights.sum(-1)
    return torch.where(
        total > 1e-4, (weights * depth).sum(-1) / total.clamp(min=1e-4), torch.zeros_like(total)
    )


def distortion(weights: Tensor, middle: Tensor, step: Tensor) -> Tensor:
    """(R,) spread of the weights along each ray, metres.

    Barron et al., "Mip-NeRF 360", 2022, equation 15, by running sums instead of all pairs.

    Args:
        weights: (R, S). middle: (R, S) sample positions in increasing order, metres.
        step: (R, S) sample lengths, metres.
    """
    moment = weights * middle
    mass_before = torch.cumsum(weights, -1) - weights
    moment_before = torch.cumsum(moment, -1) - moment
    between = 2 * (weights * (middle * mass_before - moment_before)).sum(-1)
    return between + (weights**2 * step).sum(-1) / 3
