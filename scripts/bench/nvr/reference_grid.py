"""Instant-NVR's hash embedder in plain PyTorch (docs/field.md, 11.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

GROWTH = 1.38  # of the resolution from level to level
PRIMES = (1, 19349663, 83492791)  # of the spatial hash


@dataclass(frozen=True)
class GridSizes:
    """Sizes of one hash embedder."""

    base: int  # resolution of the first level
    log2_table: int  # rows of a hashed level: the next prime above 2 to this
    levels: int = 16
    features: int = 16  # numbers in each row
    summed: bool = True  # the numbers of a level are summed to one

    @property
    def table(self) -> int:
        """Rows of a hashed level."""
        return next_prime(2**self.log2_table)

    @property
    def resolutions(self) -> list[int]:
        """Nodes along an axis of every level."""
        return [math.floor(self.base * GROWTH**level) for level in range(self.levels)]

    @property
    def rows(self) -> list[int]:
        """Rows of every level: dense where its nodes fit into the table, hashed otherwise."""
        return [min(n**3, self.table) for n in self.resolutions]

    @property
    def width(self) -> int:
        """Numbers that come out for a point: its coordinates and the levels."""
        return 3 + self.levels * (1 if self.summed else self.features)


def next_prime(n: int) -> int:
    """The smallest prime above n."""
    n += 1
    while any(n % k == 0 for k in range(2, math.isqrt(n) + 1)):
        n += 1
    return n


class HashEmbedder(nn.Module):
    """Features of points in the unit cube: trilinear, nodes on the borders, Kaiming-normal start."""

    def __init__(self, sizes: GridSizes):
        super().__init__()
        self.sizes = sizes
        rows = torch.tensor(sizes.rows)
        self.table = nn.Parameter(nn.init.kaiming_normal_(torch.empty(int(rows.sum()), sizes.features)))
        nodes = torch.tensor(sizes.resolutions)
        corners = torch.tensor([[c & 1, c >> 1 & 1, c >> 2 & 1] for c in range(8)])
        for name, value in (
            ("nodes", nodes),
            ("offsets", rows.cumsum(0) - rows),
            ("corners", corners),
            ("dense", nodes**3 <= sizes.table),
        ):
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3) in [0, 1] to (N, width): all levels and corners gathered at once, 8 KB a point."""
        scaled = x.clamp(0, 1)[:, None] * (self.nodes - 1)[:, None]
        low = torch.minimum(scaled.detach().long(), (self.nodes - 2)[:, None])
        part = (scaled - low)[:, :, None]
        weight = torch.where(self.corners.bool(), part, 1 - part).prod(-1)  # (N, L, 8)
        value = nn.functional.embedding(self._rows(low[:, :, None] + self.corners), self.table)
        value = (weight[:, :, None] @ value)[:, :, 0]
        value = value.sum(-1) if self.sizes.summed else value.flatten(1)
        return torch.cat([x, value], -1)

    def _rows(self, node: Tensor) -> Tensor:
        """(N, L, 8) rows of nodes (N, L, 8, 3)."""
        x, y, z = node.unbind(-1)
        n = self.nodes[:, None]
        hashed = (x * PRIMES[0] ^ y * PRIMES[1] ^ z * PRIMES[2]) % self.sizes.table
        return self.offsets[:, None] + torch.where(self.dense[:, None], x + n * (y + n * z), hashed)
