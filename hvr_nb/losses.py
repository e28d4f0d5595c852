"""The terms that training adds up; every one is a mean, so weights do not depend on batch size."""

from __future__ import annotations

import torch
from torch import Tensor


def charbonnier(pred: Tensor, target: Tensor, weight: Tensor, *, scale: float = 0.03) -> Tensor:
    """Robust photometric loss: quadratic below ``scale``, linear above.

    Charbonnier et al., 1994. Args: pred, target (R, 3) in 0..1; weight (R,).
    """
    error = torch.sqrt((pred - target) ** 2 + scale**2) - scale
    return (weight[:, None] * error).sum() / (3 * weight.sum().clamp(min=1e-6))


def opacity_loss(opacity: Tensor, alpha: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of rendered opacity (R,) against the silhouette (R,), both 0..1; weight (R,)."""
    o = opacity.clamp(1e-3, 1 - 1e-3)
    entropy = -(alpha * torch.log(o) + (1 - alpha) * torch.log(1 - o))
    return (weight * entropy).sum() / weight.sum().clamp(min=1e-6)


def residual_norm(residual: Tensor, weight: Tensor) -> Tensor:
    """Mean length of the residual motion (N, 3), metres, over samples weighted by (N,)."""
    length = torch.sqrt((residual**2).sum(-1) + 1e-8)
    return (weight * length).sum() / weight.sum().clamp(min=1e-6)


def second_difference(codes: Tensor) -> Tensor:
    """Mean squared acceleration of a sequence (T, C); 0 for fewer than three frames."""
    if len(codes) < 3:
        return codes.sum() * 0
    return ((codes[2:] - 2 * codes[1:-1] + codes[:-2]) ** 2).mean()
