"""A 3D skeleton over time, and the npz file with all of its fields (docs/formats.md, 10).

The other modules of this folder write the same track as CSV, TRC, BVH and GLB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hvr_nb.store.arrays import read_npz, write_npz
from hvr_nb.store.times import frame_seconds
from hvr_nb.types import HvrError


@dataclass(frozen=True)
class SkeletonTrack:
    """J joints over T frames; the tree may be unknown (all parents -1)."""

    joints: np.ndarray  # (T, J, 3) metres, world axes, Y up; NaN where not known
    names: tuple[str, ...]  # J
    parents: tuple[int, ...]  # J, -1 for a root
    fps: float  # mean number of frames per second
    valid: np.ndarray  # (T,) bool, False where the person was not seen
    times: np.ndarray | None = field(default=None, kw_only=True)  # (T,) seconds, where the rate varies

    @property
    def seconds(self) -> np.ndarray:
        """(T,) seconds of the frames since the first."""
        return frame_seconds(len(self.joints), fps=self.fps, times=self.times)

    def __repr__(self) -> str:
        return (
            f"SkeletonTrack({len(self.joints)} frames, {len(self.names)} joints, {self.fps:.4g} fps, "
            f"{int(self.valid.sum())} observed)"
        )


def check_track(track: SkeletonTrack, path: str | Path, *, suffix: str, tree: bool = False) -> Path:
    """The path, if the track (joints (T, J, 3)) is consistent and the file's name ends in ``suffix``.

    Args:
        tree: whether the joints must be one tree.

    Raises:
        HvrError: something is wrong; the message says what.
    """
    path, joints = Path(path), np.asarray(track.joints)
    if path.suffix.lower() != suffix:
        raise HvrError(f"{path}: the name must end in {suffix}")
    count = len(track.names)
    if (
        joints.ndim != 3
        or joints.shape[1:] != (count, 3)
        or np.shape(track.valid) != (len(joints),)
        or not len(joints)
    ):
        raise HvrError(
            f"a skeleton of {count} names needs joints (T, {count}, 3) and valid (T,), T being 1 or more; "
            f"it has {joints.shape} and {np.shape(track.valid)}"
        )
    frame_seconds(len(joints), fps=track.fps, times=track.times)
    if len(set(track.names)) < count or len(track.parents) != count:
        raise HvrError(
            f"a skeleton needs as many parents as names ({len(track.parents)}, {count}), no name twice"
        )
    if tree:
        tree_order(track.parents)
    return path


def tree_order(parents: tuple[int, ...]) -> list[int]:
    """Indices of the joints in depth-first order: each after its parent, followed by its descendants.

    Raises:
        HvrError: the joints are not one tree.
    """
    children: dict[int, list[int]] = {}
    for j, p in enumerate(parents):
        children.setdefault(p, []).append(j)
    order, stack = [], list(children.get(-1, []))
    if len(stack) != 1:
        raise HvrError(f"the skeleton has {len(stack)} roots (parent -1); one tree of joints is needed")
    while stack:
        order.append(stack.pop())
        stack.extend(reversed(children.get(order[-1], [])))
    if len(order) != len(parents):
        raise HvrError("the skeleton's parents do not form one tree; every joint must lead to the root")
    return order


def known_joints(track: SkeletonTrack) -> np.ndarray:
    """(T, J, 3) joints; unknown positions are interpolated in time, and kept constant at both ends.

    Raises:
        HvrError: a joint is never known.
    """
    joints = np.array(track.joints, np.float64)
    known = np.isfinite(joints).all(2) & np.asarray(track.valid, bool)[:, None]
    frames = np.arange(len(joints))
    for j in range(joints.shape[1]):
        if not known[:, j].any():
            raise HvrError(
                f"joint {track.names[j]} is not known in any frame; leave it out or estimate it first"
            )
        for axis in range(3):
            joints[:, j, axis] = np.interp(frames, frames[known[:, j]], joints[known[:, j], j, axis])
    return joints


def write_skeleton_npz(path: str | Path, track: SkeletonTrack) -> Path:
    """Write all fields of a track as npz (joints, names, parents, fps, valid, times); returns ``path``."""
    path = check_track(track, path, suffix=".npz")
    write_npz(path, track, {"kind": "skeleton", "unit": "m", "up": "y"})
    return path


def read_skeleton_npz(path: str | Path) -> SkeletonTrack:
    """Read a file of ``write_skeleton_npz``.

    Raises:
        HvrError: the file is missing, damaged or something else.
    """
    remedy = "write the skeleton again with write_skeleton_npz"
    track, _ = read_npz(Path(path), SkeletonTrack, remedy=remedy)
    check_track(track, path, suffix=".npz")
    return track
