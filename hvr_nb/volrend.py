"""Volume rendering: densities along rays to colours, opacity and depth.

Max, "Optical Models for Direct Volume Rendering", 1995; Mildenhall et al., "NeRF", 2020,
equation 3. Opacity comes from density times step length, so the picture does not depend on how
finely a ray is sampled (specs/nvr.md 8.17).
"""

from __future__ import annotations

import torch
from torch import Tensor


def ray_weights(density: Tensor, step: Tensor) -> Tensor:
    """Weight of every sample in the picture.

    Args:
        density: (R, S) per metre, 0 where a sample was left out. step: (R, S) metres.

    Returns:
        (R, S) transmittance times opacity; the sum over S is the ray's opacity.
    """
    optical = density * step
    before = torch.cumsum(optical, -1) - optical
    return torch.exp(-before) * -torch.expm1(-optical)


def composite(weights: Tensor, values: Tensor) -> Tensor:
    """Weighted sum along rays: (R, S), (R, S, C) -> (R, C)."""
    return (weights[..., None] * values).sum(-2)


def expected_depth(weights: Tensor, depth: Tensor) -> Tensor:
    """(R,) mean depth of what a ray sees, from (R, S) weights and depths; 0 where it sees nothing."""
    total = weights.sum(-1)
    return torch.where(total > 1e-4, (weights * depth).sum(-1) / total.clamp(min=1e-4), torch.zeros_like(total))


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
