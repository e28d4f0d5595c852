"""SMPL from one video: shape, pose and place of a person over the whole clip at once.

All frames are solved together (specs/nvr.md 1.2) by Gauss-Newton steps with exact derivatives:
the detector's 3D landmarks start the pose, 2D landmarks, silhouettes, a pose prior and smoothness
refine it. The terms stand in fit_terms and silhouette.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hvr_nb.body.kinematics import Rig, pose_body, rig_of
from hvr_nb.body.landmarks import place_landmarks, table_for
from hvr_nb.body.model import BodyModel, load_body_model
from hvr_nb.body.motion import resample, unwrap_rotations
from hvr_nb.body.pose_prior import PosePrior, load_pose_prior
from hvr_nb.fit import bones as fit_bones
from hvr_nb.fit import one_pose as fit_still
from hvr_nb.fit import outlines as silhouette
from hvr_nb.fit import start as fit_init
from hvr_nb.fit import terms as fit_terms
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.start import Evidence
from hvr_nb.fit.terms import FRAME, SHARED, State, TermWeights, pose_state
from hvr_nb.geometry.camera import project
from hvr_nb.metrics.images import acceleration, iou
from hvr_nb.threads import one_thread
from hvr_nb.types import Body, Camera, HvrError, Joints3D, Keypoints, Masks

ITERS = (12, 20, 20)  # Gauss-Newton steps on 3D landmarks, on 2D landmarks, with silhouettes
RENEW = 3  # steps between two searches of silhouette correspondences
SILHOUETTE = 550.0  # weight of the edges against the landmarks; enough to fill a jacket
LIFT_LEADS = 0.5  # weight of lifted depths to the end, where the detector has no 3D
HELD, HELD_SIGMA = 4.0, 0.03  # weight and metres, of the bones' depths while silhouettes pull
PLAUSIBLE = 0.3  # weight of the pose prior then: with the depths held, cloth may bend the rest
STATURE = 100.0  # weight of usual stature then: clothes would make people short rather than broad
HOLD = 0.3  # weight of holding still while silhouettes pull: cloth hangs otherwise in every view
ONE_POSE = (30.0, 100.0, 10.0)  # weight of one pose: to see if there is one, to take it, with silhouettes
SETTLE = 10  # steps of the first two
FOCAL_STIFFNESS = 30.0  # of the log of the focal length, where it is refined


@dataclass(frozen=True)
class Problem:
    """The fixed side of one fit."""

    model: BodyModel
    rig: Rig
    skin: silhouette.SkinSamples
    prior: PosePrior
    evidence: Evidence
    camera: Camera


def fit_body(
    keypoints: Keypoints,
    masks: Masks | None,
    camera: Camera,
    *,
    fps: float,
    model: BodyModel | None = None,
    refine_focal: bool = False,
    one_pose: bool = True,
    iters: tuple[int, int, int] = ITERS,
    lifted: Joints3D | None = None,
) -> Body:
    """Fit one SMPL body to a clip.

    Args:
        keypoints: 2D joints of T frames; with ``landmarks`` and ``world`` the detector's 3D is used.
        masks: silhouettes of the T frames, or None to do without.
        camera: its K, R and t are kept; K's focal is refined if ``refine_focal``.
        fps: frames per second, which sets what counts as smooth.
        model: the body model; None takes ``load_body_model()``.
        one_pose: draw the frames of a person who turns right round in one pose to that pose (``fit_still``);
            who moves otherwise is left alone in any case.
        iters: steps on 3D landmarks, on 2D landmarks and with silhouettes.
        lifted: the skeleton of ``lift_skeleton``; it starts the pose together with the detector's 3D, and
            where there is none it also says to the end how deep the bones are.

    Where the detector's legs jump, exchanging left and right is tried as well (two more fits).

    Returns:
        Body of T frames, ``valid`` False where the person was not found (interpolated there).

    Raises:
        HvrError: no usable frame, or masks and camera of another size or length.
    """
    _check(keypoints, masks, camera, fps)
    model = model or load_body_model()
    evidence = fit_init.gather(keypoints, camera, table_for(keypoints, model), fps)
    if lifted is not None:
        evidence = replace(evidence, bones=fit_bones.opinion_of(lifted, evidence.frames, model))
    problem = Problem(model, rig_of(model), silhouette.skin_of(model), load_pose_prior(), evidence, camera)
    focal = FOCAL_STIFFNESS if refine_focal else 0.0
    steps = sum(iters[: 2 if masks is None else 3])
    with one_thread(), tqdm(total=steps, desc="fit", leave=False) as bar:
        problem, state = untangled(problem, iters, focal, bar)
        state, still = settled(problem, state, focal, bar) if one_pose else (state, False)
        if masks is not None and iters[2]:
            edges = silhouette.outlines(masks.alpha[evidence.frames], camera)
            weights = TermWeights(
                silhouette=SILHOUETTE,
                focal=focal,
                sigma_depth=trust(problem, state),
                bone_depth=HELD,
                sigma_bone=HELD_SIGMA,
                hold=HOLD,
                prior=PLAUSIBLE,
                stature=STATURE,
                one_pose=ONE_POSE[2] if still else 0.0,
            )
            problem, state = hold(problem, state)
            state, _ = descend(problem, state, iters[2], weights, bar, edges=edges)
    return _as_body(problem, state, len(keypoints.points), refine_focal)


def untangled(problem: Problem, iters: tuple, focal: float, bar) -> tuple[Problem, State]:
    """The joints' fit, with the legs exchanged in some segments where that explains the clip better."""
    fits = [(problem, *fit_joints(problem, iters, focal, bar))]
    odd = fit_init.leg_segments(problem.evidence)
    if odd.any():
        bar.total += 2 * (iters[0] + iters[1])
        for where in (odd, ~odd):
            other = replace(problem, evidence=fit_init.swap_legs(problem.evidence, where))
            fits.append((other, *fit_joints(other, iters, focal, bar)))
    return min(fits, key=lambda fit: fit[2])[:2]


