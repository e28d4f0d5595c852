"""Stacked hourglasses: the image feature of every pixel (docs/pamir.md, 2).

Newell, Yang and Deng, "Stacked hourglass networks for human pose estimation", ECCV 2016, with group
normalisation (Wu and He, ECCV 2018) as in PaMIR (Zheng et al., TPAMI 2021). The names of the parts are those
of the published checkpoints.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from hvr_nb.methods.pamir.sizes import PamirSizes

GROUPS = 4


class PictureBlock(nn.Module):
    """A residual block of two 3x3 convolutions, the inner one half as wide."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.bn = nn.GroupNorm(GROUPS, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs // 2, 3, padding=1)
        self.bn2 = nn.GroupNorm(GROUPS, outputs // 2)
        self.conv3 = nn.Conv2d(outputs // 2, outputs, 3, padding=1)
        self.conv4 = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, outputs, H, W)."""
        y = self.conv1(F.relu(self.bn(x)))
        y = self.conv3(F.relu(self.bn2(y)))
        return y + (x if self.conv4 is None else self.conv4(x))


def _blocks(count: int, width: int) -> nn.ModuleList:
    return nn.ModuleList(PictureBlock(width, width) for _ in range(count))


def _through(blocks: nn.ModuleList, x: Tensor) -> Tensor:
    for block in blocks:
        x = block(x)
    return x


class Hourglass(nn.Module):
    """One hourglass: down by halves ``depth`` times and up again, with a bridge at each level."""

    def __init__(self, depth: int, modules: int, width: int):
        super().__init__()
        self.up1_ = _blocks(modules, width)
        self.low1_ = _blocks(modules, width)
        if depth > 1:
            self.low2 = Hourglass(depth - 1, modules, width)
        else:
            self.low2_ = _blocks(modules, width)
        self.low3_ = _blocks(modules, width)
        self.depth = depth

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, width, H, W) to maps of the same shape; H and W are divisible by 2 ** depth."""
        low = _through(self.low1_, F.max_pool2d(x, 2))
        low = self.low2(low) if self.depth > 1 else _through(self.low2_, low)
        low = _through(self.low3_, low)
        high = F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)
        return _through(self.up1_, x) + high


class StackedHourglass(nn.Module):
    """The picture encoder: a stem, then hourglasses that each give a map of features."""

    def __init__(self, sizes: PamirSizes):
        super().__init__()
        width, last = sizes.width, sizes.stacks - 1
        self.stacks, self.modules_each, self.pooled = sizes.stacks, sizes.modules, sizes.pooled
        self.conv1_ = nn.Conv2d(3, sizes.first, 7, stride=2, padding=3)
        self.bn1 = nn.GroupNorm(GROUPS, sizes.first)
        self.r1 = PictureBlock(sizes.first, 2 * sizes.first)
        self.r4 = PictureBlock(2 * sizes.first, 2 * sizes.first)
        self.r5 = PictureBlock(2 * sizes.first, width)
        self.hourglass = nn.ModuleList(
            Hourglass(sizes.depth, sizes.modules, width) for _ in range(sizes.stacks)
        )
        self.Residual = _blocks(sizes.stacks * sizes.modules, width)
        self.lin_ = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 1), nn.GroupNorm(GROUPS, width), nn.ReLU())
            for _ in range(sizes.stacks)
        )
        self.tmpOut = nn.ModuleList(nn.Conv2d(width, sizes.maps, 1) for _ in range(sizes.stacks))
        self.ll_ = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(last))
        self.tmpOut_ = nn.ModuleList(nn.Conv2d(sizes.maps, width, 1) for _ in range(last))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (N, 3, S, S) to a map (N, maps, S / 4, S / 4) a stack; S / 2 where not pooled."""
        x = self.r1(F.relu(self.bn1(self.conv1_(pictures))))
        if self.pooled:
            x = F.max_pool2d(x, 2)
        x = self.r5(self.r4(x))
        out = []
        for k, hourglass in enumerate(self.hourglass):
            y = _through(self.Residual[k * self.modules_each : (k + 1) * self.modules_each], hourglass(x))
            y = self.lin_[k](y)
            out.append(self.tmpOut[k](y))
            if k + 1 < self.stacks:
                x = x + self.ll_[k](y) + self.tmpOut_[k](out[-1])
        return out
