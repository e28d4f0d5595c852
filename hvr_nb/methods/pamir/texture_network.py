"""The texture network: a colour and how far the picture's own colour is trusted (docs/pamir.md, 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvr_nb.methods.pamir.point_network import (
    PointNetwork,
    project_cube,
    sample_maps,
    sample_volumes,
    start_small,
)
from hvr_nb.methods.pamir.sizes import ORIGINAL, PamirSizes
from hvr_nb.methods.pamir.volume_encoder import VolumeEncoder

COLOUR_GROUPS, COLOUR_BLOCKS = 32, 6


class ColourBlock(nn.Module):
    """A residual block of two 3x3 convolutions; ``bn`` and ``conv3`` are unused, as in the checkpoints."""

    def __init__(self, width: int, groups: int):
        super().__init__()
        self.bn = nn.GroupNorm(groups, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.bn1 = nn.GroupNorm(groups, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn2 = nn.GroupNorm(groups, width)
        self.conv3 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, width, H, W) to maps of the same shape."""
        return x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))


class ColourEncoder(nn.Module):
    """The picture at a quarter of its side, with ``width`` channels."""

    def __init__(self, width: int):
        super().__init__()
        groups = min(COLOUR_GROUPS, width // 4)
        self.conv1 = nn.Conv2d(3, width // 4, 7, padding=3, padding_mode="circular")
        self.bn1 = nn.GroupNorm(groups, width // 4)
        self.conv2 = nn.Conv2d(width // 4, width // 2, 3, stride=2, padding=1)
        self.bn2 = nn.GroupNorm(groups, width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, stride=2, padding=1)
        self.bn3 = nn.GroupNorm(groups, width)
        for k in range(COLOUR_BLOCKS):
            setattr(self, f"r{k + 1}", ColourBlock(width, groups))

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) to maps (N, width, S / 4, S / 4)."""
        x = pictures
        for k in (1, 2, 3):
            x = F.relu(getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(x)))
        for k in range(COLOUR_BLOCKS):
            x = getattr(self, f"r{k + 1}")(x)
        return x


class TexturePamirNet(nn.Module):
    """Colours of points: the picture's own where it shows the point, the network's elsewhere."""

    def __init__(self, sizes: PamirSizes = ORIGINAL):
        super().__init__()
        self.sizes = sizes
        self.cg = ColourEncoder(sizes.maps)
        self.ve = VolumeEncoder(sizes)
        self.mlp = PointNetwork(2 * sizes.maps + sizes.volumes, sizes.hidden, 4)
        self.apply(start_small)

    def features(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, S, S), RGB 0..1 on white, to maps (N, maps, S / 4, S / 4)."""
        return self.cg(pictures)

    def volume(self, semantic: Tensor) -> Tensor:
        """Semantic volumes (N, 3, D, H, W) to volumes (N, volumes, D / 4, H / 4, W / 4)."""
        return self.ve(semantic)[-1]

    def colour(
        self,
        pictures: Tensor,
        maps: Tensor,
        geometry: Tensor,
        volumes: Tensor,
        points: Tensor,
        *,
        seen: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Blended colour (N, P, 3), the network's own colour (N, P, 3) and the attention (N, P), all 0..1.

        Args:
            pictures: (N, 3, S, S). maps: of ``features``. geometry: (N, maps, H, W), the last map of the
                geometry network. volumes: of ``volume``. points: (N, P, 3) in the unit cube.
            seen: (N, P, 2) where the picture is read, -1..1; None projects the points.
        """
        at = project_cube(points) if seen is None else seen
        x = torch.cat([sample_maps(maps, at), sample_maps(geometry, at), sample_volumes(volumes, points)], 1)
        out = torch.sigmoid(self.mlp(x))
        own, attention = out[:, :3], out[:, 3:]
        blend = attention * sample_maps(pictures, at) + (1 - attention) * own
        return blend.transpose(1, 2), own.transpose(1, 2), attention[:, 0]