def settled(problem: Problem, state: State, focal: float, bar) -> tuple[State, bool]:
    """The state drawn to one pose, and whether the person holds one; else the state is as it was."""
    body = _as_body(problem, state, problem.evidence.frames[-1] + 1, False)
    if not fit_still.may_hold_one_pose(body, state.rotations):
        return state, False
    weights = joint_weights(problem, state, focal)
    bar.total += 2 * SETTLE
    drawn, _ = descend(problem, state, SETTLE, replace(weights, one_pose=ONE_POSE[0]), bar)
    if not fit_still.holds_one_pose(drawn.rotations):
        return state, False
    return descend(problem, drawn, SETTLE, replace(weights, one_pose=ONE_POSE[1]), bar)[0], True


def hold(problem: Problem, state: State) -> tuple[Problem, State]:
    """The problem with the state's own bones as the opinion: silhouettes see no depth and shall not change it."""
    bones = fit_bones.own_bones(state, problem.rig, problem.model)
    return replace(problem, evidence=replace(problem.evidence, bones=bones)), replace(state, log_bones=0.0)


def fit_joints(problem: Problem, iters: tuple, focal: float, bar) -> tuple[State, float]:
    """State and energy after the landmarks; outliers are ruled out more and more strictly."""
    state, cost = start(problem, iters[0], bar), np.inf
    for cap, share in ((30.0, 0.2), (8.0, 0.3), (3.0, 0.5)):
        weights = replace(joint_weights(problem, state, focal), cap=cap)
        state, cost = descend(problem, state, max(1, round(share * iters[1])), weights, bar)
    return state, cost


def joint_weights(problem: Problem, state: State, focal: float) -> TermWeights:
    """What the terms count while only landmarks pull."""
    lift = LIFT_LEADS if problem.evidence.world is None else 0.0
    return TermWeights(focal=focal, sigma_depth=trust(problem, state), bone_depth=lift)


