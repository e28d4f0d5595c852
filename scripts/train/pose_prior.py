"""Learn hvr_nb/assets/pose_prior.npz from motion capture: a mixture of Student-t densities over poses.

Usage: python -m scripts.train.pose_prior [--motions FOLDER ...] [--out FILE] [--held-out SUBJECT ...]

Kinds of motion count alike, and within one, clips by the square root of their length; left and right are
mirrored. Quiet stance (``quiet_stance``) is a component of its own in every mixture. Only means and scatters
are kept: no motion can be read back from the asset. With
``--held-out`` those subjects are left out and rated, and nothing is written.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial.transform import Rotation
from scipy.special import gammaln, logsumexp

from hvr_nb.body.pose_prior import PRIOR_FILE, PRIOR_PARTS, PosePrior, six_d
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.places import ROOT
from scripts.train.motions import QUIET_STANCE, Motion, mirrored, quiet_stance, read_motions

FPS = 10.0
COMPONENTS = 8
DRAWN = 24_000  # poses drawn by weight, half of them mirrored
DOF = 8.0
FLOOR = 0.06  # standard deviation added to every entry: what the capture cannot be trusted with
QUIET_SHARE = 0.2  # of all poses: most people who are filmed for an avatar just stand


def draw(motions: list[Motion], count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """``count`` poses (N, 24, 3), kinds alike but quiet stance by ``QUIET_SHARE``; (N,) which are quiet."""
    motions = [m for m in motions if len(m.poses)]
    total = Counter()
    for m in motions:
        total[m.kind] += len(m.poses) ** 0.5
    share = dict.fromkeys(total, (1 - QUIET_SHARE) / (len(total) - 1)) | {QUIET_STANCE: QUIET_SHARE}
    weight = np.concatenate(
        [np.full(len(m.poses), share[m.kind] / total[m.kind] * len(m.poses) ** -0.5) for m in motions]
    )
    chosen = rng.choice(len(weight), count, p=weight / weight.sum())
    poses = np.concatenate([m.poses for m in motions])[chosen]
    quiet = np.concatenate([np.full(len(m.poses), m.kind == QUIET_STANCE) for m in motions])[chosen]
    poses[1::2] = mirrored(poses[1::2])
    return poses, quiet


def fit_mixture_of_t(
    x: np.ndarray,
    first: np.ndarray,
    joints: tuple[int, ...],
    count: int,
    rng: np.random.Generator,
    *,
    rounds: int = 40,
) -> PosePrior:
    """``count`` multivariate t with ``DOF`` for samples x (N, D), by EM (Peel and McLachlan 2000).

    Args:
        first: (N,) bool, samples that belong to the first component; the others share the rest.
    """
    n, d = x.shape
    centres, _ = kmeans2(x[~first][: 6 * 1024], count - 1, seed=rng, minit="++")
    nearest = np.stack([((x - c) ** 2).sum(1) for c in centres], 1).argmin(1)
    belongs, near = np.eye(count)[np.where(first, 0, nearest + 1)], np.ones((n, count))
    means, whiten, log_weights = np.empty((count, d)), np.empty((count, d, d)), np.empty(count)
    for _ in range(rounds):
        for k in range(count):
            w = belongs[:, k] * near[:, k]
            means[k] = w @ x / w.sum()
            away = x - means[k]
            scatter = (away * w[:, None]).T @ away / belongs[:, k].sum() + FLOOR**2 * np.eye(d)
            whiten[k] = np.linalg.cholesky(np.linalg.inv(scatter))
            log_weights[k] = np.log(belongs[:, k].mean()) + np.log(np.diag(whiten[k])).sum()
        squared = np.stack([(((x - m) @ w) ** 2).sum(1) for m, w in zip(means, whiten, strict=True)], 1)
        near = (DOF + d) / (DOF + squared)
        density = log_weights - 0.5 * (DOF + d) * np.log1p(squared / DOF)
        density[~first, 0] = -np.inf
        density[first, 1:] = -np.inf
        belongs = np.exp(density - logsumexp(density, axis=1, keepdims=True))
    return PosePrior(joints, means, whiten, log_weights, DOF)


def values(poses: np.ndarray, joints: tuple[int, ...]) -> np.ndarray:
    """(N, D) 6-D rotations of some joints of poses (N, 24, 3)."""
    turns = Rotation.from_rotvec(poses[:, joints].reshape(-1, 3)).as_matrix()
    return six_d(turns).reshape(len(poses), -1)


def log_density(prior: PosePrior, poses: np.ndarray) -> float:
    """Mean logarithm of the density of poses (N, 24, 3)."""
    d = prior.means.shape[1]
    volume = gammaln((DOF + d) / 2) - gammaln(DOF / 2) - d / 2 * np.log(DOF * np.pi)
    return float(volume - prior.rate(values(poses, prior.joints))[0].mean())


def main() -> None:
    """Read the motions, fit, write the asset and print what it holds."""
    shared = ROOT.parent / "shared" / "data"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--motions", nargs="+", type=Path, default=[shared / "mocap", shared / "mocap_more"])
    parser.add_argument("--out", type=Path, default=PRIOR_FILE)
    parser.add_argument("--held-out", nargs="*", default=[], help="subjects to rate with")
    parser.add_argument("--components", type=int, default=COMPONENTS)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    motions = read_motions(args.motions, fps=FPS)
    motions += [quiet_stance(m, rng) for m in motions]
    learn = [m for m in motions if m.subject not in args.held_out]
    poses, quiet = draw(learn, DRAWN, rng)
    priors = {
        part: fit_mixture_of_t(values(poses, joints), quiet, joints, args.components, rng)
        for part, joints in PRIOR_PARTS.items()
    }
    for kind in sorted({m.kind for m in motions}):
        rated = [m.poses for m in motions if m.kind == kind and m.subject in args.held_out and len(m.poses)]
        if rated:
            some = np.concatenate(rated)
            some = some[rng.permutation(len(some))[:2000]]
            density = sum(log_density(prior, some) for prior in priors.values())
            print(f"{kind}: log density {density:.1f} of {len(some)} poses")
    if not args.held_out:
        arrays = {"dof": np.float32(DOF)}
        for part, prior in priors.items():
            log_weights = prior.log_weights - prior.log_weights.max()
            arrays |= {
                f"{part}_means": prior.means.astype(np.float32),
                f"{part}_whiten": prior.whiten.astype(np.float32),
                f"{part}_log_weights": log_weights.astype(np.float32),
            }
        with atomic(args.out) as partial:
            np.savez_compressed(partial, **arrays)
    print(f"{args.components} components a part, from {sum(len(m.poses) for m in learn)} poses")


if __name__ == "__main__":
    main()
