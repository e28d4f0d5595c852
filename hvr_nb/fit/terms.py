"""The energy of a monocular fit, term by term (docs/fit.md, 1 and 2).

Residuals are in metres, divided by their usual size. Pixels become metres at the body's depth, so near
and far frames count the same. Where outliers occur, Geman and McClure's function caps the cost. Each
term returns its cost and, if normal equations are given, adds its reweighted squares to them.

A frame has 75 unknowns: 72 for the joint rotations, 3 for the translation. Shared by all frames are 13:
10 betas, and the logarithms of the detector's size, of the focal length and of the size of the bones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.kinematics import PosedRig, Rig, joint_slopes, pose_rig
from hvr_nb.body.landmarks import PlacedLandmarks, place_landmarks
from hvr_nb.body.pose_prior import PosePrior, limits
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.start import Evidence
from hvr_nb.geometry.functions import geman_mcclure
from hvr_nb.types import Camera

FRAME, SHARED = 75, 13
SIGMA_DEPTH = (0.01, 0.1)  # metres, least and largest usual error of world landmarks about the hips
SIGMA_ACCELERATION = 6.0  # m / s^2
SIGMA_TURN = 60.0  # rad / s^2
SIGMA_HOLD = 0.4  # rad / s; a joint that rotates much faster really moves, a slower one is held still
SIGMA_SKELETON = 0.01  # metres, each coordinate of a bone of the rest pose
SOME = 128  # frames whose matrices of the pose prior are in memory at one time
DEPTH_STIFFNESS = 2.0  # accelerations along the viewing direction are smaller by this factor


@dataclass(frozen=True)
class TermWeights:
    """The weight of each term; residuals are already divided by their usual size."""

    reproject: float = 1.0
    depth: float = 0.1  # world landmarks along the viewing direction
    across: float = 0.05  # world landmarks across it
    prior: float = 0.3
    smooth: float = 0.25  # acceleration of the joints
    turn: float = 0.03  # acceleration of the joint rotations
    hold: float = 2.0  # speed of the joint rotations, see ``holding``
    one_pose: float = 0.0  # distance from the pose that most frames agree on, see hvr_nb.fit.one_pose
    still: tuple[int, ...] = ()  # joints held in one pose
    bend: float = 0.5  # knees and elbows against the detector's 3D, see hvr_nb.fit.bends
    stature: float = 4.0  # the first beta: one camera cannot tell size from depth
    betas: float = 0.15  # the other betas
    skeleton: float = 0.0  # bones of the rest pose against those of ``Evidence.shape``
    focal: float = 0.0  # stiffness of the focal length; 0 keeps it fixed
    silhouette: float = 0.0
    sigma_depth: float = SIGMA_DEPTH[1]  # metres, see ``depth_spread``
    bone_depth: float = 0.0  # bones against a skeleton, along the viewing direction; see hvr_nb.fit.bones
    bone_across: float = 0.0  # the same across it
    sigma_bone: float = 0.05  # metres
    cap: float = 3.0  # Geman and McClure's function: residuals of many more sigmas no longer count


@dataclass(frozen=True)
class State:
    """The unknowns of N frames."""

    rotations: np.ndarray  # (N, 24, 3, 3) local
    transl: np.ndarray  # (N, 3) world, metres
    betas: np.ndarray  # (10,)
    log_scale: float = 0.0  # logarithm of true over canonical size of the world landmarks
    log_focal: float = 0.0  # logarithm of true over given focal length
    log_bones: float = 0.0  # logarithm of the true size over that of the skeleton in ``Evidence.bones``

    def moved(self, step: np.ndarray, shared: np.ndarray) -> State:
        """The state after a step (N, 75) of the frames and a step (13,) of the shared unknowns."""
        turn = Rotation.from_rotvec(step[:, :72].reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
        return replace(
            self,
            rotations=self.rotations @ turn,
            transl=self.transl + step[:, 72:],
            betas=self.betas + shared[:10],
            log_scale=self.log_scale + shared[10],
            log_focal=self.log_focal + shared[11],
            log_bones=self.log_bones + shared[12],
        )


@dataclass(frozen=True)
class Posed:
    """A state with its posed skeleton and landmarks."""

    state: State
    pose: PosedRig
    landmarks: PlacedLandmarks
    joints: PlacedLandmarks | None  # Human3.6M's joints, where ``Evidence.bones`` is given

    @functools.cached_property
    def steps(self) -> np.ndarray:
        """(N - 1, 24, 3) rotation vectors, radians, of the joints from frame to frame."""
        R = self.state.rotations
        step = np.swapaxes(R[:-1], -1, -2) @ R[1:]
        step = Rotation.from_matrix(step.reshape(-1, 3, 3), assume_valid=True)
        return step.as_rotvec().reshape(-1, 24, 3)


def pose_state(state: State, rig: Rig, evidence: Evidence) -> Posed:
    """Forward kinematics of a state: joints, landmarks and, where they are compared, Human3.6M's joints."""
    pose = pose_rig(rig, state.rotations, state.transl, state.betas)
    bones = evidence.bones and place_landmarks(evidence.bones.table, rig, pose, state.betas)
    return Posed(state, pose, place_landmarks(evidence.table, rig, pose, state.betas), bones)


