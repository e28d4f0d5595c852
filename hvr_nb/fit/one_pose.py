"""The term for one pose: limbs that a person holds still while turning right round (docs/fit.md, 8).

A detector misjudges how far limbs point towards the camera, differently in every view. In a clip filmed
for an avatar the arms would drift although the person holds them still. Where the clip shows a person
who turns right round, each limb that is held still is drawn to the pose that most frames agree on: arms
may be held while the legs step.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.terms import FRAME, Posed, TermWeights, add
from hvr_nb.geometry.functions import geman_mcclure

SIGMA = 0.6  # radians from the usual pose; frames much farther away are hardly drawn to it
SETTLED = 1e-9  # radians, the largest last step towards the usual pose
STILL = np.radians(10.0)  # root mean square angle from the usual pose that still counts as one pose
LEGS = (1, 2, 4, 5)  # hips and knees
# limb -> the joints that tell whether it is held still, and those that are held with it
LIMBS = {
    "left leg": ((1, 4), (1, 4, 7, 10)),
    "right leg": ((2, 5), (2, 5, 8, 11)),
    "left arm": ((16, 18), (13, 16, 18, 20, 22)),
    "right arm": ((17, 19), (14, 17, 19, 21, 23)),
    "trunk": ((3, 6, 9), (0, 3, 6, 9, 12, 15)),
}


def usual_pose(rotations: np.ndarray, *, steps: int = 30) -> np.ndarray:
    """(23, 3, 3) local rotations that most of the frames (N, 24, 3, 3) agree on, without the root.

    Minimises Geman and McClure's function of the angles to all frames, starting at their chordal mean.
    """
    usual = Rotation.from_matrix(rotations[:, 1:].mean(0)).as_matrix()  # the nearest rotation to the mean
    for _ in range(steps):
        away = strays(rotations, usual)
        weight = geman_mcclure((away**2).sum(-1) / SIGMA**2, 1.0)[1][..., None]
        step = (weight * away).sum(0) / weight.sum(0)
        usual = usual @ Rotation.from_rotvec(step).as_matrix()
        if np.abs(step).max() < SETTLED:
            break
    return usual


def strays(rotations: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(N, 23, 3) rotation vectors, radians, from the usual pose (23, 3, 3) to the frames (N, 24, 3, 3)."""
    apart = np.swapaxes(usual, -1, -2) @ rotations[:, 1:]
    apart = Rotation.from_matrix(apart.reshape(-1, 3, 3), assume_valid=True)
    return apart.as_rotvec().reshape(len(rotations), 23, 3)


def turn_axis(rotations: np.ndarray) -> np.ndarray:
    """(3,) unit axis about which orientations (N, 3, 3) turn: what their own axes see of it varies least."""
    axis = np.linalg.svd(rotations.mean(0))[0][:, 0]
    return axis * np.sign(axis @ rotations[:, :, 1].mean(0) or 1.0)


def one_pose_term(posed: Posed, weights: TermWeights, normal: Normal | None) -> float:
    """Robust distance of the joints ``weights.still`` from the usual pose, computed anew from the frames.

    The root (joint 0) turns, but about one axis: its tilt against that is the same in all frames. The tilt
    counts in plain squares, whose minimum over axis and mean is known in closed form.
    """
    if not weights.one_pose or not weights.still:
        return 0.0
    rotations, joints = posed.state.rotations, np.array([joint for joint in weights.still if joint], int)
    parts = [(strays(rotations, usual_pose(rotations))[:, joints - 1], np.eye(3), joints)]
    if 0 in weights.still:
        seen = np.swapaxes(rotations[:, 0], 1, 2) @ turn_axis(rotations[:, 0])  # (N, 3)
        parts.append(((seen - seen.mean(0))[:, None], cross_matrix(seen)[:, None], np.array([0])))
    total = 0.0
    for away, slopes, moved in parts:
        r = away / SIGMA
        squares = (r**2).sum(-1)
        cost, slope = (squares, np.ones_like(squares)) if 0 in moved else geman_mcclure(squares, 1.0)
        total += float(weights.one_pose * cost.sum())
        if normal is not None:
            J = np.zeros((len(r), len(moved), 3, FRAME))
            for k, joint in enumerate(moved):
                J[:, k, :, 3 * joint : 3 * joint + 3] = (slopes if slopes.ndim == 2 else slopes[:, k]) / SIGMA
            add(normal, J, r, np.repeat((weights.one_pose * slope)[..., None], 3, -1))
    return total


def cross_matrix(x: np.ndarray) -> np.ndarray:
    """(N, 3, 3) matrices that multiply by the cross product with x (N, 3) from the left."""
    return np.cross(x[:, None, :], np.eye(3)).swapaxes(1, 2)


def joints_of(limbs: Iterable[str]) -> tuple[int, ...]:
    """The joints that are held with some of ``LIMBS``."""
    return tuple(joint for limb in limbs for joint in LIMBS[limb][1])


def stands(rotations: np.ndarray) -> bool:
    """Whether hips and knees of local rotations (N, 24, 3, 3) are near their usual pose in most frames.

    So they are where somebody steps round, and not where somebody walks: who walks swings the arms, which
    must not be held.
    """
    away = np.linalg.norm(strays(rotations, usual_pose(rotations)), axis=-1)[:, np.array(LEGS) - 1]
    return bool(np.median(away, axis=0).max() < STILL)


def still_limbs(rotations: np.ndarray) -> list[str]:
    """The ``LIMBS`` of local rotations (N, 24, 3, 3) that stray from the usual pose by less than ``STILL``.

    Root mean square over the frames, of the joint of the limb that strays most.
    """
    away = (strays(rotations, usual_pose(rotations)) ** 2).sum(-1).mean(0) ** 0.5  # (23,)
    return [limb for limb, (tell, _) in LIMBS.items() if away[np.array(tell) - 1].max() < STILL]
