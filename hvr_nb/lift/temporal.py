"""VideoPose3D: temporal convolutions from 2D to 3D joints, whole clips or frame by frame.

Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised
training", CVPR 2019 (docs/perception.md, 8). Tensor names are those of the published checkpoints, so
that a user's own file can be loaded. With ``joints_out=1`` it is their trajectory network.
"""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor, nn

from hvr_nb.types import HvrError


class TemporalModel(nn.Module):
    """Dilated convolutions over time with residual blocks; no padding.

    Args:
        joints_in, features: joints and values per joint of a 2D frame.
        joints_out: joints of a 3D frame.
        widths: odd kernel widths; the receptive field is their product.
        channels: width of the hidden layers. dropout: share of dropped activations in training.
        causal: an output depends on its own frame and earlier ones only.
    """

    def __init__(
        self,
        joints_in: int = 17,
        features: int = 2,
        joints_out: int = 17,
        *,
        widths: tuple[int, ...] = (3, 3, 3, 3, 3),
        channels: int = 1024,
        dropout: float = 0.25,
        causal: bool = False,
    ):
        super().__init__()
        if not widths or any(w < 1 or w % 2 == 0 for w in widths):
            raise HvrError(f"kernel widths must be odd numbers, not {tuple(widths)}; for example 3, 3, 3")
        self.widths, self.causal = tuple(widths), causal
        self.expand_conv = nn.Conv1d(joints_in * features, channels, widths[0], bias=False)
        self.expand_bn = nn.BatchNorm1d(channels)
        convs: list[nn.Module] = []
        for width, dilation in zip(widths[1:], self.dilations, strict=True):
            convs.append(nn.Conv1d(channels, channels, width, dilation=dilation, bias=False))
            convs.append(nn.Conv1d(channels, channels, 1, bias=False))
        self.layers_conv = nn.ModuleList(convs)
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(channels) for _ in convs)
        self.shrink = nn.Conv1d(channels, 3 * joints_out, 1)
        self.drop = nn.Dropout(dropout)

    @property
    def dilations(self) -> list[int]:
        """Frames between the taps of each block."""
        return [math.prod(self.widths[:i]) for i in range(1, len(self.widths))]

    @property
    def receptive_field(self) -> int:
        """Frames that one output depends on."""
        return math.prod(self.widths)

    def forward(self, x: Tensor, *, strided: bool = False) -> Tensor:
        """2D frames (B, T, joints_in, features) to 3D (B, T - receptive_field + 1, joints_out, 3).

        Args:
            strided: for training on windows (T is a multiple of the receptive field, one output for each
                window): the same weights, but only what these outputs need is computed.
        """
        if x.ndim != 4 or x.shape[2] * x.shape[3] != self.expand_conv.in_channels:
            raise HvrError(
                f"2D joints of shape {tuple(x.shape)} do not fit a network of "
                f"{self.expand_conv.in_channels} values a frame"
            )
        if x.shape[1] < self.receptive_field:
            raise HvrError(f"{x.shape[1]} frames, the network needs {self.receptive_field}; pad the clip")
        x = x.flatten(2).transpose(1, 2)
        if strided:
            x = nn.functional.conv1d(x, self.expand_conv.weight, stride=self.widths[0])
        else:
            x = self.expand_conv(x)
        x = self.drop(torch.relu(self.expand_bn(x)))
        for block in range(len(self.dilations)):
            x = self._block(x, block, strided)
        return self.shrink(x).transpose(1, 2).unflatten(2, (-1, 3))

    def _block(self, x: Tensor, block: int, strided: bool) -> Tensor:
        conv, mix = self.layers_conv[2 * block], self.layers_conv[2 * block + 1]
        width, dilation = self.widths[block + 1], self.dilations[block]
        first = width - 1 if self.causal else width // 2  # the tap that the shortcut takes
        if strided:
            rest = x[:, :, first::width]
            y = nn.functional.conv1d(x, conv.weight, stride=width)
        else:
            rest = x[:, :, first * dilation : x.shape[2] - (width - 1 - first) * dilation]
            y = conv(x)
        y = self.drop(torch.relu(self.layers_bn[2 * block](y)))
        return rest + self.drop(torch.relu(self.layers_bn[2 * block + 1](mix(y))))


def pad_clip(x: Tensor, model: TemporalModel) -> Tensor:
    """Repeat the edge frames of (B, T, J, F) so that ``model`` gives T outputs."""
    reach = model.receptive_field - 1
    before, after = (reach, 0) if model.causal else (reach // 2, reach // 2)
    return torch.cat([x[:, :1].expand(-1, before, -1, -1), x, x[:, -1:].expand(-1, after, -1, -1)], 1)


class Stream:
    """A causal network run frame by frame, in constant memory; equals the whole clip with ``pad_clip``."""

    def __init__(self, model: TemporalModel):
        if not model.causal:
            raise HvrError("only a network trained as causal can run on a stream; use the whole clip")
        self.model = model.eval()
        taps = zip((model.widths[0], *model.widths[1:]), (1, *model.dilations), strict=True)
        self._past: list[deque[Tensor]] = [deque(maxlen=(w - 1) * d + 1) for w, d in taps]

    def push(self, frame: Tensor) -> Tensor:
        """3D joints (B, joints_out, 3) of the newest 2D frame (B, joints_in, features)."""
        model = self.model
        with torch.inference_mode():
            x = self._convolve(frame.flatten(1), 0, model.expand_conv)
            x = torch.relu(model.expand_bn(x))
            for block in range(len(model.dilations)):
                y = self._convolve(x[..., 0], block + 1, model.layers_conv[2 * block])
                y = torch.relu(model.layers_bn[2 * block](y))
                y = model.layers_conv[2 * block + 1](y)
                x = x + torch.relu(model.layers_bn[2 * block + 1](y))
            return model.shrink(x)[..., 0].unflatten(1, (-1, 3))

    def _convolve(self, newest: Tensor, layer: int, conv: nn.Conv1d) -> Tensor:
        """One output column (B, C, 1) of a layer, from the inputs (B, C) that it has kept."""
        past = self._past[layer]
        past.extend([newest] * (1 if past else past.maxlen))  # before the clip its first frame is repeated
        taps = list(past)[:: conv.dilation[0]]
        return nn.functional.conv1d(torch.stack(taps, 2), conv.weight)
