"""Poses for people to learn from: captured and recombined, drawn from the pose prior, or simply standing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.pose_prior import PRIOR_JOINTS, load_pose_prior
from hvr_nb.formats.motion.amass import read_motion

EVERY = 0.25  # seconds between two poses of a motion
MIRROR = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22)
UPPER = [3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]
ARMS = ([13, 16, 18, 20, 22], [14, 17, 19, 21, 23])
HELD_OUT = ("02", "08", "13", "86")  # subjects whose poses no network is trained on
NOT_FREE = "hdm-"  # motions whose licence would pass to the weights
STANDING, MIXED, ARM = 0.25, 0.4, 0.2  # shares: standing poses, another's upper body, another's arm
WOBBLE = 0.05  # radians
PRIOR_SPREAD = 0.8  # of the prior's own, when there is no motion capture


@dataclass(frozen=True)
class Poses:
    """Poses of people who were captured; N may be 0."""

    bank: np.ndarray  # (N, 24, 3) axis-angle, the root's lean included

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One pose (24, 3), axis-angle, turned about the vertical at random."""
        if rng.random() < STANDING:
            pose = standing(rng)
        elif len(self.bank):
            pose = self._recombined(rng)
        else:
            pose = from_prior(rng)
        pose = _times(pose, rng.normal(0, WOBBLE, (24, 3)))
        pose[0] = (
            Rotation.from_rotvec([0, rng.uniform(-np.pi, np.pi), 0]) * Rotation.from_rotvec(pose[0])
        ).as_rotvec()
        return pose

    def _recombined(self, rng: np.random.Generator) -> np.ndarray:
        def one() -> np.ndarray:
            pose = self.bank[rng.integers(len(self.bank))].copy()
            return pose[list(MIRROR)] * [1, -1, -1] if rng.random() < 0.5 else pose

        pose = one()
        if rng.random() < MIXED:
            pose[UPPER] = one()[UPPER]
        for arm in ARMS:
            if rng.random() < ARM:
                pose[arm] = one()[arm]
        return pose


def load_poses(folders: list[Path], *, held_out: bool = False) -> Poses:
    """Poses of the motions (.npz) of folders, of everybody but ``HELD_OUT``, or only of those.

    Folders that do not exist count as empty.
    """
    files = sorted(path for folder in folders if folder.is_dir() for path in folder.glob("*.npz"))
    found = [np.zeros((0, 24, 3))]
    for path in files:
        subject = path.stem.split("_")[0]
        if path.name.startswith(NOT_FREE) or (subject in HELD_OUT) != held_out:
            continue
        body = read_motion(path)
        found.append(body.poses.reshape(-1, 24, 3)[:: max(1, round(EVERY * _rate(path)))])
    return Poses(np.concatenate(found).astype(np.float32))


def _rate(path: Path) -> float:
    with np.load(path, allow_pickle=False) as file:
        return float(file["mocap_framerate"]) if "mocap_framerate" in file.files else 60.0


def standing(rng: np.random.Generator) -> np.ndarray:
    """(24, 3) upright, arms somewhere between the sides and level, as people stand who are filmed turning."""
    pose = np.zeros((24, 3))
    pose[[1, 2], 2] = np.array([1, -1]) * rng.uniform(0, 0.2)
    pose[[16, 17], 2] = np.array([-1, 1]) * np.radians(rng.uniform(15, 80, 2))
    pose[[18, 19], 1] = np.array([-1, 1]) * rng.uniform(0, 0.5, 2)
    pose[15] = rng.normal(0, 0.12, 3)
    return pose


def from_prior(rng: np.random.Generator) -> np.ndarray:
    """(24, 3) drawn from the pose prior (docs/body.md, 5)."""
    prior = load_pose_prior()
    part = rng.choice(len(prior.means), p=prior.shares)
    tail = np.sqrt(prior.dof / rng.chisquare(prior.dof)) if prior.dof > 2 else 1.0
    white = rng.normal(0, PRIOR_SPREAD * min(tail, 2.0), prior.means.shape[1])
    six = (prior.means[part] + np.linalg.solve(prior.whiten[part].T, white)).reshape(-1, 2, 3)
    a = six[:, 0] / np.linalg.norm(six[:, 0], axis=1, keepdims=True)
    b = six[:, 1] - (six[:, 1] * a).sum(1, keepdims=True) * a
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    pose = np.zeros((24, 3))
    pose[list(PRIOR_JOINTS)] = Rotation.from_matrix(np.stack([a, b, np.cross(a, b)], -1)).as_rotvec()
    return pose


def _times(pose: np.ndarray, small: np.ndarray) -> np.ndarray:
    return (Rotation.from_rotvec(pose) * Rotation.from_rotvec(small)).as_rotvec()
