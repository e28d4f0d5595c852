"""PamirNet: occupancy from a picture and the body in it (docs/pamir.md, 2).

Zheng, Yu, Liu and Dai, "PaMIR: Parametric model-conditioned implicit representation for image-based human
reconstruction", TPAMI 2021. A point's features are read from the picture where the point is seen, and from
a volume that tells which part of the body is near; a small network turns them into an occupancy.

Points are in the crop's unit cube: -0.5..0.5, y up, z to the camera. Features are made once for a picture
and queried for any number of points.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hvr_nb.methods.pamir.hourglass import StackedHourglass
from hvr_nb.methods.pamir.point_network import (
    PointNetwork,
    project_cube,
    sample_maps,
    sample_volumes,
    start_small,
)
from hvr_nb.methods.pamir.sizes import ORIGINAL, PamirSizes
from hvr_nb.methods.pamir.volume_encoder import VolumeEncoder
from hvr_nb.types import HvrError

PLACE = 7  # values of a point's place on the body: signed distance, code, normal
DISTANCE_UNIT = 0.02  # units of the cube that are one in the network's input; 4 cm
START = 5.0  # largest logit of the body itself, which training can outweigh


class PamirNet(nn.Module):
    """The geometry network; the names of its parts are the published checkpoint's."""

    def __init__(self, sizes: PamirSizes = ORIGINAL):
        super().__init__()
        self.sizes = sizes
        self.hg = StackedHourglass(sizes)
        self.ve = VolumeEncoder(sizes)
        inputs = sizes.maps + sizes.volumes + (PLACE if sizes.body else 0)
        self.mlp = PointNetwork(inputs, sizes.hidden, 1)
        if not sizes.body:
            self.apply(start_small)
        else:  # starts as the body itself
            last = getattr(self.mlp, f"conv{self.mlp.count}")[0]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (N, 3, S, S), RGB 0..1 on white, to the maps (N, C, H, W) of the supervised stages."""
        return self.hg(pictures)[-self.sizes.stages :]

    def volume(self, semantic: Tensor) -> list[Tensor]:
        """Semantic volumes (N, 3, D, H, W) to the volumes (N, C, d, h, w) of the supervised stages."""
        return self.ve(semantic)[-self.sizes.stages :]

    def logits(
        self,
        features: Sequence[Tensor],
        volumes: Sequence[Tensor],
        points: Tensor,
        *,
        place: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> list[Tensor]:
        """Logits of every stage, each (N, P), positive inside.

        Args:
            features, volumes: of ``features`` and ``volume``.
            points: (N, P, 3) in the unit cube. place: (N, P, 7) of ``place_on_body``, which ``sizes.body``
                needs. seen: (N, P, 2) where the picture is read, -1..1; None projects the points.

        Raises:
            HvrError: a place is given to a network without one, or missing.
        """
        if (place is not None) != self.sizes.body:
            state = "needs" if self.sizes.body else "knows no"
            raise HvrError(f"this network {state} place on the body (place_on_body)")
        at = project_cube(points) if seen is None else seen
        extra, start = [], 0.0
        if place is not None:
            near = torch.tanh(place[..., :1] / DISTANCE_UNIT)
            extra = [torch.cat([near, place[..., 1:]], -1).transpose(1, 2)]
            start = -START * near[..., 0]
        return [
            self.mlp(torch.cat([sample_maps(m, at), sample_volumes(v, points), *extra], 1))[:, 0] + start
            for m, v in zip(features, volumes, strict=True)
        ]

    def occupancy(
        self,
        features: Sequence[Tensor],
        volumes: Sequence[Tensor],
        points: Tensor,
        *,
        place: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> Tensor:
        """Occupancy (N, P) of points (N, P, 3) by the last stage, 0..1, 1 inside; arguments of ``logits``."""
        last = (features[-1:], volumes[-1:])
        return torch.sigmoid(self.logits(*last, points, place=place, seen=seen)[0])
