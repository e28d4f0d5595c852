"""The pose prior: a Student-t density learned from motion capture, and joint limits (docs/body.md, 5).

The density is over the first two columns of the local rotation matrices, which are continuous
(Zhou et al. 2019). Its tails are heavy, so that a rare pose (a squat, a T-pose) has a bounded
gradient and is not drawn to the mean. `scripts/train/pose_prior.py` learns it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.store.places import ASSETS
from hvr_nb.types import HvrError

PRIOR_FILE = ASSETS / "pose_prior.npz"
# joints whose rotations the motion capture has; its collars, toes and hands do not move
PRIOR_JOINTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 18, 19, 20, 21)
STIFF_JOINTS = (10, 11, 13, 14, 22, 23)  # toes, collars, hands: near their rest rotation
STIFF_SIGMA = np.repeat((0.15, 0.15, 0.15, 0.15, 0.05, 0.05), 3)  # radians
HINGE_SLACK = 0.15  # sine of the overextension that a knee or an elbow may have
HINGE_WEIGHT = 50.0
# (joint, row, column, sign): this entry of the local rotation, times sign, is the sine of the flexion
HINGES = ((4, 2, 1, 1.0), (5, 2, 1, 1.0), (18, 2, 0, 1.0), (19, 2, 0, -1.0))


@dataclass(frozen=True)
class PosePrior:
    """Multivariate Student-t over the 6-D rotations of ``PRIOR_JOINTS`` (D = 6 x 17)."""

    mean: np.ndarray  # (D,)
    whiten: np.ndarray  # (D, D); |(x - mean) @ whiten|^2 is the squared distance
    dof: float  # degrees of freedom; small = heavy tails

    def residual(self, rotations: np.ndarray) -> np.ndarray:
        """Whitened deviation (N, D) of local rotations (N, 24, 3, 3)."""
        return (six_d(rotations[:, PRIOR_JOINTS]).reshape(len(rotations), -1) - self.mean) @ self.whiten

    def energy(self, squared: np.ndarray) -> np.ndarray:
        """Negative log density of squared distances (N,), up to a constant."""
        return 0.5 * (self.dof + len(self.mean)) * np.log1p(squared / self.dof)

    def weight(self, squared: np.ndarray) -> np.ndarray:
        """Derivative (N,) of ``energy``: the weight of the squares in a reweighted least-squares step."""
        return 0.5 * (self.dof + len(self.mean)) / (self.dof + squared)

    def slopes(self, rotations: np.ndarray) -> np.ndarray:
        """Derivative (N, D, 72) of ``residual`` where local rotations are perturbed on the right."""
        out = np.zeros((len(rotations), len(self.mean), 72))
        for row, joint in enumerate(PRIOR_JOINTS):
            moved = np.einsum("nab,cbd->ncad", rotations[:, joint], COLUMN_TURN[:2])  # (N, 2, 3, 3)
            at = slice(6 * row, 6 * row + 6)
            out[..., 3 * joint : 3 * joint + 3] = self.whiten[at].T @ moved.reshape(-1, 6, 3)
        return out


# d(R e_c) = R (d x e_c) = R COLUMN_TURN[c] d
COLUMN_TURN = -np.cross(np.eye(3)[:, None, :], np.eye(3)[None, :, :]).swapaxes(1, 2)


def six_d(rotations: np.ndarray) -> np.ndarray:
    """First two columns of (..., 3, 3) rotations as (..., 6)."""
    return np.swapaxes(rotations[..., :2], -1, -2).reshape(*rotations.shape[:-2], 6)


def limits(rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joint limits: overextended knees and elbows, and toes, collars and hands away from rest.

    Args:
        rotations: (N, 24, 3, 3) local; the body faces +z, left is +x.

    Returns:
        residuals (N, 22) to be squared and summed, and their derivatives (N, 22, 72).
    """
    n = len(rotations)
    r, J = np.zeros((n, 22)), np.zeros((n, 22, 72))
    for k, (joint, row, column, sign) in enumerate(HINGES):
        over = np.maximum(-sign * rotations[:, joint, row, column] - HINGE_SLACK, 0.0)
        r[:, k] = HINGE_WEIGHT**0.5 * over
        slope = rotations[:, joint, row] @ COLUMN_TURN[column]
        J[:, k, 3 * joint : 3 * joint + 3] = -(HINGE_WEIGHT**0.5) * sign * slope * (over > 0)[:, None]
    for k, joint in enumerate(STIFF_JOINTS):
        at, sigma = slice(4 + 3 * k, 7 + 3 * k), STIFF_SIGMA[3 * k : 3 * k + 3]
        r[:, at] = Rotation.from_matrix(rotations[:, joint]).as_rotvec() / sigma
        J[:, at, 3 * joint : 3 * joint + 3] = np.diag(1 / sigma)
    return r, J


@functools.lru_cache(maxsize=1)
def load_pose_prior() -> PosePrior:
    """The pose prior shipped with the package.

    Raises:
        HvrError: its file is missing.
    """
    if not PRIOR_FILE.exists():
        raise HvrError(f"{PRIOR_FILE} is missing; run scripts/train/pose_prior.py")
    with np.load(PRIOR_FILE, allow_pickle=False) as file:
        mean, whiten = file["mean"].astype(np.float64), file["whiten"].astype(np.float64)
        return PosePrior(mean, whiten, float(file["dof"]))
