"""Small corrections of every frame's pose, learned with the avatar.

Within a step the correction is linear: each joint rotates its subtree a little about its own place, and
the whole body shifts. Every few hundred steps it is folded into the pose itself and starts again from
zero, as in Gauss-Newton, so the nearest-surface search needs no gradient (docs/field.md, 7).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from hvr_nb.body.kinematics import ancestors
from hvr_nb.learning.losses import second_difference


class PoseCorrection(nn.Module):
    """World-axis rotations about the joints and a shift, for T frames, since the last fold.

    Args:
        parents: 24 parent joints. frames: T.
    """

    def __init__(self, parents, frames: int):
        super().__init__()
        self.turn = nn.Parameter(torch.zeros(frames, 24, 3))  # radians
        self.shift = nn.Parameter(torch.zeros(frames, 3))  # metres
        self.register_buffer("folded_turn", torch.zeros(frames, 24, 3))
        self.register_buffer("folded_shift", torch.zeros(frames, 3))
        self.register_buffer("above", torch.from_numpy(ancestors(parents)).float())

    def forward(
        self, points: Tensor, weights: Tensor, frames: Tensor, counts: list[int], joints: Tensor
    ) -> Tensor:
        """How far the correction moves the body at world points.

        Args:
            points: (N, 3) metres, frame after frame. weights: (N, 24) skin weights.
            frames: (F,) frames of the batch. counts: F numbers of points, N in all.
            joints: (F, 24, 3) posed joints, metres.

        Returns:
            (N, 3) metres; points less this see the uncorrected body as they would see the corrected one.
        """
        turn = self.turn[frames]
        screw = torch.cat([turn, torch.linalg.cross(joints, turn)], -1)
        bone = self.above @ screw  # every bone moves with all its ancestors
        shift = torch.cat([torch.zeros_like(self.shift[frames]), self.shift[frames]], -1)[:, None]
        motion = torch.cat([w @ b for w, b in zip(weights.split(counts), bone + shift, strict=True)])
        return torch.linalg.cross(motion[:, :3], points) + motion[:, 3:]

    def prior(self) -> Tensor:
        """Mean squared correction since the start, radians and decimetres alike."""
        turn, shift = self.turn + self.folded_turn, self.shift + self.folded_shift
        return (turn**2).mean() + (10 * shift).square().mean()

    def roughness(self) -> Tensor:
        """Mean squared acceleration of the correction from frame to frame."""
        turn, shift = self.turn + self.folded_turn, self.shift + self.folded_shift
        return second_difference(turn.flatten(1)) + second_difference(10 * shift)

    @torch.no_grad()
    def fold(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the correction, turns (T, 24, 3) and shifts (T, 3), and start again from zero."""
        out = self.turn.cpu().numpy().astype(np.float64), self.shift.cpu().numpy().astype(np.float64)
        self.folded_turn += self.turn
        self.folded_shift += self.shift
        self.turn.zero_()
        self.shift.zero_()
        return out


def spread_to_all(values: np.ndarray, trained: np.ndarray, count: int) -> np.ndarray:
    """Values (len(trained), ...) of trained frames, interpolated to all ``count`` frames: (count, ...)."""
    flat = values.reshape(len(values), -1)
    every = np.arange(count)
    out = np.stack([np.interp(every, trained, column) for column in flat.T], -1)
    return out.reshape(count, *values.shape[1:])
