"""Skeletons as BVH: the rotations from ``rig``, in centimetres (docs/formats.md, 10)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.motion import resample_rotations
from hvr_nb.formats.motion.bvh import UNITS
from hvr_nb.formats.motion.bvh_file import Bvh, format_bvh, parse_bvh
from hvr_nb.formats.skeletons.rig import joint_parents, rig_track, without_helpers
from hvr_nb.formats.skeletons.track import SkeletonTrack, check_track
from hvr_nb.store.times import steady_seconds

_END = 0.3  # distance of an end site from its joint, as a share of the bone before it
_SHORTEST_END = 0.01  # metres


def write_skeleton_bvh(path: str | Path, track: SkeletonTrack) -> Path:
    """Write joints (T, J, 3) with bones of constant (median) length and a T-pose at rest; returns ``path``.

    BVH cannot leave out frames and has one rate. So frames without the person are interpolated, and where
    the rate of the track varies, the motion is resampled at its mean.

    Raises:
        HvrError: the joints are not one tree, or a joint is never known.
    """
    path = check_track(track, path, suffix=".bvh", tree=True)
    rig = rig_track(track)
    turns, root = _at_steady_rate(rig.rotations, rig.root, track)
    offsets = rig.offsets * UNITS
    translations = np.repeat(offsets[None], len(root), axis=0)
    translations[:, 0] = root * UNITS
    ends = {k: _end(rig.offsets[k]) * UNITS for k in range(len(rig.names)) if k not in rig.parents}
    names = tuple("_".join(name.split()) for name in rig.names)
    return format_bvh(Bvh(names, rig.parents, offsets, translations, turns, ends, track.fps), path)


def _at_steady_rate(
    turns: np.ndarray, root: np.ndarray, track: SkeletonTrack
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, K, 3, 3) and the root (T, 3) at the track's mean rate."""
    seconds = track.seconds
    wanted = steady_seconds(seconds, track.fps)
    if np.array_equal(wanted, seconds):
        return turns, root
    rotvec = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(*turns.shape[:2], 3)
    wanted = wanted.clip(max=seconds[-1])
    rotvec = resample_rotations(rotvec, seconds, wanted)
    turned = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(*rotvec.shape[:2], 3, 3)
    return turned, np.stack([np.interp(wanted, seconds, axis) for axis in root.T], 1)


def _end(offset: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(offset)
    return (
        offset / length * max(_END * length, _SHORTEST_END)
        if length > 1e-9
        else np.array([0, _SHORTEST_END, 0])
    )


def read_skeleton_bvh(path: str | Path, *, unit: float = 1 / UNITS) -> SkeletonTrack:
    """The joints of any BVH file, without rotations, end sites and helper joints; all frames are valid.

    Args:
        unit: metres per unit of length of the file.

    Raises:
        HvrError: a line is wrong; the message gives its number.
    """
    bvh = parse_bvh(path)
    kept = without_helpers(bvh.names, bvh.parents, bvh.offsets)
    joints = bvh.pose()[1][:, kept] * unit
    names = tuple(bvh.names[k] for k in kept)
    return SkeletonTrack(joints, names, joint_parents(kept, bvh.parents), bvh.fps, np.ones(len(joints), bool))
