"""Motion capture as rotations, with its mirror image, for any body."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.formats.motion.amass import read_motion
from hvr_nb.formats.motion.bvh import read_bvh
from hvr_nb.types import HvrError

RATE = 60.0  # frames per second of the bank
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
MIRROR = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22)


@dataclass(frozen=True)
class Bank:
    """Clips of one frame rate, concatenated."""

    root: np.ndarray  # (N, 3, 3) float32, the pelvis in a Y up world
    turns: np.ndarray  # (N, 24, 3, 3) float32, every joint in the axes of the pelvis
    place: np.ndarray  # (N, 3) float32 metres
    starts: np.ndarray  # (C,) first frame of each clip
    lengths: np.ndarray  # (C,) frames
    names: tuple[str, ...]  # C file names


def motion_files(folder: Path) -> list[Path]:
    """AMASS-style .npz and .bvh files of a folder."""
    files = sorted([*folder.glob("*.npz"), *folder.glob("*.bvh")])
    if not files:
        raise HvrError(f"{folder} holds no motion (.npz or .bvh); set HVR_SHARED_DATA or give a folder")
    return files


def subject_of(path: Path) -> str:
    """The subject of a file: the part of its name before the first underscore."""
    return path.stem.split("_")[0]


def load_bank(files: list[Path]) -> Bank:
    """Read motions and their mirror images."""
    clips = []
    for path in files:
        read = read_bvh if path.suffix == ".bvh" else read_motion
        body = read(path, fps=RATE)
        poses = body.poses.reshape(-1, 24, 3)
        clips.append((f"{path.stem}", poses, body.transl))
        clips.append((f"{path.stem} mirrored", poses[:, MIRROR] * [1, -1, -1], body.transl * [-1, 1, 1]))
    names, poses, places = zip(*clips, strict=True)
    lengths = np.array([len(p) for p in poses])
    local = Rotation.from_rotvec(np.concatenate(poses).reshape(-1, 3)).as_matrix()
    local = local.reshape(-1, 24, 3, 3).astype(np.float32)
    turns = np.empty_like(local)
    turns[:, 0] = np.eye(3)
    for joint in range(1, 24):
        turns[:, joint] = turns[:, PARENTS[joint]] @ local[:, joint]
    return Bank(
        local[:, 0].copy(),
        turns,
        np.concatenate(places).astype(np.float32),
        np.concatenate([[0], lengths.cumsum()[:-1]]),
        lengths,
        names,
    )
