"""P-STMO: spatial-temporal many-to-one lifting with masked pre-training (docs/perception.md, 8).

Shan et al., "P-STMO: Pre-trained spatial temporal many-to-one model for 3D human pose estimation",
ECCV 2022. Tensor names are those of the published files (docs/perception.md, 9). A clip is
(B, 2, F, J, 1): a perceptron encodes every frame, a transformer relates the frames, and a strided
transformer reduces them to one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hvr_nb.types import HvrError

DROPOUT = 0.1


class Norm(nn.Module):
    """Layer normalisation with the sample deviation, a (x - mean) / (std + 1e-6) + b."""

    def __init__(self, size: int):
        super().__init__()
        self.a_2 = nn.Parameter(torch.ones(size))
        self.b_2 = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis of (..., size)."""
        return self.a_2 * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-6) + self.b_2


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al., 2017); ``linears``: query, key, value, output."""

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.linears = nn.ModuleList(nn.Linear(size, size) for _ in range(4))
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, size) to the same shape."""
        q, k, v = (lin(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for lin in self.linears[:3])
        share = self.drop(torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), -1))
        return self.linears[3]((share @ v).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with ReLU between."""

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.w_1, self.w_2 = nn.Linear(size, hidden), nn.Linear(hidden, size)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, size) to the same shape."""
        return self.w_2(self.drop(torch.relu(self.w_1(x))))


class StridedFeedForward(nn.Module):
    """The feed-forward layer whose second half is a strided convolution over time."""

    def __init__(self, size: int, hidden: int, stride: int):
        super().__init__()
        self.w_1, self.w_2 = nn.Conv1d(size, hidden, 1), nn.Conv1d(hidden, size, 3, stride, 1)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, size) to (B, ceil(T / stride), size)."""
        return self.w_2(self.drop(torch.relu(self.w_1(x.transpose(1, 2))))).transpose(1, 2)


class Sublayer(nn.Module):
    """The normalisation and dropout around an attention or a feed-forward layer."""

    def __init__(self, size: int):
        super().__init__()
        self.norm, self.drop = Norm(size), nn.Dropout(DROPOUT)


class TransformerLayer(nn.Module):
    """One transformer layer, normalised first; with a stride it keeps every stride-th frame."""

    def __init__(self, size: int, hidden: int, heads: int, stride: int = 0):
        super().__init__()
        self.self_attn = Attention(size, heads)
        self.feed_forward = StridedFeedForward(size, hidden, stride) if stride else FeedForward(size, hidden)
        self.sublayer = nn.ModuleList(Sublayer(size) for _ in range(2))
        self.stride = stride or 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, size) to (B, ceil(T / stride), size)."""
        first, second = self.sublayer
        x = x + first.drop(self.self_attn(first.norm(x)))
        return x[:, :: self.stride] + second.drop(self.feed_forward(second.norm(x)))


class Encoder(nn.Module):
    """L layers; the published files carry a final norm that is never applied."""

    def __init__(self, layers: int, size: int, hidden: int, heads: int):
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(size, hidden, heads) for _ in range(layers))
        self.norm = Norm(size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, size) to the same shape."""
        for layer in self.layers:
            x = layer(x)
        return x


class StridedEncoder(nn.Module):
    """One transformer layer for each stride, with learned positions before the first three."""

    def __init__(self, frames: int, size: int, hidden: int, heads: int, strides: tuple[int, ...]):
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(size, hidden, heads, stride) for stride in strides)
        self.norm = Norm(size)
        for k in (1, 2, 3):
            self.register_parameter(f"pos_embedding_{k}", nn.Parameter(torch.randn(1, frames, size)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, size) to (B, 1, size)."""
        for k, layer in enumerate(self.layers):
            if k < 3:
                x = x + getattr(self, f"pos_embedding_{k + 1}")[:, : x.shape[1]]
            x = layer(x)
        return x


class _Transformer(nn.Module):
    """The encoder under the name that the files give it, ``model``; with learned positions if asked for."""

    def __init__(self, model: nn.Module, frames: int = 0, size: int = 0):
        super().__init__()
        if frames:
            self.pos_embedding = nn.Parameter(torch.randn(1, frames, size))
        self.model = model