def trust(problem: Problem, state: State) -> float:
    """Spread of the detector's depths about the state, metres: noise is measured, not assumed."""
    if problem.evidence.world is None:
        return fit_terms.SIGMA_DEPTH[1]
    posed = pose_state(state, problem.rig, problem.evidence)
    return fit_terms.depth_spread(posed, problem.evidence, problem.camera)


def _check(keypoints: Keypoints, masks: Masks | None, camera: Camera, fps: float) -> None:
    if not fps > 0:
        raise HvrError(f"fps is {fps}; it must be positive")
    if masks is None:
        return
    if len(masks.alpha) != len(keypoints.points):
        raise HvrError(
            f"{len(masks.alpha)} masks do not match {len(keypoints.points)} frames of keypoints; "
            "run 02_masks again"
        )
    if masks.alpha.shape[1:] != (camera.height, camera.width):
        raise HvrError(
            f"masks are {masks.alpha.shape[2]}x{masks.alpha.shape[1]} but the camera is "
            f"{camera.width}x{camera.height}; use the camera of this clip"
        )


def start(problem: Problem, iters: int, bar) -> State:
    """Orientation from the torso, pose from the detector's and the lifter's 3D, place by least squares."""
    evidence = problem.evidence
    n, solid = len(evidence.frames), evidence.world is not None or evidence.bones is not None
    rotations = np.tile(np.eye(3), (n, 24, 1, 1))
    rotations[:, 0] = (
        fit_init.torso_orientation(evidence, problem.rig)
        if solid
        else fit_init.facing_from_2d(evidence, problem.rig, problem.camera)
    )
    state = State(rotations, np.zeros((n, 3)), np.zeros(10))
    if solid:
        fixed = {"stature": 1e6, "betas": 1e6}
        across = 1.0 if evidence.world is None else 0.0  # beside the detector's 3D the lift says depths only
        only_3d = TermWeights(
            reproject=0.0,
            depth=1.0,
            across=1.0,
            bone_depth=1.0,
            bone_across=across,
            prior=0.1,
            cap=30.0,
            **fixed,
        )
        state, _ = descend(problem, state, iters, only_3d, bar)
    state = replace(state, transl=np.zeros((n, 3)))
    landmarks = pose_state(state, problem.rig, evidence).landmarks.points
    shift = fit_init.solve_translation(landmarks, evidence, problem.camera.R)
    return replace(state, transl=(shift - problem.camera.t) @ problem.camera.R)


def descend(
    problem: Problem, state: State, iters: int, weights: TermWeights, bar, *, edges=None
) -> tuple[State, float]:
    """Damped Gauss-Newton steps (Levenberg-Marquardt on reweighted squares): state and its energy."""
    damping, pairs, cost = 1e-3, None, np.inf
    depth = (
        pose_state(state, problem.rig, problem.evidence).pose.joints @ problem.camera.R.T + problem.camera.t
    )[:, 0, 2]
    for step in range(iters):
        if edges is not None and step % RENEW == 0:
            pairs = silhouette.correspond(problem.model, problem.skin, state, edges, problem.camera)
        normal = Normal(len(state.transl), FRAME, SHARED)
        cost = total(problem, state, depth, weights, pairs, normal)
        for _ in range(6):
            trial = state.moved(*normal.solve(damping))
            after = total(problem, trial, depth, weights, pairs)
            if after < cost:
                state, cost, damping = trial, after, max(damping / 5, 1e-7)
                break
            damping *= 8
        bar.update()
    return state, cost


