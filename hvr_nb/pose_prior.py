"""How likely a pose is: a Student-t density learned from motion capture, and hard joint limits.

The density lives on the first two columns of the local rotation matrices (continuous, no wrap
at pi; Zhou et al. 2019). Its heavy tails make a rare pose (a squat, a T-pose) cost a bounded
slope instead of pulling it toward the mean. `scripts/train_pose_prior.py` makes the asset.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hvr_nb.body_model import ASSETS
from hvr_nb.types import HvrError

PRIOR_FILE = ASSETS / "pose_prior.npz"
# Joints whose rotations the motion capture knows; collars, toes and hands are held still there.
PRIOR_JOINTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 18, 19, 20, 21)
STIFF_JOINTS = (10, 11, 13, 14, 22, 23)  # toes, collars, hands: near their rest rotation
STIFF_SIGMA = (0.15, 0.15, 0.15, 0.15, 0.05, 0.05)  # radians
HINGE_SLACK = 0.15  # sine of the hyperextension a knee or an elbow may show


@dataclass(frozen=True)
class PosePrior:
    """Multivariate Student-t over the 6-D rotations of ``PRIOR_JOINTS`` (D = 6 x 17)."""

    mean: Tensor  # (D,)
    whiten: Tensor  # (D, D) upper triangular; |(x - mean) @ whiten|^2 is the squared distance
    dof: float  # degrees of freedom; small = heavy tails

    def energy(self, rotations: Tensor) -> Tensor:
        """Negative log density, up to a constant, per frame.

        Args:
            rotations: (B, 24, 3, 3) local rotations.

        Returns:
            (B,) ``(dof + D) / 2 log(1 + m / dof)`` with m the squared Mahalanobis distance.
        """
        x = six_d(rotations[:, PRIOR_JOINTS]).flatten(1)
        m = (((x - self.mean) @ self.whiten) ** 2).sum(1)
        return 0.5 * (self.dof + len(self.mean)) * torch.log1p(m / self.dof)


def six_d(rotations: Tensor) -> Tensor:
    """First two columns of (..., 3, 3) rotations as (..., 6)."""
    return rotations[..., :2].transpose(-1, -2).flatten(-2)


def limit_energy(rotations: Tensor) -> Tensor:
    """Knees and elbows bent the wrong way, and stray toes, collars and hands: (B,) energy.

    Args:
        rotations: (B, 24, 3, 3) local rotations; the body faces +z, left is +x.
    """
    knees = rotations[:, (4, 5), 2, 1]  # sine of the flexion
    elbows = torch.stack([rotations[:, 18, 2, 0], -rotations[:, 19, 2, 0]], 1)
    back = torch.relu(-torch.cat([knees, elbows], 1) - HINGE_SLACK)
    twist = torch.relu(rotations[:, (4, 5), 0, 1].abs() - 0.2)  # knees do not bend sideways
    sigma = torch.tensor(STIFF_SIGMA, dtype=rotations.dtype)
    trace = torch.diagonal(rotations[:, STIFF_JOINTS], dim1=-2, dim2=-1).sum(-1)
    stiff = (3 - trace) / sigma**2  # |R - I|^2 / 2, about angle^2
    return 50 * (back**2).sum(1) + 50 * (twist**2).sum(1) + 0.5 * stiff.sum(1)


@functools.lru_cache(maxsize=1)
def load_pose_prior() -> PosePrior:
    """The prior shipped with the package."""
    if not PRIOR_FILE.exists():
        raise HvrError(f"{PRIOR_FILE} is missing; run scripts/train_pose_prior.py")
    with np.load(PRIOR_FILE, allow_pickle=False) as file:
        mean, whiten = (torch.as_tensor(file[k], dtype=torch.float32) for k in ("mean", "whiten"))
        return PosePrior(mean=mean, whiten=whiten, dof=float(file["dof"]))
