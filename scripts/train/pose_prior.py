"""Learn hvr_nb/assets/pose_prior.npz from motion capture: a Student-t density (docs/body.md, 5).

Usage: python -m scripts.train.pose_prior [folder of motion .npz] [output .npz]

Long clips count by the square root of their length, and left and right are mirrored. Only the mean and the
whitening matrix of the density are kept, so no motion can be recovered from the asset.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.pose_prior import PRIOR_FILE, PRIOR_JOINTS, six_d
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.places import ROOT

MIRROR = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
STEP = 6  # frames between samples: 10 a second of 60
DOF = 8.0
FLOOR = 0.06  # standard deviation added to every entry, for errors of the motion capture


def samples(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Poses (N, 24, 3) of all clips and their mirror images, and their weights (N,)."""
    poses, weights = [], []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            clip = file["poses"][::STEP].reshape(-1, 24, 3)
        poses.append(clip)
        weights.append(np.full(len(clip), len(clip) ** -0.5))  # a clip counts by the root of its length
    poses, weights = np.concatenate(poses), np.concatenate(weights)
    return (np.concatenate([poses, poses[:, MIRROR] * [1, -1, -1]]), np.concatenate([weights, weights]))


def fit_student(x: np.ndarray, weights: np.ndarray, rounds: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and scatter (D, D) of a multivariate t with DOF, by EM (Liu and Rubin 1995)."""
    weights = weights / weights.sum()
    u, floor = np.ones(len(x)), FLOOR**2 * np.eye(x.shape[1])
    for _ in range(rounds):
        w = weights * u
        mean = w @ x / w.sum()
        d = x - mean
        scatter = (d * w[:, None]).T @ d / weights.sum() + floor
        m = (d * np.linalg.solve(scatter, d.T).T).sum(1)
        u = (DOF + x.shape[1]) / (DOF + m)
    return mean, scatter


def main() -> None:
    """Read the motions, fit, write the asset and print how it rates a few poses."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data" / "mocap"
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else PRIOR_FILE
    poses, weights = samples(folder)
    rotations = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    x = six_d(rotations[:, PRIOR_JOINTS]).reshape(len(poses), -1)
    mean, scatter = fit_student(x, weights)
    whiten = np.linalg.cholesky(np.linalg.inv(scatter))
    with atomic(target) as partial:
        np.savez_compressed(
            partial, mean=mean.astype(np.float32), whiten=whiten.astype(np.float32), dof=np.float32(DOF)
        )
    m = (((x - mean) @ whiten) ** 2).sum(1)
    spread = np.percentile(m, [5, 50, 95, 99]).round(1)
    print(f"{len(x)} poses, squared distance percentiles 5/50/95/99: {spread}")


if __name__ == "__main__":
    main()
