"""The encoder of the semantic volume: the body's feature at every point (docs/pamir.md, 2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from hvr_nb.methods.pamir.hourglass import GROUPS
from hvr_nb.methods.pamir.sizes import PamirSizes


class VolumeBlock(nn.Module):
    """A residual block of two 3x3x3 convolutions.

    ``bn`` and ``conv3`` belong to the published checkpoints, which hold them unused.
    """

    def __init__(self, width: int):
        super().__init__()
        self.bn = nn.GroupNorm(GROUPS, width)
        self.conv1 = nn.Conv3d(width, width, 3, padding=2, dilation=2)
        self.bn1 = nn.GroupNorm(GROUPS, width)
        self.conv2 = nn.Conv3d(width, width, 3, padding=1)
        self.bn2 = nn.GroupNorm(GROUPS, width)
        self.conv3 = nn.Conv3d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Volumes (N, width, D, H, W) to volumes of the same shape."""
        return x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))


class VolumeEncoder(nn.Module):
    """Two strided convolutions and three residual blocks; every block gives features."""

    def __init__(self, sizes: PamirSizes):
        super().__init__()
        first, width = sizes.volume_first, sizes.volumes
        self.conv1 = nn.Conv3d(3, first, 5, stride=2, padding=4, dilation=2)
        self.bn1 = nn.GroupNorm(GROUPS, first)
        self.conv2 = nn.Conv3d(first, width, 5, stride=2, padding=4, dilation=2)
        self.bn2 = nn.GroupNorm(GROUPS, width)
        self.r1, self.r2, self.r3 = (VolumeBlock(width) for _ in range(3))
        self.conv_out1 = nn.Conv3d(width, width, 3, padding=1)
        self.conv_out2 = nn.Conv3d(width, width, 3, padding=1)

    def forward(self, semantic: Tensor) -> list[Tensor]:
        """Semantic volumes (N, 3, D, H, W) to three volumes (N, volumes, D / 4, H / 4, W / 4)."""
        x = F.relu(self.bn1(self.conv1(semantic)))
        first = self.r1(F.relu(self.bn2(self.conv2(x))))
        second = self.r2(first)
        return [self.conv_out1(first), self.conv_out2(second), self.r3(second)]
