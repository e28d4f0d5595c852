"""Motion capture as rotations, with its mirror image, for any body."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.formats.motion.amass import read_motion
from hvr_nb.formats.motion.bvh import read_bvh
from hvr_nb.types import HvrError
from scripts.train.motions import MIRROR, SHARE_ALIKE, kinds_of

RATE = 60.0  # frames per second of the bank
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)


@dataclass(frozen=True)
class Bank:
    """Clips of one frame rate, concatenated."""

    root: np.ndarray  # (N, 3, 3) float32, the pelvis in a Y up world
    turns: np.ndarray  # (N, 24, 3, 3) float32, every joint in the axes of the pelvis
    place: np.ndarray  # (N, 3) float32 metres
    starts: np.ndarray  # (C,) first frame of each clip
    lengths: np.ndarray  # (C,) frames
    shares: np.ndarray  # (C,) how often a clip is drawn; sums to 1
    names: tuple[str, ...]  # C file names


def motion_files(*folders: Path) -> list[Path]:
    """AMASS-style .npz and .bvh files of folders, without those whose licence would bind what is learned."""
    files = [path for folder in folders for path in sorted([*folder.glob("*.npz"), *folder.glob("*.bvh")])]
    files = [path for path in files if not path.name.startswith(SHARE_ALIKE)]
    if not files:
        raise HvrError(f"{folders[0]} holds no motion (.npz or .bvh); set HVR_SHARED_DATA or give a folder")
    return files


def subject_of(path: Path) -> str:
    """The subject of a file: the part of its name before the first underscore."""
    return path.stem.split("_")[0]


def load_bank(files: list[Path]) -> Bank:
    """Read motions and their mirror images.

    A clip is drawn in proportion to the square root of its length; rare kinds of motion more often.
    """
    clips, kinds = [], []
    for path, kind in zip(files, kinds_of(files), strict=True):
        kinds += [kind, kind]
        read = read_bvh if path.suffix == ".bvh" else read_motion
        body = read(path, fps=RATE)
        poses = body.poses.reshape(-1, 24, 3)
        clips.append((f"{path.stem}", poses, body.transl))
        other = poses[:, list(MIRROR)] * [1, -1, -1]
        clips.append((f"{path.stem} mirrored", other, body.transl * [-1, 1, 1]))
    names, poses, places = zip(*clips, strict=True)
    lengths = np.array([len(p) for p in poses])
    shares = np.sqrt(lengths)
    of_kind = np.array([shares[np.array(kinds) == kind].sum() for kind in kinds])
    shares = shares / np.sqrt(of_kind)
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
        shares / shares.sum(),
        names,
    )
