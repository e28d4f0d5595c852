"""The term for bone directions: the body's bones compared with those of a skeleton (docs/fit.md, 2 and 7).

The skeleton is the lifter's, or the body's own before silhouettes are fitted. The detector judges
depth from the picture of each frame; the lifter judges it from the motion of 2D joints, which it
learned from motion capture. Bones are compared, not positions, so that an error at the hips does not
reach hands and feet. Across the view the 2D landmarks are more exact, so mostly depths count.
"""

from __future__ import annotations

import numpy as np

from hvr_nb.body.joint_sets import H36M17_NAMES, H36M17_PARENTS
from hvr_nb.body.kinematics import Rig, pose_rig
from hvr_nb.body.landmarks import h36m_table, place_landmarks
from hvr_nb.body.model import BodyModel
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.start import Opinion
from hvr_nb.fit.terms import Posed, State, TermWeights, add
from hvr_nb.geometry.functions import geman_mcclure
from hvr_nb.types import Camera, HvrError, Joints3D

_BONES = np.eye(17)[1:] - np.eye(17)[list(H36M17_PARENTS[1:])]  # (16, 17) each joint minus its parent


def opinion_of(lifted: Joints3D, frames: np.ndarray, model: BodyModel) -> Opinion:
    """A lifted skeleton as evidence for a fit.

    Args:
        lifted: Human3.6M's 17 joints of T frames, world axes. frames: (N,) indices of the frames fitted.

    Raises:
        HvrError: other joints, or too few frames.
    """
    if tuple(lifted.names) != H36M17_NAMES or len(lifted.points) <= frames.max():
        raise HvrError(f"{lifted} is not a lifted skeleton of this clip; lift the clip's own keypoints")
    points = np.asarray(lifted.points, np.float64)[frames]
    known = np.isfinite(points).all((1, 2)) & np.asarray(lifted.valid, bool)[frames]
    return Opinion(h36m_table(model), np.where(known[:, None, None], points, 0.0), known.astype(np.float64))


def own_bones(state: State, rig: Rig, model: BodyModel) -> Opinion:
    """The bones of a state of N frames as evidence, which keeps them as they are."""
    table, pose = h36m_table(model), pose_rig(rig, state.rotations, state.transl, state.betas)
    return Opinion(table, place_landmarks(table, rig, pose, state.betas).points, np.ones(len(state.transl)))


def bone_misses(posed: Posed, opinion: Opinion, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """The body's bones (N, 16, 3) at the size of ``opinion``, and how far its bones are from them (N, 16, 3).

    Metres, camera axes.
    """
    R = camera.R * np.exp(-posed.state.log_bones)
    bones = _BONES @ posed.joints.points @ R.T
    return bones, bones - _BONES @ opinion.points @ camera.R.T


def bone_depths(
    posed: Posed, opinion: Opinion, camera: Camera, weights: TermWeights, normal: Normal | None
) -> float:
    """Robust distance of the body's bones from those of ``opinion``, along and across the view."""
    R = camera.R * (np.exp(-posed.state.log_bones) / weights.sigma_bone)
    bones, miss = (x / weights.sigma_bone for x in bone_misses(posed, opinion, camera))
    along, slope_along = geman_mcclure(miss[..., 2] ** 2, weights.cap)
    across, slope_across = geman_mcclure((miss[..., :2] ** 2).sum(-1), weights.cap)
    known = opinion.known[:, None]
    if normal is not None:
        flat = known * weights.bone_across * slope_across
        deep = known * weights.bone_depth * slope_along
        turn, betas = (
            np.einsum("bj,njad->nbad", _BONES, slopes, optimize=True)
            for slopes in (posed.joints.d_turn, posed.joints.d_betas)
        )
        add(normal, R @ turn, miss, np.stack([flat, flat, deep], -1), {0: R @ betas, 12: -bones[..., None]})
    return float((known * (weights.bone_depth * along + weights.bone_across * across)).sum())