class Residual(nn.Module):
    """A residual block: two 1x1 convolutions with normalisation and leaky ReLU."""

    def __init__(self, size: int):
        super().__init__()
        self.w1, self.w2 = nn.Conv1d(size, size, 1), nn.Conv1d(size, size, 1)
        self.batch_norm1, self.batch_norm2 = nn.BatchNorm1d(size), nn.BatchNorm1d(size)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """(B, size, F) to the same shape."""
        y = self.drop(_leaky(self.batch_norm1(self.w1(x))))
        return x + self.drop(_leaky(self.batch_norm2(self.w2(y))))


class FrameEncoder(nn.Module):
    """Encodes each frame separately: ``values`` numbers to ``size`` features."""

    def __init__(self, values: int, hidden: int, size: int):
        super().__init__()
        self.fc_1, self.bn_1 = nn.Conv1d(values, hidden, 1), nn.BatchNorm1d(hidden)
        self.layers = nn.ModuleList([Residual(hidden)])
        self.fc_2 = nn.Conv1d(hidden, size, 1)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """(B, values, F) to (B, F, size)."""
        x = self.drop(_leaky(self.bn_1(self.fc_1(x))))
        for layer in self.layers:
            x = layer(x)
        return self.fc_2(x).transpose(1, 2)


def _leaky(x: Tensor) -> Tensor:
    return nn.functional.leaky_relu(x, 0.2)


def _head(size: int, values: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm1d(size), nn.Conv1d(size, values, 1))


def _values(x: Tensor) -> Tensor:
    """(B, C, F, J, 1) to (B, J C, F), the values of a joint side by side."""
    return x[..., 0].permute(0, 3, 1, 2).flatten(1, 2)


def _clip(x: Tensor, coordinates: int) -> Tensor:
    """(B, J C, F) to (B, C, F, J, 1)."""
    return x.unflatten(1, (-1, coordinates)).permute(0, 2, 3, 1)[..., None]


class _Encoded(nn.Module):
    """What the networks of both stages begin with: frames encoded, then related to each other.

    Args:
        frames: F of a window. layers: transformer layers (3: P-STMO-S, 4: P-STMO).
        channels, hidden, heads: sizes of the transformer. joints_in: joints of a 2D frame.
    """

    def __init__(
        self,
        frames: int = 243,
        layers: int = 3,
        *,
        channels: int = 256,
        hidden: int = 512,
        heads: int = 8,
        joints_in: int = 17,
    ):
        super().__init__()
        self.frames, self.channels, self.hidden, self.heads = frames, channels, hidden, heads
        self.encoder = FrameEncoder(2 * joints_in, hidden, channels)
        self.Transformer = _Transformer(Encoder(layers, channels, hidden, heads), frames, channels)


class Stmo(_Encoded):
    """Stage II: frames to 3D joints, of all frames and of the middle one.

    Args:
        frames, layers, sizes: of ``_Encoded``. joints_out: joints of a 3D frame.
        strides: their product is ``frames``.
    """

    def __init__(
        self,
        frames: int = 243,
        layers: int = 3,
        *,
        strides: tuple[int, ...] = (3, 3, 3, 3, 3),
        joints_out: int = 17,
        **sizes: int,
    ):
        if math.prod(strides) != frames:
            raise HvrError(
                f"strides {tuple(strides)} reduce {math.prod(strides)} frames to one, not {frames}"
            )
        super().__init__(frames, layers, **sizes)
        reduce = StridedEncoder(frames, self.channels, self.hidden, self.heads, strides)
        self.Transformer_reduce = _Transformer(reduce)
        self.fcn = _head(self.channels, 3 * joints_out)
        self.fcn_1 = _head(self.channels, 3 * joints_out)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """2D (B, 2, F, J, 1) to 3D of the middle frame (B, 3, 1, J, 1) and of all (B, 3, F, J, 1)."""
        if x.shape[2] != self.frames:
            raise HvrError(f"a window has {x.shape[2]} frames, the network takes {self.frames}; pad the clip")
        x = self.encoder(_values(x))
        x = self.Transformer.model(x + self.Transformer.pos_embedding)
        every = _clip(self.fcn_1(x.transpose(1, 2)), 3)
        x = self.Transformer_reduce.model(x)
        return _clip(self.fcn(x.transpose(1, 2)), 3), every


