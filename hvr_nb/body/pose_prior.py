"""The pose prior: Student-t mixtures learned from motion capture, and joint limits (docs/body.md, 5).

The density is over the first two columns of the local rotation matrices, which are continuous (Zhou et al.
2019). Quiet stance and walking have components of their own, so that who stands is not drawn to the mean of
all that people do, which is a crouch. A component is over all joints at once: in walking arms, legs and trunk
go together. Tails are heavy, so that a rare pose has a bounded gradient. `scripts/train/pose_prior.py`
learns it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import logsumexp, softmax

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
    """Mixture of K multivariate Student-t densities over 6-D rotations of some joints (D = 6 x joints)."""

    joints: tuple[int, ...]
    means: np.ndarray  # (K, D)
    whiten: np.ndarray  # (K, D, D); |(x - mean) @ whiten|^2 is the squared distance from a component
    log_weights: np.ndarray  # (K,) logarithms of the densities at the means times the shares
    dof: float  # degrees of freedom; small = heavy tails

    @functools.cached_property
    def precisions(self) -> np.ndarray:
        """(K, D, D) inverse scatter matrices."""
        return self.whiten @ np.swapaxes(self.whiten, 1, 2)

    @property
    def shares(self) -> np.ndarray:
        """(K,) share of each component; they sum to 1."""
        return softmax(self.log_weights - np.linalg.slogdet(self.whiten)[1])

    def rate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How likely poses are, and where they would be more likely.

        Args:
            x: (N, D) 6-D rotations, see ``values``.

        Returns:
            energy (N,), the negative log density up to a constant; half of its gradient g (N, D); and P
            (N, D, D), so that a small step e changes the energy by about 2 g e + e P e. Every component
            counts by its responsibility for the pose times the weight of a Student-t's square (Peel and
            McLachlan 2000), so the steps of a Gauss-Newton fit are those of EM.
        """
        away = x[:, None] - self.means  # (N, K, D)
        squared = (np.einsum("nkd,kde->nke", away, self.whiten, optimize=True) ** 2).sum(-1)
        half = 0.5 * (self.dof + self.means.shape[1])
        log_density = self.log_weights - half * np.log1p(squared / self.dof)
        total = logsumexp(log_density, axis=1)
        weight = np.exp(log_density - total[:, None]) * half / (self.dof + squared)
        P = np.einsum("nk,kde->nde", weight, self.precisions, optimize=True)
        g = np.einsum("nk,kde,nke->nd", weight, self.precisions, away, optimize=True)
        return -total, g, P

    def values(self, rotations: np.ndarray) -> np.ndarray:
        """(N, D) 6-D rotations of its joints in local rotations (N, 24, 3, 3)."""
        return six_d(rotations[:, self.joints]).reshape(len(rotations), -1)

    def slopes(self, rotations: np.ndarray) -> np.ndarray:
        """Derivative (N, D, 72) of ``values`` where local rotations are perturbed on the right."""
        out = np.zeros((len(rotations), 6 * len(self.joints), 72))
        for row, joint in enumerate(self.joints):
            moved = np.einsum("nab,cbd->ncad", rotations[:, joint], COLUMN_TURN[:2])  # (N, 2, 3, 3)
            out[:, 6 * row : 6 * row + 6, 3 * joint : 3 * joint + 3] = moved.reshape(-1, 6, 3)
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
    """The pose prior shipped with the package, over ``PRIOR_JOINTS``.

    Raises:
        HvrError: its file is missing.
    """
    if not PRIOR_FILE.exists():
        raise HvrError(f"{PRIOR_FILE} is missing; run scripts/train/pose_prior.py")
    with np.load(PRIOR_FILE, allow_pickle=False) as file:
        means, whiten, log_weights = (file[k].astype(np.float64) for k in ("means", "whiten", "log_weights"))
        return PosePrior(PRIOR_JOINTS, means, whiten, log_weights, float(file["dof"]))
