"""The project's own lifter: temporal convolutions whose joints lie on their camera rays (docs/lifter.md).

Temporal convolutions as in Pavllo et al., CVPR 2019, with three differences. Each joint seen lies on its
own ray (`look_straight`): the network predicts a depth, a step away from the ray, and a trust that says how
much the ray counts. The mean over four seconds around a frame tells the size and proportions of the person
(as in squeeze-and-excitation, Hu et al., CVPR 2018). And a clip needs no padding: frames outside it are
zero, and the network was trained on clips of every length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hvr_nb.lift.view import FEATURES, USUAL_SIZE

ROWS, JOINTS = 18, 17  # rows of the input (17 joints and one row of sizes), joints of the skeleton
AROUND = 30  # frames to either side whose mean tells the proportions of the person
_SPREAD = 0.42  # metres, usual spread of a person's joints
# COCO joints whose mean gives the ray of each Human3.6M joint
_RAYS = ((11, 12), (12,), (14,), (16,), (11,), (13,), (15,), (5, 6, 11, 12), (5, 6), (0,), (1, 2, 3, 4),
         (5,), (7,), (9,), (6,), (8,), (10,))  # fmt: skip


class Lifter(nn.Module):
    """2D joints of a clip of any length to 3D.

    Args:
        channels: width of the hidden layers. dilations: of the blocks; 0 for a block of single frames.
        context: channels of the mean over time.
    """

    def __init__(self, *, channels: int = 512, dilations: tuple[int, ...] = (0, 3, 9, 0), context: int = 128):
        super().__init__()
        self.dilations = tuple(dilations)
        self.expand = nn.Conv1d(ROWS * FEATURES, channels, 3, padding=1, bias=False)
        self.expand_bn = nn.BatchNorm1d(channels)
        self.blocks = nn.ModuleList(_Block(channels, dilation) for dilation in self.dilations)
        self.say, self.hear = nn.Conv1d(channels, context, 1), nn.Conv1d(context, channels, 1)
        self.out = nn.Conv1d(channels, 4 * JOINTS + 1, 1)
        with torch.no_grad():
            self.out.weight.mul_(0.1)  # training starts near the mean pose
        rays = torch.zeros(JOINTS, JOINTS)
        for joint, seen in enumerate(_RAYS):
            rays[joint, list(seen)] = 1 / len(seen)
        self.register_buffer("rays", rays, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Input (B, T, 18, 3) from ``look_straight`` to joints (B, T, 17, 3), metres from the mid-hip."""
        hidden = torch.relu(self.expand_bn(self.expand(x.flatten(2).transpose(1, 2))))
        for number, block in enumerate(self.blocks):
            if number == len(self.blocks) // 2:
                hidden = hidden + self.hear(_mean_around(torch.relu(self.say(hidden))))
            hidden = block(hidden)
        out = self.out(hidden).transpose(1, 2).float()
        step, trust, scale = out[..., :51].unflatten(2, (JOINTS, 3)), out[..., 51:68], out[..., 68:]
        with torch.autocast(x.device.type, enabled=False):
            return self._on_rays(x.float(), step, trust, scale)

    def _on_rays(self, x: Tensor, step: Tensor, trust: Tensor, scale: Tensor) -> Tensor:
        flat = self.rays @ x[:, :, :JOINTS, :2]
        known = self.rays @ (x[:, :, :JOINTS, 2:] > 0).float()
        size = (x[:, :, JOINTS:, :1] + USUAL_SIZE).exp()  # radians per unit of the input
        metres = _SPREAD * (0.2 * scale).exp()[..., None] + size * step[..., 2:]
        joints = torch.cat(
            [known * torch.sigmoid(trust + 2)[..., None] * metres * flat, step[..., :1] * 0], -1
        )
        joints = joints + step
        return joints - joints[:, :, :1]


class _Block(nn.Module):
    """A residual block: a convolution over three frames (or one), then a 1x1 convolution."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        width = 3 if dilation else 1
        self.conv = nn.Conv1d(
            channels, channels, width, padding=dilation, dilation=max(dilation, 1), bias=False
        )
        self.mix = nn.Conv1d(channels, channels, 1, bias=False)
        self.conv_bn, self.mix_bn = nn.BatchNorm1d(channels), nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.conv_bn(self.conv(x)))
        return x + torch.relu(self.mix_bn(self.mix(y)))


def _mean_around(x: Tensor) -> Tensor:
    """Means (B, C, T) over ``AROUND`` frames to either side, fewer at the ends."""
    reach = min(AROUND, x.shape[2] - 1)
    return nn.functional.avg_pool1d(x, 2 * reach + 1, 1, reach, count_include_pad=False)
