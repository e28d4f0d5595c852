"""The project's own lifter: what a frame shows, what happens around it, and a skeleton on the rays of its joints.

Convolutions over time as in Pavllo et al., CVPR 2019, with three differences. The joints seen are not learned
to be copied: each lies on its own ray (`look_straight`) at a depth that is learned, beside a learned step away
from it, and a learned trust says how much the ray counts. Four seconds around a frame say how large the person
is and how it is made (a mean over time, as in squeeze-and-excitation, Hu et al., CVPR 2018). And a clip needs
no padding: what lies outside is zero and the network has learned from clips of every length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hvr_nb.lift.view import FEATURES, USUAL_SIZE

ROWS, JOINTS = 18, 17  # of the input (17 joints and one row of sizes), of the skeleton
AROUND = 30  # frames to either side that tell how the person is made
_SPREAD = 0.42  # metres, what a person's spread is usually
# COCO joints whose mean is each Human3.6M joint's ray
_RAYS = ((11, 12), (12,), (14,), (16,), (11,), (13,), (15,), (5, 6, 11, 12), (5, 6), (0,), (1, 2, 3, 4),
         (5,), (7,), (9,), (6,), (8,), (10,))  # fmt: skip


class Lifter(nn.Module):
    """2D joints of a clip of any length to 3D.

    Args:
        channels: width of the hidden layers. dilations: of the blocks, 0 for one that sees a single frame.
        context: values that a clip's mean says.
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
            self.out.weight.mul_(0.1)  # start near the mean pose
        rays = torch.zeros(JOINTS, JOINTS)
        for joint, seen in enumerate(_RAYS):
            rays[joint, list(seen)] = 1 / len(seen)
        self.register_buffer("rays", rays, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Frames (B, T, 18, 3) as of ``look_straight`` to joints (B, T, 17, 3), metres from the hips' middle."""
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
        size = (x[:, :, JOINTS:, :1] + USUAL_SIZE).exp()  # radians a unit
        metres = _SPREAD * (0.2 * scale).exp()[..., None] + size * step[..., 2:]
        joints = torch.cat(
            [known * torch.sigmoid(trust + 2)[..., None] * metres * flat, step[..., :1] * 0], -1
        )
        joints = joints + step
        return joints - joints[:, :, :1]


class _Block(nn.Module):
    """A residual step: three frames (or one) and then every channel by itself."""

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
    """Means (B, C, T) over ``AROUND`` frames to both sides, fewer at the ends."""
    reach = min(AROUND, x.shape[2] - 1)
    return nn.functional.avg_pool1d(x, 2 * reach + 1, 1, reach, count_include_pad=False)
