"""Learn hvr_nb/assets/pose_prior.npz from motion capture: a mixture of Student-t densities over poses.

Usage: python -m scripts.train.pose_prior [--motions FOLDER ...] [--out FILE] [--held-out SUBJECT ...]

One component for each of ``SHARES``: quiet stance, walking and everything else. Within one, kinds of motion
count alike and clips by the square root of their length; left and right are mirrored. Only means and
scatters are kept: no motion can be read back from the asset. With ``--held-out`` those subjects are left out
and rated, and nothing is written.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import gammaln

from hvr_nb.body.pose_prior import PRIOR_FILE, PRIOR_JOINTS, PosePrior, six_d
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.places import ROOT
from scripts.train.motions import KINDS, QUIET_STANCE, Motion, mirrored, quiet_stance, read_motions

FPS = 10.0
DRAWN = 12_000  # poses drawn by weight for each component, half of them mirrored
DOF = 8.0
FLOOR = 0.06  # standard deviation added to every entry: what the capture cannot be trusted with
ELSE = tuple(kind for kind in (*KINDS, "other") if kind != "walking")
# kinds of motion of a component -> its share: people who are filmed mostly stand or walk
SHARES = {(QUIET_STANCE,): 0.2, ("walking",): 0.3, ELSE: 0.5}


def draw(motions: list[Motion], count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` poses (N, 24, 3): kinds alike, clips by the square root of their length, half mirrored."""
    motions = [m for m in motions if len(m.poses)]
    total = Counter()
    for m in motions:
        total[m.kind] += len(m.poses) ** 0.5
    weight = np.concatenate([np.full(len(m.poses), len(m.poses) ** -0.5 / total[m.kind]) for m in motions])
    chosen = rng.choice(len(weight), count, p=weight / weight.sum())
    poses = np.concatenate([m.poses for m in motions])[chosen]
    poses[1::2] = mirrored(poses[1::2])
    return poses


def student_t(x: np.ndarray, *, rounds: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and scatter (D, D) of the multivariate t with ``DOF`` of samples x (N, D), by EM."""
    near = np.ones(len(x))
    for _ in range(rounds):
        mean = near @ x / near.sum()
        away = x - mean
        scatter = (away * near[:, None]).T @ away / len(x) + FLOOR**2 * np.eye(x.shape[1])
        near = (DOF + x.shape[1]) / (DOF + ((away @ np.linalg.inv(scatter)) * away).sum(1))
    return mean, scatter


def learned(motions: list[Motion], rng: np.random.Generator) -> PosePrior:
    """The mixture of ``SHARES``."""
    parts = [student_t(values(draw([m for m in motions if m.kind in kinds], DRAWN, rng))) for kinds in SHARES]
    whiten = np.stack([np.linalg.cholesky(np.linalg.inv(scatter)) for _, scatter in parts])
    volume = np.log(np.diagonal(whiten, axis1=1, axis2=2)).sum(1)
    log_weights = np.log(list(SHARES.values())) + volume
    return PosePrior(PRIOR_JOINTS, np.stack([mean for mean, _ in parts]), whiten, log_weights, DOF)


def values(poses: np.ndarray) -> np.ndarray:
    """(N, D) 6-D rotations of ``PRIOR_JOINTS`` of poses (N, 24, 3)."""
    turns = Rotation.from_rotvec(poses[:, PRIOR_JOINTS].reshape(-1, 3)).as_matrix()
    return six_d(turns).reshape(len(poses), -1)


def log_density(prior: PosePrior, poses: np.ndarray) -> float:
    """Mean logarithm of the density of poses (N, 24, 3)."""
    d = prior.means.shape[1]
    volume = gammaln((DOF + d) / 2) - gammaln(DOF / 2) - d / 2 * np.log(DOF * np.pi)
    return float(volume - prior.rate(values(poses))[0].mean())


def main() -> None:
    """Read the motions, fit, and write the asset or rate who was held out."""
    shared = ROOT.parent / "shared" / "data"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--motions", nargs="+", type=Path, default=[shared / "mocap", shared / "mocap_more"])
    parser.add_argument("--out", type=Path, default=PRIOR_FILE)
    parser.add_argument("--held-out", nargs="*", default=[], help="subjects to rate with")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    motions = read_motions(args.motions, fps=FPS)
    if not motions:
        parser.error(f"no motions in {', '.join(map(str, args.motions))}; name folders with --motions")
    motions += [quiet_stance(m, rng) for m in motions]
    prior = learned([m for m in motions if m.subject not in args.held_out], rng)
    for kind in sorted({m.kind for m in motions}):
        rated = [m.poses for m in motions if m.kind == kind and m.subject in args.held_out and len(m.poses)]
        if rated:
            some = np.concatenate(rated)
            some = some[rng.permutation(len(some))[:2000]]
            print(f"{kind}: log density {log_density(prior, some):.1f} of {len(some)} poses")
    if not args.held_out:
        with atomic(args.out) as partial:
            np.savez_compressed(
                partial,
                means=prior.means.astype(np.float32),
                whiten=prior.whiten.astype(np.float32),
                log_weights=(prior.log_weights - prior.log_weights.max()).astype(np.float32),
                dof=np.float32(DOF),
            )


if __name__ == "__main__":
    main()
