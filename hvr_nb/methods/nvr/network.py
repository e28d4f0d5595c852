"""The avatar's fields: shape and colour in the big pose, a small residual motion, a light.

After Geng et al., "Learning Neural Volumetric Representations of Dynamic Humans in Minutes",
CVPR 2023 (docs/field.md, 11), simplified as docs/field.md, 2 says: one grid of 8 levels for the whole
body, because the big pose keeps legs and arms apart, and a small residual motion. The shape is a height
of the surface over the body's skin, so training starts from the body's own shape; it is rendered
as in Wang et al., "NeuS", 2021 (``volrend.crossing_weights``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hvr_nb.methods.nvr.hash_grid import HashGrid
from hvr_nb.surface.light import EVEN, LAMPS, lamp_directions

HEIGHT_UNIT = 0.05  # metres of height over the skin per unit of network output
RESIDUAL_LIMIT = 0.05  # metres, bound of the residual motion (docs/field.md, 2)


@dataclass(frozen=True)
class FieldOptions:
    """Sizes of the fields."""

    levels: int = 8
    coarsest: int = 16  # cells along the longest side of the big-pose box
    finest: int = 640  # cells of the last level; levels grow geometrically
    log2_table: int = 17  # a level has at most 2**log2_table rows
    geometry_levels: int = 6  # shape reads only these, colour reads all
    width: int = 32  # of the two hidden layers of colour
    codes: int = 8  # numbers of a frame code
    motion_finest: int = 24  # cells of the finest level of the residual motion


class AvatarField(nn.Module):
    """Shape, colour and residual motion of big-pose points.

    Args:
        bounds: (2, 3) box of the big pose, metres. frames: number of frames with a code.
        backend: of the hash grids; None picks.
    """

    def __init__(
        self,
        bounds: np.ndarray,
        frames: int,
        options: FieldOptions,
        *,
        seed: int = 0,
        device="cpu",
        backend: str | None = None,
    ):
        super().__init__()
        self.options = options
        bounds = torch.as_tensor(np.asarray(bounds), dtype=torch.float32)
        self.register_buffer("low", bounds[0])
        self.register_buffer("side", (bounds[1] - bounds[0]).max())
        self.register_buffer("beta", torch.tensor(0.01))  # metres, softness of the surface
        self.register_buffer("open", torch.ones(options.levels))  # how much of each level is in use
        self.grid = HashGrid(
            levels=options.levels,
            coarsest=options.coarsest,
            finest=options.finest,
            log2_table=options.log2_table,
            seed=seed,
            device=device,
            backend=backend,
        )
        self.motion_grid = HashGrid(
            levels=4,
            coarsest=4,
            finest=options.motion_finest,
            log2_table=14,
            scale=1e-2,
            seed=seed + 1,
            device=device,
            backend=backend,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.height = _mlp(2 * options.geometry_levels, options.width, 1, hidden=1)
            self.colour = _mlp(self.grid.width, options.width, 3 + 3 * options.codes, hidden=2)
            self.motion = _mlp(self.motion_grid.width, options.width, 3 * options.codes, hidden=1)
            self.codes = nn.Parameter(0.1 * torch.randn(frames, options.codes))
        with torch.no_grad():
            self.height[-1].bias.fill_(0.2)  # the surface starts 1 cm over the skin
            self.height[-1].weight.mul_(0.1)
            self.motion[-1].weight.mul_(0.1)
            self.colour[-1].weight[3:].mul_(0.1)
        self.lamps = nn.Parameter(torch.zeros(LAMPS))  # logarithms; zeros are an even light of brightness 1
        self.register_buffer("toward", torch.from_numpy(lamp_directions()), persistent=False)
        self.to(device)

    def residual(self, x: Tensor, code: Tensor) -> Tensor:
        """Residual motion (N, 3), metres, of points (N, 3) under codes (N, K); zero for the zero code."""
        with _fast(x):
            basis = self.motion(self.motion_grid((x - self.low) / self.side))
        return RESIDUAL_LIMIT * torch.tanh(_along_code(basis, code))

    def forward(
        self, x: Tensor, distance: Tensor, normal: Tensor, code: Tensor, teaches: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Height over the avatar's surface, and colour.

        Args:
            x: (N, 3) big-pose points, metres. distance: (N,) signed distance to the skin, metres.
            normal: (N, 3) world normal of the nearest skin. code: (N, K).
            teaches: (N,) bool, points that the light is learned from; None: all.

        Returns:
            height (N,) metres, negative inside, and colour (N, 3), 0..1 times the light.
        """
        features = self.features(x)
        with _fast(x):
            out = self.colour(features).float()
        albedo = torch.sigmoid(out[:, :3] + _along_code(out[:, 3:], code))
        shade = self.shade(normal)
        shade = shade if teaches is None else torch.where(teaches, shade, shade.detach())
        return self.height_over(features, distance), albedo * shade[:, None]

    def features(self, x: Tensor) -> Tensor:
        """Grid features (N, F) of big-pose points (N, 3), metres."""
        return self.grid((x - self.low) / self.side) * self.open.repeat_interleave(2)

    def height_over(self, features: Tensor, distance: Tensor) -> Tensor:
        """(N,) metres over the avatar's surface, at signed distances (N,) from the skin."""
        clothes = HEIGHT_UNIT * self.height(features[:, : 2 * self.options.geometry_levels])[:, 0]
        return distance - clothes

    def shade(self, normal: Tensor) -> Tensor:
        """(N,) brightness of diffuse distant light on world normals (N, 3); see ``hvr_nb.surface.light``."""
        return (normal @ self.toward.T).clamp_min(0) @ (EVEN * torch.exp(self.lamps))


def _fast(x: Tensor):
    """Half precision for matrix products where the device has it (docs/field.md, 2)."""
    here = x.is_cuda or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=here)


def _along_code(basis: Tensor, code: Tensor) -> Tensor:
    """Basis (N, 3 K) weighted by codes (N, K) or (1, K): (N, 3)."""
    return (basis.float().view(len(basis), 3, -1) * code[:, None]).sum(-1)


def _mlp(inputs: int, width: int, outputs: int, *, hidden: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for k in range(hidden):
        layers += [nn.Linear(inputs if k == 0 else width, width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(width, outputs))
