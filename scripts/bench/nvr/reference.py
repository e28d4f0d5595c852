"""Instant-NVR's network (docs/field.md, 11.1 to 11.3): five part fields and one deformer.

Written from the description alone, in plain PyTorch and single precision. ``reference_step.py`` lists what
this benchmark leaves out or makes cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hvr_nb.body.model import BodyModel
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.types import Canonical
from scripts.bench.nvr.reference_grid import GridSizes, HashEmbedder

WIDTH = 64  # of the part MLPs (11.2)
FEATURE = 16  # geometry feature that the colour MLP takes (11.2)
LATENT = 8  # numbers for each frame and part (11.2)
OCTAVES = 4  # of the view direction (11.2)
DEFORM_WIDTH = 32  # 11.3
DEFORM_LIMIT = 0.05  # metres (11.3)
BOX_MARGIN = 0.2  # metres around the vertices of a part, ``bbox_overlap``


@dataclass(frozen=True)
class ReferenceSizes:
    """Tables and hidden colour layers of the parts, in the order of ``canonical.PART_NAMES``."""

    parts: tuple[GridSizes, ...] = (
        GridSizes(16, 20),
        GridSizes(2, 20),
        GridSizes(2, 18),
        GridSizes(2, 15),
        GridSizes(2, 15),
    )  # table of 11.1
    deformer: GridSizes = GridSizes(4, 14, levels=8, features=2, summed=False)  # 11.3
    colour_layers: tuple[int, ...] = (2, 1, 2, 1, 1)  # 11.2


def tiny_sizes() -> ReferenceSizes:
    """The same network with tables of a few thousand rows, for tests."""
    parts = tuple(
        GridSizes(base, log2, levels=4) for base, log2 in ((8, 11), (2, 11), (2, 10), (2, 9), (2, 9))
    )
    return ReferenceSizes(parts, GridSizes(4, 9, levels=4, features=2, summed=False))


class PartField(nn.Module):
    """Occupancy and colour of one part in its own box of the big pose (11.1, 11.2)."""

    def __init__(self, sizes: GridSizes, colour_layers: int, box: np.ndarray, frames: int):
        super().__init__()
        self.grid = HashEmbedder(sizes)
        self.occupancy = _mlp([sizes.width, WIDTH, 1 + FEATURE])
        inputs = sizes.width + 3 * (1 + 2 * OCTAVES) + FEATURE + LATENT
        self.colour = _mlp([inputs, *[WIDTH] * colour_layers, 3])
        self.latent = nn.Parameter(nn.init.kaiming_normal_(torch.empty(frames, LATENT)))
        self.register_buffer("box", torch.as_tensor(box, dtype=torch.float32))

    def forward(self, x: Tensor, direction: Tensor, frame: int) -> tuple[Tensor, Tensor]:
        """Big-pose points (N, 3), metres, and directions (N, 3): alpha (N,) of a sample, colour (N, 3)."""
        feature = self.grid((x - self.box[0]) / (self.box[1] - self.box[0]))
        h = self.occupancy(feature)
        alpha = 1 - torch.exp(-nn.functional.softplus(h[:, 0]))
        latent = self.latent[frame].expand(len(x), -1)
        colour = self.colour(torch.cat([feature, _octaves(direction), h[:, 1:], latent], -1))
        return alpha, torch.sigmoid(colour)


class Reference(nn.Module):
    """All parts and the deformer they share.

    Args:
        model: with texture coordinates, which the deformer takes. frames: number of latents of every part.
    """

    def __init__(
        self, canonical: Canonical, model: BodyModel, frames: int, sizes: ReferenceSizes, *, seed: int = 0
    ):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.parts = nn.ModuleList(
                PartField(part, layers, part_box(canonical, p), frames)
                for p, (part, layers) in enumerate(zip(sizes.parts, sizes.colour_layers, strict=True))
            )
            self.deform_grid = HashEmbedder(sizes.deformer)
            self.deform = _mlp([sizes.deformer.width, DEFORM_WIDTH, DEFORM_WIDTH, 3])
        uv = torch.as_tensor(texture_field(canonical, model), dtype=torch.float32)
        self.register_buffer("uv", uv.permute(3, 2, 1, 0)[None].contiguous(), persistent=False)
        shape = torch.tensor(uv.shape[:3])
        low = torch.as_tensor(canonical.origin, dtype=torch.float32)
        self.register_buffer("uv_low", low, persistent=False)
        self.register_buffer("uv_side", ((shape - 1) * canonical.spacing).float(), persistent=False)

    def residual(self, x: Tensor, time: float) -> Tensor:
        """Motion (N, 3), metres, of big-pose points (N, 3) at a time 0..1, through (u, v, t) (11.3)."""
        where = 2 * (x - self.uv_low) / self.uv_side - 1
        uv = nn.functional.grid_sample(
            self.uv, where[None, None, None], padding_mode="border", align_corners=True
        )[0, :, 0, 0].T
        uvt = torch.cat([uv, torch.full_like(uv[:, :1], time)], -1)
        return DEFORM_LIMIT * torch.tanh(self.deform(self.deform_grid(uvt)))


def texture_field(canonical: Canonical, model: BodyModel) -> np.ndarray:
    """(X, Y, Z, 2) texture coordinates of the surface point nearest to every node of the canonical grid."""
    index = np.stack(np.meshgrid(*map(np.arange, canonical.field_distance.shape), indexing="ij"), -1)
    nodes = (canonical.origin + canonical.spacing * index).reshape(-1, 3)
    face, bary, _ = nearest_surface(nodes, canonical.vertices, canonical.faces)
    uv = np.einsum("nk,nkc->nc", bary, model.uv[model.uv_faces[face]])
    return uv.reshape(*index.shape[:3], 2)


def part_box(canonical: Canonical, part: int) -> np.ndarray:
    """(2, 3) box of a part's grid, metres."""
    vertices = canonical.vertices[canonical.parts == part]
    return np.stack([vertices.min(0) - BOX_MARGIN, vertices.max(0) + BOX_MARGIN])


def _octaves(direction: Tensor) -> Tensor:
    """(N, 3) to (N, 27): the direction, and sine and cosine of it at every octave."""
    scaled = [2.0**k * direction for k in range(OCTAVES)]
    return torch.cat([direction, *map(torch.sin, scaled), *map(torch.cos, scaled)], -1)


def _mlp(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(before, after), nn.Softplus()]
    return nn.Sequential(*layers[:-1])
