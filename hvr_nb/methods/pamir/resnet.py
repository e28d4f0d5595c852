"""ResNet-50 with torchvision's names, without its dependency: He et al., CVPR 2016 (docs/pamir.md, 2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = (3, 4, 6, 3)
WIDEN = 4


class _Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions; the stride is the middle one's."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        outputs = WIDEN * width
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, 4 width, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """Pictures to pooled features; ``fc`` belongs to the checkpoints, which hold it unused."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for k, count in enumerate(LAYERS):
            width = 64 * 2**k
            blocks = [_Bottleneck(inputs, width, 2 if k else 1)]
            inputs = WIDEN * width
            blocks += [_Bottleneck(inputs, width, 1) for _ in range(count - 1)]
            setattr(self, f"layer{k + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, 1000)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, 224, 224) with ImageNet's mean and deviation removed, to features (N, 2048)."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(pictures))), 3, 2, 1)
        for k in range(len(LAYERS)):
            x = getattr(self, f"layer{k + 1}")(x)
        return x.mean((2, 3))