class MaskedStmo(_Encoded):
    """Stage I, masked pose modelling: hidden frames and joints are predicted from the others.

    ``start_from`` copies the tensors that it shares with ``Stmo`` (``encoder``, ``Transformer``).

    Args:
        frames, layers, joints_in, sizes: of ``_Encoded``.
    """

    def __init__(self, frames: int = 243, layers: int = 3, *, joints_in: int = 17, **sizes: int):
        super().__init__(frames, layers, joints_in=joints_in, **sizes)
        half = self.channels // 2
        self.dec_pos_embedding = nn.Parameter(torch.randn(1, frames, half))
        self.mask_token = nn.Parameter(torch.randn(1, 1, half))
        self.spatial_mask_token = nn.Parameter(torch.randn(1, 1, 2))
        self.Transformer_dec = _Transformer(Encoder(layers - 1, half, self.hidden // 2, self.heads))
        self.encoder_to_decoder = nn.Linear(self.channels, half, bias=False)
        self.encoder_LN = Norm(self.channels)
        self.fcn_dec = _head(half, 2 * joints_in)

    def forward(self, x: Tensor, frames: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Predict hidden 2D frames.

        Args:
            x: (B, 2, F, J, 1) clean 2D. frames: (F,) bool, hidden frames.
            joints: (F, J) bool, joints hidden in each frame.

        Returns:
            (B, 2, F, J, 1) predicted, visible frames first and then the hidden ones, and the clean 2D
            in the same order.
        """
        hidden = joints[None, None, :, :, None]
        token = self.spatial_mask_token.view(1, 2, 1, 1, 1)
        y = self.encoder(_values(torch.where(hidden, token, x))) + self.Transformer.pos_embedding
        y = self.encoder_LN(self.Transformer.model(y[:, ~frames]))
        place = self.dec_pos_embedding.expand(len(x), -1, -1)
        seen, unseen = place[:, ~frames], place[:, frames]
        y = torch.cat([self.encoder_to_decoder(y) + seen, self.mask_token + unseen], 1)
        y = self.Transformer_dec.model(y)
        order = torch.cat([torch.where(~frames)[0], torch.where(frames)[0]])
        return _clip(self.fcn_dec(y.transpose(1, 2)), 2), x[:, :, order]


class Refine(nn.Module):
    """Stage III: weighs the estimate against the 2D joints at its depths (docs/perception.md, 9)."""

    def __init__(self, joints: int = 17, hidden: int = 1024):
        super().__init__()
        self.post_refine = nn.Sequential(
            nn.Linear(6 * joints, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, 2 * joints),
            nn.Sigmoid(),
        )

    def forward(self, estimate: Tensor, measured: Tensor) -> Tensor:
        """Joints (B, J, 3) of the network and the 2D joints at their depths (B, J, 3), to (B, J, 3).

        Both relative to joint 0, which stays at the origin.
        """
        root = torch.arange(estimate.shape[1], device=estimate.device)[:, None] == 0
        measured = measured.masked_fill(root, 0)
        share = self.post_refine(torch.cat([estimate, measured], -1).flatten(1)).unflatten(1, (-1, 2))
        flat = share * estimate[..., :2] + (1 - share) * measured[..., :2]
        return torch.cat([flat, estimate[..., 2:]], -1).masked_fill(root, 0)


def start_from(model: Stmo, trained: MaskedStmo) -> list[str]:
    """Copy every tensor that both networks have from the pre-trained one; returns their names."""
    ours, theirs = model.state_dict(), trained.state_dict()
    shared = [k for k in ours if k in theirs and ours[k].shape == theirs[k].shape]
    model.load_state_dict({k: theirs[k] for k in shared}, strict=False)
    return shared


def draw_masks(frames: int, joints: int, *, share: float, per_frame: int, generator: torch.Generator):
    """Random hidden frames (F,) and hidden joints (F, J) for one batch."""
    rows = torch.zeros(frames, dtype=torch.bool)
    rows[torch.randperm(frames, generator=generator)[: int(frames * share)]] = True
    cells = torch.zeros(frames, joints, dtype=torch.bool)
    picks = torch.rand(frames, joints, generator=generator).argsort(1)[:, :per_frame]
    return rows, cells.scatter_(1, picks, True)
