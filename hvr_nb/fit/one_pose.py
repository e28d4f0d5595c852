"""The term for one pose: a person who turns right round in one pose gets one pose (docs/fit.md, 8).

A detector misjudges how far limbs point towards the camera, differently in every view. In a clip filmed
for an avatar the arms would drift although the person holds them still. Where the clip shows a person
who stands and turns right round, all frames are drawn to the pose that most of them agree on.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.headings import FULL_TURN, turn_shown
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.terms import FRAME, Posed, TermWeights, add
from hvr_nb.geometry.functions import geman_mcclure
from hvr_nb.types import Body

SIGMA = 0.6  # radians from the usual pose; frames much farther away are hardly drawn to it
STILL = np.radians(10.0)  # root mean square angle from the usual pose that still counts as one pose
LEGS, ARMS = (1, 2, 4, 5), (16, 17, 18, 19)  # joints: hips and knees, shoulders and elbows


def usual_pose(rotations: np.ndarray, *, steps: int = 30) -> np.ndarray:
    """(23, 3, 3) local rotations that most of the frames (N, 24, 3, 3) agree on, without the root.

    Minimises Geman and McClure's function of the angles to all frames, starting at their chordal mean.
    """
    usual = Rotation.from_matrix(rotations[:, 1:].mean(0)).as_matrix()  # the nearest rotation to the mean
    for _ in range(steps):
        away = strays(rotations, usual)
        weight = geman_mcclure((away**2).sum(-1) / SIGMA**2, 1.0)[1][..., None]
        usual = usual @ Rotation.from_rotvec((weight * away).sum(0) / weight.sum(0)).as_matrix()
    return usual


def strays(rotations: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(N, 23, 3) rotation vectors, radians, from the usual pose (23, 3, 3) to the frames (N, 24, 3, 3)."""
    apart = np.swapaxes(usual, -1, -2) @ rotations[:, 1:]
    return Rotation.from_matrix(apart.reshape(-1, 3, 3)).as_rotvec().reshape(len(rotations), 23, 3)


def one_pose_term(posed: Posed, weights: TermWeights, normal: Normal | None) -> float:
    """Robust distance of all joint rotations from the usual pose, computed anew from the frames."""
    if not weights.one_pose:
        return 0.0
    rotations = posed.state.rotations
    r = strays(rotations, usual_pose(rotations)) / SIGMA
    cost, slope = geman_mcclure((r**2).sum(-1), 1.0)
    if normal is not None:
        J = np.zeros((len(r), 69, FRAME))
        J[:, range(69), range(3, 72)] = 1 / SIGMA
        add(normal, J, r.reshape(len(r), 69), np.repeat(weights.one_pose * slope, 3, 1))
    return float(weights.one_pose * cost.sum())


def may_hold_one_pose(body: Body, rotations: np.ndarray) -> bool:
    """Whether the person turns right round on legs that hold still; local rotations (N, 24, 3, 3)."""
    return turn_shown(body) >= FULL_TURN and straying(rotations, LEGS) < STILL


def holds_one_pose(rotations: np.ndarray) -> bool:
    """Whether local rotations (N, 24, 3, 3) that were drawn to one pose took it.

    Arms that really move stay away from it all the same.
    """
    return straying(rotations, ARMS) < STILL


def straying(rotations: np.ndarray, joints: tuple[int, ...]) -> float:
    """Root mean square angle from the usual pose, radians, of the pair of joints that is farthest from it.

    Args:
        rotations: (N, 24, 3, 3), local. joints: pairs, left and right in turn.
    """
    away = strays(rotations, usual_pose(rotations))[:, np.array(joints) - 1]
    pairs = (away**2).sum(-1).mean(0).reshape(-1, 2).mean(1)  # left and right together
    return float(np.sqrt(pairs.max()))