def with_shift(turn: np.ndarray) -> np.ndarray:
    """Derivatives by rotations (N, P, 3, 72) with those by the translation added: (N, P, 3, 75)."""
    shift = np.broadcast_to(np.eye(3), (*turn.shape[:2], 3, 3))
    return np.concatenate([turn, shift], -1)


def add(
    normal: Normal,
    J: np.ndarray,
    r: np.ndarray,
    w: np.ndarray,
    shared: dict | None = None,
    *,
    at: slice = slice(None),
) -> None:
    """Add residuals of the N frames ``at`` to the normal equations.

    Args:
        J: (N, ..., D) derivatives; columns after D are zero. r: (N, ...). w: (N, ...) weights.
        shared: first column among the shared unknowns -> derivatives (N, ..., k).
    """
    n, m = len(r), int(np.prod(r.shape[1:]))
    full = np.zeros((n, m, FRAME))
    full[..., : J.shape[-1]] = J.reshape(n, m, -1)
    border = None
    if shared:
        slopes = {column: slope.reshape(n, m, -1) for column, slope in shared.items()}
        border = np.zeros((n, m, max(column + slope.shape[-1] for column, slope in slopes.items())))
        for column, slope in slopes.items():
            border[..., column : column + slope.shape[-1]] = slope
    normal.add(full, r.reshape(n, m), w.reshape(n, m), border, at)


