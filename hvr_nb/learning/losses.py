"""Losses. Each is a mean, so weights do not depend on the batch size."""

from __future__ import annotations

from collections.abc import Callable

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


def structure(pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """One minus the structural similarity of small patches, each of which is one window.

    Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004,
    equation 13 with range 1. It compares the contrast of patches, where a squared error accepts a blur.

    Args:
        pred, target: (P, N, 3) in 0..1. weight: (P, N) bool, pixels that count.
    """
    share = weight.float() / weight.sum(1, keepdim=True).clamp(min=1)

    def mean(x):
        return (share[..., None] * x).sum(1)

    a, b = mean(pred), mean(target)
    variances = mean((pred - a[:, None]) ** 2), mean((target - b[:, None]) ** 2)
    covariance = mean((pred - a[:, None]) * (target - b[:, None]))
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * a * b + c1) * (2 * covariance + c2) / ((a**2 + b**2 + c1) * (sum(variances) + c2))
    return 1 - similarity.mean()


def perceptual(pred: Tensor, target: Tensor, distance: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Mean perceptual distance of square patches.

    Args:
        pred, target: (P, side * side, 3) in 0..1, pixels row by row. distance: function of pictures
            (P, 3, H, W) in -1..1, such as ``hvr_nb.learning.lpips.Lpips``.
    """
    side = round(pred.shape[1] ** 0.5)
    a, b = (2 * x.transpose(1, 2).unflatten(2, (side, side)) - 1 for x in (pred, target))
    return distance(a, b).mean()
