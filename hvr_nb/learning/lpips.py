"""LPIPS, a perceptual distance, where VGG16's weights are on the disk; they are never downloaded.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018,
version 0.1. Only VGG16's convolutions are needed, so neither torchvision nor the package ``lpips`` has
to be installed: torchvision's file is read directly. LPIPS's own weights (one for each channel) are
shipped with their licence, ``assets/LICENSE-lpips.md``.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hvr_nb.store.places import ASSETS, MODELS
from hvr_nb.types import HvrError

VGG_FILE = "vgg16-397923af.pth"  # torchvision's file of the weights that LPIPS was trained on
CHANNELS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 3, 3, 3)  # convolutions between the layers that are compared
LEAST_SIDE = 16  # pixels, of which four poolings leave one
_MEAN, _SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # LPIPS's scaling of -1..1
_ASSET = ASSETS / "lpips_vgg.npz"


class Lpips(nn.Module):
    """LPIPS as a network with fixed weights; gradients reach the pictures.

    Args:
        state: VGG16's tensors under torchvision's names ("features.0.weight", ...); others are ignored.
    """

    def __init__(self, state: dict[str, Tensor]):
        super().__init__()
        self.slices, index, inputs = nn.ModuleList(), 0, 3
        for k, (channels, depth) in enumerate(zip(CHANNELS, DEPTHS, strict=True)):
            layers: list[nn.Module] = [nn.MaxPool2d(2)] if k else []
            index += len(layers)
            for _ in range(depth):
                conv = nn.Conv2d(inputs, channels, 3, padding=1)
                with torch.no_grad():
                    conv.weight.copy_(state[f"features.{index}.weight"])
                    conv.bias.copy_(state[f"features.{index}.bias"])
                layers, index, inputs = [*layers, conv, nn.ReLU()], index + 2, channels
            self.slices.append(nn.Sequential(*layers))
        with np.load(_ASSET, allow_pickle=False) as file:
            for k in range(len(CHANNELS)):
                self.register_buffer(f"lin{k}", torch.from_numpy(file[f"lin{k}"]).view(-1, 1, 1))
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1))
        self.register_buffer("spread", torch.tensor(_SPREAD).view(3, 1, 1))
        self.requires_grad_(False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distance (N,) of pictures (N, 3, H, W) in -1..1; H and W are at least 16."""
        if a.shape != b.shape or min(a.shape[2:]) < LEAST_SIDE:
            raise HvrError(
                f"LPIPS needs two pictures of one size, at least {LEAST_SIDE} pixels a side, not "
                f"{tuple(a.shape)} and {tuple(b.shape)}"
            )
        x, total = (torch.cat([a, b]) - self.mean) / self.spread, 0.0
        for k, layers in enumerate(self.slices):
            x = layers(x)
            unit = x / (torch.sqrt((x**2).sum(1, keepdim=True)) + 1e-10)
            one, other = unit.chunk(2)
            total = total + (getattr(self, f"lin{k}") * (one - other) ** 2).sum(1).mean((1, 2))
        return total


def vgg_places() -> tuple[Path, Path]:
    """Where VGG16's weights are looked for: the project's models, and torchvision's own folder."""
    return MODELS / VGG_FILE, Path(torch.hub.get_dir()) / "checkpoints" / VGG_FILE


def lpips_missing() -> str:
    """Why LPIPS cannot be measured here, and what would help; "" where it can."""
    if any(path.exists() for path in vgg_places()):
        return ""
    return (
        f"LPIPS not measured: put torchvision's {VGG_FILE} into data/models (it is not downloaded by itself)"
    )


def load_lpips() -> Lpips:
    """LPIPS with the weights found.

    Raises:
        HvrError: there are none (``lpips_missing``), or the file is not VGG16's.
    """
    found = [path for path in vgg_places() if path.exists()]
    if not found:
        raise HvrError(lpips_missing())
    return _read(found[0], found[0].stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read(path: Path, _changed: int) -> Lpips:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return Lpips(state).eval()
    except Exception as error:  # torch raises many types for a damaged or wrong file
        raise HvrError(
            f"{path} is not torchvision's {VGG_FILE}; delete it or fetch it again ({error})"
        ) from error


@torch.no_grad()
def lpips(pred: np.ndarray, truth: np.ndarray, net: Lpips) -> dict[str, float]:
    """LPIPS, mean over pictures: by its definition, and as in Instant-NVR's evaluation (docs/field.md, 10).

    Args:
        pred, truth: (T, H, W, 3), both uint8 or both float 0..1.

    Returns:
        lpips (inputs scaled to -1..1) and published_lpips (inputs left in 0..1).
    """
    rows = []
    for pair in zip(pred, truth, strict=True):
        a, b = (
            torch.from_numpy(x / 255 if x.dtype == np.uint8 else x).permute(2, 0, 1)[None].to(net.mean)
            for x in pair
        )
        rows.append((float(net(2 * a - 1, 2 * b - 1)), float(net(a, b))))
    return dict(zip(("lpips", "published_lpips"), np.mean(rows, 0).tolist(), strict=True))