def total(
    problem: Problem,
    state: State,
    depth: np.ndarray,
    weights: TermWeights,
    pairs,
    normal: Normal | None = None,
) -> float:
    """The energy of a state, pixels weighed as metres at ``depth`` (N,); fills ``normal`` if given."""
    evidence, camera = problem.evidence, problem.camera
    posed = pose_state(state, problem.rig, evidence)
    cost = fit_terms.shared_priors(state, weights, normal)
    cost += fit_terms.plausibility(posed, problem.prior, weights, normal)
    cost += fit_terms.smoothness(posed, evidence, problem.rig, camera, weights, normal)
    cost += fit_terms.holding(posed, evidence, weights, normal)
    cost += fit_still.one_pose_term(posed, weights, normal)
    if weights.reproject:
        cost += fit_terms.reprojection(posed, evidence, camera, depth, weights, normal)
    if evidence.world is not None:
        cost += fit_terms.world_landmarks(posed, evidence, camera, weights, normal)
    if evidence.bones is not None:
        cost += fit_bones.bone_depths(posed, evidence.bones, camera, weights, normal)
    if pairs is not None:
        cost += silhouette.distance(problem.skin, problem.rig, posed, pairs, camera, depth, weights, normal)
    return cost


def fit_report(body: Body, keypoints: Keypoints, masks: Masks | None, model: BodyModel | None = None) -> dict:
    """What a fit explains of what was seen, as plain numbers.

    Returns:
        reprojection_px, reprojection_px_mean, reprojection_percent, reprojection_percent_mean: median
        and mean distance of the landmarks, pixels and % of the person's height in the picture;
        iou (T,) and iou_mean: body against mask (NaN without masks); coverage: share of frames in
        which the person was found; jitter: mean acceleration of the joints, mm per frame squared;
        focal: pixels; legs_exchanged: frames in which the body contradicts the detector's left and right.
    """
    model = model or load_body_model()
    rig, table = rig_of(model), table_for(keypoints, model)
    pose = pose_body(rig, body)
    drawn = project(place_landmarks(table, rig, pose, body.betas).points, body.camera)
    seen = keypoints.points if keypoints.landmarks is None else keypoints.landmarks
    used = (seen[..., 2] > 0.3) & np.isfinite(table.sigma) & (body.valid & keypoints.found)[:, None]
    height = np.array([np.ptp(d[np.isfinite(table.sigma), 1]) for d in drawn])
    miss = np.linalg.norm(drawn - seen[..., :2], axis=-1)
    px, percent = miss[used], (100 * miss / np.maximum(height, 1)[:, None])[used]
    order = fit_init.leg_order(table)
    legs = (order != np.arange(len(order))) & np.isfinite(table.sigma)
    other = np.linalg.norm(drawn - seen[:, order, :2], axis=-1)
    exchanged = (used[:, legs].any(1)) & (other[:, legs].mean(1) < 0.5 * miss[:, legs].mean(1))
    overlap = np.full(len(body), np.nan)
    if masks is not None:
        overlap = iou(silhouette.body_silhouettes(body, model), masks.alpha)
    at = body.valid if body.valid.any() else slice(None)
    return {
        "reprojection_px": float(np.median(px)) if len(px) else float("nan"),
        "reprojection_px_mean": float(px.mean()) if len(px) else float("nan"),
        "reprojection_percent": float(np.median(percent)) if len(px) else float("nan"),
        "reprojection_percent_mean": float(percent.mean()) if len(px) else float("nan"),
        "iou": overlap,
        "iou_mean": float(overlap[at].mean()),
        "coverage": float(body.valid.mean()),
        "jitter": acceleration(pose.joints),
        "focal": float(body.camera.K[0, 0]),
        "legs_exchanged": int(exchanged.sum()),
    }


def _as_body(problem: Problem, state: State, count: int, refined: bool) -> Body:
    rotvec = Rotation.from_matrix(state.rotations.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)
    frames = problem.evidence.frames
    valid = np.zeros(count, bool)
    valid[frames] = True
    camera = silhouette.refocused(problem.camera, state.log_focal) if refined else problem.camera
    body = Body(
        betas=state.betas,
        global_orient=unwrap_rotations(rotvec[:, 0]),
        transl=state.transl,
        body_pose=rotvec[:, 1:].reshape(-1, 69),
        valid=np.ones(len(frames), bool),
        camera=camera,
        model_hash=problem.model.hash,
    )
    return replace(resample(body, frames, np.arange(count)), valid=valid)
