"""GraphCMR, which estimates the body that PaMIR's own pictures start from (docs/pamir.md, 2).

Kolotouros, Pavlakos and Daniilidis, "Convolutional mesh regression for single-image human shape
reconstruction", CVPR 2019, at PaMIR's sizes. Its graph and the licensed template are files of the user's; in
this project's chain stage 03 gives the body, and these networks only serve the published checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvr_nb.methods.pamir.resnet import ResNet50

WIDTH, BLOCKS, PICTURE_FEATURES = 256, 6, 2048
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


class GraphLinear(nn.Module):
    """The same linear map at every vertex."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.W, self.b = nn.Parameter(torch.empty(outputs, inputs)), nn.Parameter(torch.zeros(outputs))
        nn.init.uniform_(self.W, -(inputs**-0.5), inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, V) to (N, outputs, V)."""
        return self.W @ x + self.b[:, None]


class GraphConv(nn.Module):
    """A linear map at every vertex, then the mean over its neighbours."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, V, inputs) to (N, V, outputs); adjacency (V, V), rows sum to one."""
        return torch.stack([adjacency @ row for row in x @ self.weight]) + self.bias


class GraphBlock(nn.Module):
    """A residual block: linear, graph convolution, linear, at half the width inside."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        half = outputs // 2
        self.lin1, self.conv = GraphLinear(inputs, half), GraphConv(half, half)
        self.lin2 = GraphLinear(half, outputs)
        self.skip_conv = GraphLinear(inputs, outputs)  # unused where the widths are equal
        self.changes = inputs != outputs
        self.pre_norm = nn.GroupNorm(inputs // 8, inputs)
        self.norm1, self.norm2 = nn.GroupNorm(half // 8, half), nn.GroupNorm(half // 8, half)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, inputs, V) to (N, outputs, V)."""
        y = self.lin1(F.relu(self.pre_norm(x)))
        y = self.conv(F.relu(self.norm1(y)).transpose(1, 2), adjacency).transpose(1, 2)
        y = self.lin2(F.relu(self.norm2(y)))
        return y + (self.skip_conv(x) if self.changes else x)


class GraphCmr(nn.Module):
    """A picture to the vertices of a coarse body and a weak-perspective camera.

    Args:
        adjacency: (V, V) with self loops, rows sum to one; sparse or dense. reference: (V, 3) template
            vertices, centred, the largest coordinate one.
    """

    def __init__(self, adjacency: Tensor, reference: Tensor):
        super().__init__()
        self.adjacency, self.reference = adjacency, reference
        self.resnet = ResNet50()
        self.gc = nn.ModuleList(
            [GraphLinear(3 + PICTURE_FEATURES, 2 * WIDTH), GraphBlock(2 * WIDTH, WIDTH)]
            + [GraphBlock(WIDTH, WIDTH) for _ in range(BLOCKS - 1)]
        )
        self.shape = nn.Sequential(
            GraphBlock(WIDTH, 64), GraphBlock(64, 32), nn.GroupNorm(4, 32), nn.ReLU(), GraphLinear(32, 3)
        )
        self.camera_fc = nn.Sequential(
            nn.GroupNorm(WIDTH // 8, WIDTH),
            nn.ReLU(),
            GraphLinear(WIDTH, 1),
            nn.ReLU(),
            nn.Linear(len(reference), 3),
        )

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (N, 3, 224, 224), RGB 0..1, to vertices (N, V, 3) and camera (N, 3): scale and shift."""
        mean, spread = pictures.new_tensor(MEAN), pictures.new_tensor(SPREAD)
        seen = self.resnet((pictures - mean[:, None, None]) / spread[:, None, None])
        count = len(self.reference)
        x = torch.cat(
            [self.reference.T.expand(len(seen), 3, count), seen[..., None].expand(-1, -1, count)], 1
        )
        x = self.gc[0](x)
        for block in self.gc[1:]:
            x = block(x, self.adjacency)
        y = self.shape[1](self.shape[0](x, self.adjacency), self.adjacency)
        for layer in self.shape[2:]:
            y = layer(y)
        return y.transpose(1, 2), self.camera_fc(x)[:, 0]


class _Dense(nn.Module):
    """Two linear layers with batch normalisation and the identity beside them, or one layer."""

    def __init__(self, inputs: int, width: int, *, residual: bool):
        super().__init__()
        self.residual = residual
        layers = [nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU()]
        if residual:
            layers += [nn.Linear(width, width), nn.BatchNorm1d(width)]
        self.fc_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.fc_block(x)) if self.residual else self.fc_block(x)


class SmplRegressor(nn.Module):
    """Coarse vertices to SMPL rotations and betas.

    Args:
        vertices: V, the number of coarse vertices. width: of the layers.
    """

    def __init__(self, vertices: int, width: int = 1024):
        super().__init__()
        self.layers = nn.Sequential(
            _Dense(6 * vertices, width, residual=False),
            _Dense(width, width, residual=True),
            _Dense(width, width, residual=True),
            nn.Linear(width, 24 * 9 + 10),
        )

    def forward(self, vertices: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Estimated (N, V, 3) and template (V, 3) vertices to rotations (N, 24, 3, 3) and betas (N, 10)."""
        both = torch.cat([vertices, reference.expand_as(vertices)], -1)
        out = self.layers(both.flatten(1))
        return nearest_rotations(out[:, :216].view(-1, 24, 3, 3)), out[:, 216:]


def nearest_rotations(matrices: Tensor) -> Tensor:
    """Rotations (..., 3, 3) nearest to matrices (..., 3, 3), as GraphCMR takes them: U V^T times its sign."""
    u, _, v = torch.linalg.svd(matrices)
    turn = u @ v
    return turn * torch.linalg.det(turn)[..., None, None]
