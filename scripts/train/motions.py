"""Motion capture to learn from: people, kinds of motion, and legs whose straight is straight.

Reads folders of `<subject>_<clip>.npz` (poses (T, 72), mocap_framerate), with `index.csv` (file, description)
where there is one. Captured skeletons differ in what a straight leg is: their knees are bent by 0 to 20
degrees when people stand still. Everybody stretches a leg now and then, so a subject's straightest knee is
taken as straight (``slack``).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

MIRROR = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22)
HIPS, KNEES, ANKLES = (1, 2), (4, 5), (7, 8)
STRAIGHTEST = 5.0  # percentile of a subject's knee flexion that is a straight knee
MOST_SLACK = np.radians(20.0)  # a subject who never stretches a leg is not stretched further than this
UPRIGHT = 0.95  # cosine between the trunk and the vertical in quiet stance
SLOW = 0.7  # rad/s, hips and knees in quiet stance
STANDS, QUIET = np.radians(40.0), np.radians(5.0)  # knee flexion: of who stands, of quiet stance
SHARE_ALIKE = ("hdm-",)  # subjects whose licence asks for the same licence: left out of what is shipped
QUIET_STANCE = "quiet stance"
# kind of motion -> words of a clip's description that tell it, the first that fits
KINDS = {
    "animals": ("human subject", "animal", "teapot", "vacation"),
    "sitting": ("sit ", "sitting"),
    "gymnastics": ("jacks", "squat", "stretch", "range of motion", "reach", "elbowtoknee", "rotatearms"),
    "lying, acrobatics": ("lie", "break dance", "dive", "flips"),
    "dance": ("salsa", "danc"),
    "climbing": ("climb", "ladder"),
    "karate, boxing": (
        "empi", "kick", "gedan", "heian", "mawashi", "oiduki", "syuto", "yoko", "box", "punch",
    ),
    "ball games": ("basketball ", "soccer", "golf", "throw"),
    "standing": ("idle", "signal", "traffic", "laugh", "soda", "bottle", "wave"),
    "work": ("wash", "mop", "grab", "deposit"),
    "jumping": ("jump", "hop"),
    "running": ("run", "jog"),
    "walking": ("walk", "sneak"),
}  # fmt: skip
# subjects whose clips have no description
SUBJECTS = {
    "01": "climbing",
    "02": "walking",
    "05": "dance",
    "06": "ball games",
    "07": "walking",
    "08": "walking",
    "94": "dance",
}


@dataclass(frozen=True)
class Motion:
    """One captured clip."""

    name: str  # <subject>_<clip>
    kind: str  # one of ``KINDS``, or "other"
    poses: np.ndarray  # (T, 24, 3) rotation vectors, radians
    fps: float

    @property
    def subject(self) -> str:
        """Who was captured."""
        return self.name.split("_")[0]


def kind_of(subject: str, description: str) -> str:
    """The kind of motion of a clip."""
    words = description.lower()
    found = (kind for kind, marks in KINDS.items() if any(mark in words for mark in marks))
    return next(found, SUBJECTS.get(subject, "other"))


def kinds_of(files: list[Path]) -> list[str]:
    """The kind of motion of every file, by the ``index.csv`` beside it."""
    said = {}
    for folder in {path.parent for path in files}:
        index = folder / "index.csv"
        if index.exists():
            with open(index, newline="", encoding="utf-8") as file:
                said |= {folder / row["file"]: row["description"] for row in csv.DictReader(file)}
    return [kind_of(path.stem.split("_")[0], said.get(path, "")) for path in files]


def read_motions(folders: Iterable[Path], *, fps: float) -> list[Motion]:
    """All clips at about ``fps`` frames a second, their legs straightened by what their subject's slack is.

    Subjects whose licence would bind what is learned (``SHARE_ALIKE``) are left out.
    """
    files = [path for folder in folders for path in sorted(folder.glob("*.npz"))]
    files = [path for path in files if not path.name.startswith(SHARE_ALIKE)]
    found = []
    for path, kind in zip(files, kinds_of(files), strict=True):
        with np.load(path, allow_pickle=False) as file:
            rate = float(file["mocap_framerate"])
            poses = file["poses"].astype(np.float64).reshape(-1, 24, 3)
        step = max(1, round(rate / fps))
        found.append(Motion(path.stem, kind, poses[::step], rate / step))
    slacks = {
        subject: slack(np.concatenate([m.poses for m in found if m.subject == subject]))
        for subject in {m.subject for m in found}
    }
    return [replace(m, poses=stretched(m.poses, slacks[m.subject])) for m in found]


def slack(poses: np.ndarray) -> float:
    """Flexion of the straightest knees of poses (N, 24, 3), radians."""
    knees = Rotation.from_rotvec(poses[:, KNEES].reshape(-1, 3)).as_matrix()
    flexion = np.arctan2(knees[:, 2, 1], knees[:, 1, 1])
    return float(np.clip(np.percentile(flexion, STRAIGHTEST), -MOST_SLACK, MOST_SLACK))


def stretched(poses: np.ndarray, angle: float | np.ndarray, *, sides: tuple[int, ...] = (0, 1)) -> np.ndarray:
    """Poses (N, 24, 3) whose knees are less bent by ``angle`` (N,) or (), hips and ankles by half of it each.

    Trunk and feet keep their directions: thigh and shank turn by half the angle, against each other.

    Args:
        sides: 0 the left leg, 1 the right one.
    """
    out = poses.copy()
    for joints, share in ((HIPS, 0.5), (KNEES, -1.0), (ANKLES, 0.5)):
        for joint in (joints[side] for side in sides):
            turn = np.outer(np.broadcast_to(share * np.asarray(angle), len(poses)), [1.0, 0.0, 0.0])
            out[:, joint] = (Rotation.from_rotvec(poses[:, joint]) * Rotation.from_rotvec(turn)).as_rotvec()
    return out


def mirrored(poses: np.ndarray) -> np.ndarray:
    """The mirror images of poses (N, 24, 3)."""
    return poses[:, list(MIRROR)] * [1, -1, -1]


def quiet_stance(motion: Motion, rng: np.random.Generator) -> Motion:
    """The moments in which somebody stands upright and still, with both legs stretched as in quiet stance.

    Captured people wait for their next move on bent knees; people who let themselves be filmed do not.
    Standing still, a knee is bent by 0 to 5 degrees.
    """
    turns = Rotation.from_rotvec(motion.poses.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    chest = turns[:, 0] @ turns[:, 3] @ turns[:, 6] @ turns[:, 9]
    upright = (turns[:, 0, 1, 1] > UPRIGHT) & (chest[:, 1, 1] > UPRIGHT)
    knees = np.stack([np.arctan2(turns[:, k, 2, 1], turns[:, k, 1, 1]) for k in KNEES], 1)
    legs = [*HIPS, *KNEES]
    steps = np.swapaxes(turns[:-1, legs], -1, -2) @ turns[1:, legs]
    pace = Rotation.from_matrix(steps.reshape(-1, 3, 3)).magnitude().reshape(-1, 4).max(1) * motion.fps
    slow = np.r_[pace, pace[-1:]] < SLOW if len(pace) else np.zeros(len(turns), bool)
    at = upright & slow & (np.abs(knees) < STANDS).all(1)
    poses = motion.poses[at]
    wanted = rng.uniform(0.0, QUIET, knees[at].shape)
    for side in (0, 1):
        poses = stretched(poses, knees[at][:, side] - wanted[:, side], sides=(side,))
    return replace(motion, kind=QUIET_STANCE, poses=poses)