def image_rows(x: np.ndarray, depth: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points projected to the plane at depth 1, times a fixed depth, and their derivatives.

    The depth that turns pixels into metres is fixed: with the running depth the cost could be lowered
    by shrinking the body.

    Args:
        x: (N, P, 3) in camera axes. depth: (N,) metres. R: (3, 3) world to camera.

    Returns:
        (N, P, 2) metres, and (N, P, 2, 3) their derivatives with respect to the world position.
    """
    z = np.maximum(x[..., 2:], 0.1)
    u = x[..., :2] / z
    return u * depth[:, None, None], (R[:2] - u[..., None] * R[2]) * (depth[:, None, None] / z)[..., None]


def reprojection(
    posed: Posed,
    evidence: Evidence,
    camera: Camera,
    depth: np.ndarray,
    weights: TermWeights,
    normal: Normal | None,
) -> float:
    """Robust distance of landmarks from their rays, metres at ``depth`` (N,) across the viewing direction."""
    placed = posed.landmarks
    at, across = image_rows(placed.points @ camera.R.T + camera.t, depth, camera.R)
    seen = evidence.rays * (np.exp(-posed.state.log_focal) * depth[:, None, None])
    sigma = evidence.table.sigma[:, None]
    r = (at - seen) / sigma
    cost, slope = geman_mcclure((r**2).sum(-1), weights.cap)
    gain = weights.reproject * evidence.conf
    if normal is not None:
        across = across / sigma[..., None]
        w = np.repeat((gain * slope)[..., None], 2, -1)
        add(
            normal,
            across @ with_shift(placed.d_turn),
            r,
            w,
            {0: across @ placed.d_betas, 11: (seen / sigma)[..., None]},
        )
    return float((gain * cost).sum())


def world_misses(posed: Posed, evidence: Evidence, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks about the hips at the detector's size, and their distance from the detector's.

    Returns:
        (N, L, 3) and (N, L, 3), metres at the detector's size, camera axes.
    """
    R = camera.R * np.exp(-posed.state.log_scale)
    shape = about_hips(posed.landmarks.points, evidence) @ R.T
    return shape, shape - evidence.world @ camera.R.T


def about_hips(x: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Values (N, L, ...) minus their mean over the two hips."""
    return x - x[:, evidence.table.rows("left_hip", "right_hip")].mean(1, keepdims=True)


def depth_spread(posed: Posed, evidence: Evidence, camera: Camera) -> float:
    """Robust standard deviation of the detector's depths about a fit, metres, clipped to ``SIGMA_DEPTH``."""
    miss = np.abs(world_misses(posed, evidence, camera)[1][..., 2])
    used = (evidence.conf > 0) & np.isfinite(evidence.table.sigma)
    return float(np.clip(1.5 * 1.48 * np.median(miss[used]), *SIGMA_DEPTH))


def world_landmarks(
    posed: Posed, evidence: Evidence, camera: Camera, weights: TermWeights, normal: Normal | None
) -> float:
    """Robust distance from the detector's 3D landmarks at their size, along and across the view."""
    own, sigma = posed.landmarks, weights.sigma_depth
    R = camera.R * (np.exp(-posed.state.log_scale) / sigma)
    shape, miss = (x / sigma for x in world_misses(posed, evidence, camera))
    along, slope_along = geman_mcclure(miss[..., 2] ** 2, weights.cap)
    across, slope_across = geman_mcclure((miss[..., :2] ** 2).sum(-1), weights.cap)
    gain = np.maximum(evidence.conf, 0.2) * np.isfinite(evidence.table.sigma)
    if normal is not None:
        flat, deep = gain * weights.across * slope_across, gain * weights.depth * slope_along
        add(
            normal,
            R @ about_hips(own.d_turn, evidence),
            miss,
            np.stack([flat, flat, deep], -1),
            {0: R @ about_hips(own.d_betas, evidence), 10: -shape[..., None]},
        )
    return float((gain * (weights.depth * along + weights.across * across)).sum())


def smoothness(
    posed: Posed, evidence: Evidence, rig: Rig, camera: Camera, weights: TermWeights, normal: Normal | None
) -> float:
    """Acceleration of the joints (stiffer along the viewing direction) and of the joint rotations."""
    pose, n = posed.pose, len(posed.pose.joints)
    if n < 3:
        return 0.0
    scale = np.array([1.0, 1.0, DEPTH_STIFFNESS])[:, None] * camera.R / SIGMA_ACCELERATION
    g = pose.joints @ scale.T
    step = np.diff(evidence.seconds)
    before, after = step[:-1, None, None], step[1:, None, None]
    first, last = 2 / (before * (before + after)), 2 / (after * (before + after))
    second = (first, -first - last, last)  # derivative, also of frames that are not equally far apart
    a = first * g[:-2] + second[1] * g[1:-1] + last * g[2:]
    e = (a**2).sum(-1)  # (N - 2, 24)
    far = np.sqrt(1 + e)
    gain = weights.smooth * evidence.unbroken[:, None]
    turned = posed.steps.reshape(n - 1, 72) / SIGMA_TURN
    turn = last[:, 0] * turned[1:] - first[:, 0] * turned[:-1]
    turn_gain = np.repeat(weights.turn * evidence.unbroken[:, None], 72, 1)
    if normal is not None:
        J = (scale @ with_shift(joint_slopes(rig, pose))).reshape(n, 72, FRAME)
        border = (scale @ pose.d_betas).reshape(n, 72, 10)
        normal.add_difference(J, a.reshape(n - 2, 72), np.repeat(gain / far, 3, 1), border, factors=second)
        normal.add_own_difference(slice(0, 72), turn * SIGMA_TURN, turn_gain / SIGMA_TURN**2, factors=second)
    return float((gain * (2 * far - 2)).sum() + (turn_gain * turn**2).sum())


def holding(posed: Posed, evidence: Evidence, weights: TermWeights, normal: Normal | None) -> float:
    """Robust speed of the joint rotations without the root: slow rotations are held still (docs/fit.md, 8).

    The detector misjudges depth alike in all views from one side, and differently from another side.
    Without this term a person who turns round in one pose seems to lean towards the camera all the time.
    Fast motion costs a constant.
    """
    n = len(posed.state.rotations)
    if n < 2:
        return 0.0
    step = posed.steps[:, 1:]
    rate = 1 / (np.diff(evidence.seconds) * SIGMA_HOLD)
    speed = step * rate[:, None, None]
    cost, slower = geman_mcclure((speed**2).sum(-1), 1.0)
    if normal is not None:
        w = np.repeat(weights.hold * slower * rate[:, None] ** 2, 3, 1)
        normal.add_own_difference(slice(3, 72), step.reshape(n - 1, 69), w, factors=(-1.0, 1.0))
    return float(weights.hold * cost.sum())


def plausibility(posed: Posed, prior: PosePrior, weights: TermWeights, normal: Normal | None) -> float:
    """Pose prior and joint limits."""
    cost = 0.0
    for start in range(0, len(posed.state.rotations), SOME):  # matrices of all frames would fill the memory
        at = slice(start, start + SOME)
        rotations = posed.state.rotations[at]
        energy, gradient, matrix = prior.rate(prior.values(rotations))
        r, J = limits(rotations)
        cost += weights.prior * energy.sum() + (r**2).sum()
        if normal is not None:
            slopes = prior.slopes(rotations)
            normal.add_quadratic(slopes, weights.prior * gradient, weights.prior * matrix, at=at)
            add(normal, J, r, np.ones(r.shape), at=at)
    return float(cost)


def shared_priors(
    state: State, evidence: Evidence, rig: Rig, weights: TermWeights, normal: Normal | None
) -> float:
    """Betas near zero, bones of the rest pose near those of ``Evidence.shape``, focal near the given one.

    Times the frames, so long clips do not outvote them.
    """
    n = len(state.transl)
    stiff = np.zeros(SHARED)
    stiff[0], stiff[1:10] = weights.stature * n, weights.betas * n
    stiff[10], stiff[11], stiff[12] = 1e-3, weights.focal * n or 1e9, 1e-3
    value = np.concatenate([state.betas, [state.log_scale, state.log_focal, state.log_bones]])
    cost = float((stiff * value**2).sum())
    if normal is not None:
        normal.common += np.diag(stiff)
        normal.common_gradient += stiff * value
    if evidence.shape is not None and weights.skeleton:
        bones = (rig.directions[1:] - rig.directions[list(rig.parents[1:])]).reshape(-1, 10) / SIGMA_SKELETON
        off = bones @ (state.betas - evidence.shape)
        cost += weights.skeleton * n * float(off @ off)
        if normal is not None:
            normal.common[:10, :10] += weights.skeleton * n * bones.T @ bones
            normal.common_gradient[:10] += weights.skeleton * n * bones.T @ off
    return cost
