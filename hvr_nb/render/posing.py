"""Novel poses: from a motion file, or a simple wave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hvr_nb.formats.motion.amass import place_motion, read_motion
from hvr_nb.formats.motion.bvh import read_bvh
from hvr_nb.formats.motion.bvh_file import is_bvh
from hvr_nb.types import Body

# (body_pose joint, axis, amplitude in radians, cycles): joints 1..23 of SMPL, axis-angle.
_WAVE = (
    (16, 2, 0.5, 1.0),
    (17, 2, -0.5, 1.0),
    (18, 1, -0.5, 2.0),
    (19, 1, 0.5, 2.0),
    (1, 0, -0.35, 1.0),
    (4, 0, 0.45, 1.0),
    (2, 0, 0.2, 1.0),
    (3, 1, 0.25, 1.0),
)


def novel_poses(body: Body, motion_file: str | Path = "", *, frames: int, fps: float, up: str = "") -> Body:
    """At most ``frames`` poses for the person of ``body``, who stays in place.

    Args:
        body: a fitted body; its betas, camera and first frame's place are kept.
        motion_file: AMASS-style npz, or a BVH file; "" makes the arms wave and one leg step, from the pose of
            the first frame.
        fps: frames per second that the motion is resampled to.
        up: vertical axis of the motion file, "y", "z" ...; "" finds it out.
    """
    if motion_file:
        read = read_bvh if is_bvh(motion_file) else read_motion
        motion = read(motion_file, fps=fps, up=up)
        return place_motion(motion.frame(slice(0, frames)), body)
    phase = np.sin(np.linspace(0.0, 2 * np.pi, frames, endpoint=False))
    half = np.sin(np.linspace(0.0, np.pi, frames, endpoint=False))
    start = body.frame(0)
    pose = np.repeat(start.body_pose, frames, axis=0)
    for joint, axis, size, cycles in _WAVE:
        pose[:, 3 * (joint - 1) + axis] += size * (phase if cycles > 1 else half)
    return replace(
        start,
        global_orient=np.repeat(start.global_orient, frames, axis=0),
        body_pose=pose,
        transl=np.repeat(start.transl, frames, axis=0),
        valid=np.ones(frames, bool),
    )
