"""A small correction of the camera's intrinsics, learned with the avatar.

The extrinsics of a single camera cannot be told from the pose of the body, which ``pose.PoseCorrection``
corrects in every frame (this covers a hand-held camera too). What remains is the focal length and the
image centre. Like the pose's, this correction is linear within a step and folded into the camera every few
hundred steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from hvr_nb.types import Camera


class LensCorrection(nn.Module):
    """Logarithm of the focal length, and image centre in focal lengths, since the last fold."""

    def __init__(self):
        super().__init__()
        self.change = nn.Parameter(torch.zeros(3))
        self.register_buffer("folded", torch.zeros(3))

    def forward(self, points: Tensor, camera: Camera) -> Tensor:
        """(N, 3) metres that world points (N, 3) move by to keep pixel and depth as the lens changes."""
        R, t = (torch.as_tensor(a, dtype=points.dtype, device=points.device) for a in (camera.R, camera.t))
        x = points @ R.T + t
        moved = torch.cat(
            [self.change[0] * x[:, :2] + self.change[1:] * x[:, 2:], torch.zeros_like(x[:, 2:])], 1
        )
        return -moved @ R

    def prior(self) -> Tensor:
        """Mean squared correction since the start."""
        return ((self.change + self.folded) ** 2).mean()

    @torch.no_grad()
    def fold(self) -> np.ndarray:
        """Return the correction (3,) and start again from zero."""
        out = self.change.cpu().numpy().astype(np.float64)
        self.folded += self.change
        self.change.zero_()
        return out


def refocused_lens(camera: Camera, change: np.ndarray) -> Camera:
    """A camera with a correction (3,) of ``LensCorrection`` applied; any picture size."""
    K = camera.K.copy()
    focal = K[[0, 1], [0, 1]].copy()
    K[[0, 1], [0, 1]] = focal * np.exp(change[0])
    K[:2, 2] += change[1:] * focal
    return replace(camera, K=K, source="refined") if np.any(change) else camera
