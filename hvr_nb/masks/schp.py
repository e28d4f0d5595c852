"""Human parsing with a user's SCHP checkpoint (docs/perception.md, 7).

The network is AugmentCE2P (Li et al., "Self-Correction for Human Parsing", TPAMI 2020; Ruan et al., "Devil
in the Details", AAAI 2019), written from the list of its tensors. Its InPlaceABN layers
(Rota Bulo et al., CVPR 2018) are plain batch normalisation here, with |gamma| + eps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from hvr_nb.types import HvrError, Masks

_MEAN, _STD = (0.406, 0.456, 0.485), (0.225, 0.224, 0.229)  # BGR
_SETS = {20: ("CIHP", 473), 18: ("ATR", 512)}  # number of classes: label set, input side
_REMEDY = "give an SCHP checkpoint (.pth) trained on LIP, CIHP or ATR"


class InPlaceABN(nn.Module):
    """Batch normalisation with gamma = |weight| + eps, then leaky ReLU if asked for; (B, C, H, W)."""

    def __init__(self, channels: int, *, activation: bool = True, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.activation, self.eps = activation, eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise with the stored statistics (inference only)."""
        gamma = self.weight.abs() + self.eps
        x = F.batch_norm(x, self.running_mean, self.running_var, gamma, self.bias, False, 0.0, self.eps)
        return F.leaky_relu(x, 0.01) if self.activation else x


def _conv(
    inside: int, outside: int, kernel: int = 1, *, stride: int = 1, dilation: int = 1, bias: bool = False
) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(inside, outside, kernel, stride, padding, dilation, bias=bias)


class Bottleneck(nn.Module):
    """ResNet bottleneck: 1x1, 3x3, 1x1 convolutions and the shortcut (He et al., CVPR 2016)."""

    def __init__(self, inside: int, planes: int, *, stride: int = 1, dilation: int = 1):
        super().__init__()
        outside = 4 * planes
        self.conv1, self.bn1 = _conv(inside, planes), InPlaceABN(planes, activation=False)
        self.conv2 = _conv(planes, planes, 3, stride=stride, dilation=dilation)
        self.bn2 = InPlaceABN(planes, activation=False)
        self.conv3, self.bn3 = _conv(planes, outside), InPlaceABN(outside, activation=False)
        self.downsample = None
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(
                _conv(inside, outside, stride=stride), InPlaceABN(outside, activation=False)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inside, H, W) to (B, 4 planes, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class PyramidPooling(nn.Module):
    """PSP module (Zhao et al., CVPR 2017): pooling to 1, 2, 3 and 6 cells, 2048 channels to 512."""

    def __init__(self, inside: int = 2048, outside: int = 512):
        super().__init__()
        self.cells = (1, 2, 3, 6)
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(n), _conv(inside, outside), InPlaceABN(outside))
            for n in self.cells
        )
        self.bottleneck = nn.Sequential(_conv(inside + 4 * outside, outside, 3), InPlaceABN(outside))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2048, H, W) to (B, 512, H, W)."""
        pooled = [_resize(stage(x), x.shape[2:]) for stage in self.stages]
        return self.bottleneck(torch.cat([*pooled, x], 1))


class EdgeModule(nn.Module):
    """Edge branch on layers 1, 2 and 3: features for the fusion, and the edge map."""

    def __init__(self, inside: tuple[int, ...] = (256, 512, 1024), middle: int = 256, outside: int = 2):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (
            nn.Sequential(_conv(c, middle), InPlaceABN(middle)) for c in inside
        )
        self.conv4 = _conv(middle, outside, 3, bias=True)
        self.conv5 = _conv(3 * outside, outside, bias=True)

    def forward(self, x1: Tensor, x2: Tensor, x3: Tensor) -> tuple[Tensor, Tensor]:
        """Edge logits (B, 2, H, W) and features (B, 768, H, W) at the size of ``x1``."""
        features = [self.conv1(x1), self.conv2(x2), self.conv3(x3)]
        edges = [_resize(self.conv4(f), x1.shape[2:]) for f in features]
        features = [_resize(f, x1.shape[2:]) for f in features]
        return self.conv5(torch.cat(edges, 1)), torch.cat(features, 1)


class Decoder(nn.Module):
    """Context and low-level features to the parsing features (B, 256, H, W) and logits."""

    def __init__(self, classes: int):
        super().__init__()
        self.conv1 = nn.Sequential(_conv(512, 256), InPlaceABN(256))
        self.conv2 = nn.Sequential(_conv(256, 48), InPlaceABN(48))
        self.conv3 = nn.Sequential(_conv(304, 256), InPlaceABN(256), _conv(256, 256), InPlaceABN(256))
        self.conv4 = _conv(256, classes, bias=True)

    def forward(self, context: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes, H, W) and features (B, 256, H, W)."""
        low = self.conv2(low)
        features = self.conv3(torch.cat([_resize(self.conv1(context), low.shape[2:]), low], 1))
        return self.conv4(features), features


