"""The network of a point: 1x1 convolutions over the features sampled there (docs/pamir.md, 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DISTANCE, DEPTH, SIDE = 5000.0, 10.0, 256.0  # the camera's focal length, its distance, half the picture


class PointNetwork(nn.Module):
    """Layers with LeakyReLU 0.2; the input is fed again to all but the first and the last.

    Args:
        inputs: channels of a point. hidden: widths of the layers. outputs: channels of the result.
    """

    def __init__(self, inputs: int, hidden: tuple[int, ...], outputs: int):
        super().__init__()
        self.count = len(hidden)
        sizes = [inputs, *(width + inputs for width in hidden[:-1])]
        for k, (size, width) in enumerate(zip(sizes, hidden, strict=True)):
            setattr(self, f"conv{k}", nn.Sequential(nn.Conv1d(size, width, 1)))
        setattr(self, f"conv{self.count}", nn.Sequential(nn.Conv1d(hidden[-1], outputs, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, inputs, P) to values (N, outputs, P) before the sigmoid."""
        y = x
        for k in range(self.count):
            y = F.leaky_relu(getattr(self, f"conv{k}")(y if k == 0 else torch.cat([x, y], 1)), 0.2)
        return getattr(self, f"conv{self.count}")(y)


def start_small(module: nn.Module) -> None:
    """PaMIR's initialisation: Xavier's normal with gain 0.02 for convolutions, no bias."""
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        nn.init.xavier_normal_(module.weight, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def project_cube(points: Tensor) -> Tensor:
    """Where PaMIR's camera sees points of the unit cube: (..., 3) to (..., 2) in -1..1, y down.

    The camera stands 10 units before the cube's centre, with a focal length of 5000 pixels and a picture of
    512 pixels; the cube's z points to it and y up. At z = 0 one unit is 500 pixels.
    """
    scale = DISTANCE / (SIDE * (DEPTH - points[..., 2:]))
    return torch.cat([points[..., :1] * scale, -points[..., 1:2] * scale], -1)


def sample_maps(maps: Tensor, at: Tensor) -> Tensor:
    """Bilinear features (N, C, P) of maps (N, C, H, W) at places (N, P, 2) in -1..1."""
    grid = at[:, :, None]
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)[..., 0]


def sample_volumes(volumes: Tensor, points: Tensor) -> Tensor:
    """Trilinear features (N, C, P) of volumes (N, C, D, H, W) at points (N, P, 3) of the unit cube."""
    grid = 2 * points[:, :, None, None]
    return F.grid_sample(volumes, grid, mode="bilinear", padding_mode="border", align_corners=False)[
        ..., 0, 0
    ]