class AugmentCE2P(nn.Module):
    """ResNet-101 with context, edge and parsing branches, fused (66.7 million weights)."""

    def __init__(self, classes: int = 20, *, layers: tuple[int, ...] = (3, 4, 23, 3)):
        super().__init__()
        self.conv1, self.bn1 = _conv(3, 64, 3, stride=2), InPlaceABN(64, activation=False)
        self.conv2, self.bn2 = _conv(64, 64, 3), InPlaceABN(64, activation=False)
        self.conv3, self.bn3 = _conv(64, 128, 3), InPlaceABN(128, activation=False)
        self.layer1 = _layer(128, 64, layers[0])
        self.layer2 = _layer(256, 128, layers[1], stride=2)
        self.layer3 = _layer(512, 256, layers[2], stride=2)
        self.layer4 = _layer(1024, 512, layers[3], dilation=2)
        self.context_encoding, self.edge, self.decoder = PyramidPooling(), EdgeModule(), Decoder(classes)
        self.fushion = nn.Sequential(
            _conv(1024, 256), InPlaceABN(256), nn.Dropout2d(0.1), _conv(256, classes, bias=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised BGR to the fused logits (B, classes, H / 4, W / 4)."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.max_pool2d(F.relu(self.bn3(self.conv3(x))), 3, 2, 1)
        x1 = self.layer1(x)
        x2 = self.layer2(x1)
        x3 = self.layer3(x2)
        _, parsing = self.decoder(self.context_encoding(self.layer4(x3)), x1)
        _, edges = self.edge(x1, x2, x3)
        return self.fushion(torch.cat([parsing, edges], 1))


def _layer(inside: int, planes: int, blocks: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    first = Bottleneck(inside, planes, stride=stride, dilation=dilation)
    rest = (Bottleneck(4 * planes, planes, dilation=dilation) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


def _resize(x: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


def load_schp(path: str | Path) -> AugmentCE2P:
    """Load an SCHP checkpoint (``{"state_dict": ...}``, keys perhaps prefixed ``module.``) for inference.

    Raises:
        HvrError: the file is missing, is not a checkpoint, holds code, or is of another network.
    """
    path = Path(path)
    if not path.is_file():
        raise HvrError(f"{path} is missing; {_REMEDY}")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a wrong file
        raise HvrError(f"{path} is no checkpoint of tensors ({type(error).__name__}); {_REMEDY}") from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise HvrError(f"{path} holds no state_dict; {_REMEDY}")
    state = {k.removeprefix("module."): v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    last = state.get("fushion.3.weight")
    if last is None or last.ndim != 4 or last.shape[0] not in _SETS:
        found = "no fushion.3.weight" if last is None else f"{last.shape[0]} classes"
        raise HvrError(f"{path} is not an SCHP network with 20 or 18 classes ({found}); {_REMEDY}")
    network = AugmentCE2P(last.shape[0])
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise HvrError(f"{path} does not fit AugmentCE2P ({str(error)[:300]}); {_REMEDY}") from error
    return network.eval().requires_grad_(False)


def _affine(height: int, width: int, side: int) -> np.ndarray:
    """(2, 3) affine map of an image, padded to a square about its middle, to side x side pixels."""
    ratio = side / max(height, width)
    return np.array([[ratio, 0.0, 0.5 * (side - ratio * width)], [0.0, ratio, 0.5 * (side - ratio * height)]])


def _logits(network: AugmentCE2P, image: np.ndarray, side: int) -> np.ndarray:
    """(H, W, classes) float32 logits of an image (H, W, 3) uint8 RGB."""
    height, width = image.shape[:2]
    fit = _affine(height, width, side)
    square = cv2.warpAffine(image[..., ::-1], fit, (side, side), flags=cv2.INTER_LINEAR)
    x = (square.astype(np.float32) / 255.0 - np.float32(_MEAN)) / np.float32(_STD)
    with torch.inference_mode():
        out = network(torch.from_numpy(x.transpose(2, 0, 1))[None].to(next(network.parameters()).device))
        out = _resize(out, (side, side))[0].permute(1, 2, 0).cpu().numpy()
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    channels = (np.ascontiguousarray(out[..., c]) for c in range(out.shape[2]))
    return np.stack([cv2.warpAffine(c, fit, (width, height), flags=flags) for c in channels], -1)


def _boxes(alpha: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """The whole image, and the person's box times 1.2; SCHP sums the logits of both."""
    yield slice(None), slice(None)
    y, x = np.nonzero(alpha > 127)
    pad_y, pad_x = round(0.1 * np.ptp(y)), round(0.1 * np.ptp(x))
    yield (
        slice(max(y.min() - pad_y, 0), y.max() + pad_y + 1),
        slice(max(x.min() - pad_x, 0), x.max() + pad_x + 1),
    )


def parse_with_schp(
    frames: np.ndarray, masks: Masks, checkpoint: str | Path, *, label_set: str = "CIHP", device: str = "cpu"
) -> Masks:
    """Label the person's pixels with the user's SCHP checkpoint.

    Logits of the whole image and of the person's box are summed (docs/perception.md, 7). Inside the
    silhouette the best label other than background is taken.

    Args:
        frames: (T, H, W, 3) uint8 RGB. masks: silhouettes.
        label_set: the meaning of a checkpoint with 20 classes, "CIHP" or "LIP"; 18 classes are ATR.
        device: a torch device.

    Returns:
        ``masks`` with labels.
    """
    network = load_schp(checkpoint).to(device)
    known, side = _SETS[network.decoder.conv4.out_channels]
    labels = np.zeros(masks.alpha.shape, np.uint8)
    for t in tqdm(range(len(frames)), desc="parsing (SCHP)", unit="frame"):
        inside = masks.alpha[t] > 127
        if not inside.any():
            continue
        total: np.ndarray | float = 0.0
        for box in _boxes(masks.alpha[t]):
            logits = np.zeros((*inside.shape, network.decoder.conv4.out_channels), np.float32)
            logits[box] = _logits(network, np.ascontiguousarray(frames[t][box]), side)
            total = total + logits
        labels[t] = np.where(inside, 1 + total[..., 1:].argmax(-1), 0)
    return replace(
        masks,
        labels=labels,
        label_set=label_set if known == "CIHP" else known,
        parsing_source=f"SCHP, {Path(checkpoint).name}",
    )
