"""SMPL from one video: shape, pose and translation of a person in all frames at once (docs/fit.md).

All frames are solved together by Gauss-Newton steps with exact derivatives. The detector's and the
lifter's 3D skeletons start the pose. 2D landmarks, silhouettes, a pose prior and smoothness refine it.
The terms are in ``terms``, ``bones``, ``one_pose`` and ``outlines``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hvr_nb.body.headings import FULL_TURN, turn_shown
from hvr_nb.body.kinematics import Rig, pose_body, rig_of
from hvr_nb.body.landmarks import place_landmarks, table_for
from hvr_nb.body.model import BodyModel, load_body_model
from hvr_nb.body.motion import resample, unwrap_rotations
from hvr_nb.body.pose_prior import PosePrior, load_pose_prior
from hvr_nb.fit import bones, one_pose, outlines, start, terms, windows
from hvr_nb.fit.bends import bend_term
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.start import Evidence
from hvr_nb.fit.terms import FRAME, SHARED, State, TermWeights, pose_state
from hvr_nb.geometry.camera import project
from hvr_nb.metrics.images import acceleration, iou
from hvr_nb.store.times import frame_seconds
from hvr_nb.threads import one_thread
from hvr_nb.types import Body, Camera, HvrError, Joints3D, Keypoints, Masks

ITERS = (12, 20, 20)  # Gauss-Newton steps on 3D landmarks, on 2D landmarks, with silhouettes
RENEW = 3  # steps between two searches for pairs of contour points
SILHOUETTE = 550.0  # weight of silhouettes against landmarks; enough to fill tight clothes
LIFT_LEADS = 0.5  # weight of lifted depths in all steps, where the detector has no 3D
HELD, HELD_SIGMA = 4.0, 0.03  # with silhouettes: weight and usual error (metres) of the bones' depths
SKELETON = 1.0  # with silhouettes: weight of keeping the bones; or clothes make people short, not broad
HOLD = 0.5  # with silhouettes: weight of holding still; clothes hang differently in every view
ONE_POSE = (30.0, 100.0, 20.0)  # weights of one pose: to test for one, to take it, with silhouettes
SETTLE = 10  # steps with each of the first two
WINDOW, OVERLAP = 600, 60  # frames that are solved together, and that two windows share
PILOT = 300  # frames that tell the shape of longer clips
SHAPE = [*range(10), 11]  # among the shared unknowns: betas and focal length
FOCAL_STIFFNESS = 30.0  # weight of the logarithm of the focal length, where it is refined


@dataclass(frozen=True)
class Problem:
    """What stays fixed during one fit: body model, prior, observations, camera."""

    model: BodyModel
    rig: Rig
    skin: outlines.SkinSamples
    prior: PosePrior
    evidence: Evidence
    camera: Camera
    known: State | None = None  # whose betas and focal length are kept


def fit_body(
    keypoints: Keypoints,
    masks: Masks | None,
    camera: Camera,
    *,
    fps: float,
    times: np.ndarray | None = None,
    model: BodyModel | None = None,
    refine_focal: bool = False,
    one_pose: bool = True,
    iters: tuple[int, int, int] = ITERS,
    lifted: Joints3D | None = None,
) -> Body:
    """Fit one SMPL body to a clip.

    Args:
        keypoints: 2D joints of T frames; with ``landmarks`` and ``world`` the detector's 3D is used too.
        masks: silhouettes of the T frames, or None to fit without them.
        camera: its K, R and t are kept; the focal length is refined if ``refine_focal``.
        fps: frames per second; smoothness is measured per second. times: (T,) seconds of the frames, where
            the rate varies.
        model: the body model; None takes ``load_body_model()``.
        one_pose: a person who turns right round in one pose gets one pose in all frames. People who move
            are not affected.
        iters: steps on 3D landmarks, on 2D landmarks and with silhouettes.
        lifted: the skeleton of ``lift_skeleton``. It starts the pose together with the detector's 3D;
            without the detector's 3D its depths count in all steps until silhouettes are used.

    Where the detector's legs jump, exchanging left and right is tried as well (two more fits). Of clips with
    more than ``WINDOW`` frames some tell the shape, and all are fitted in windows that overlap.

    Returns:
        Body of T frames; frames without the person are interpolated, with ``valid`` False.

    Raises:
        HvrError: no usable frame, or the masks have another size than the camera or another number of frames.
    """
    _check(keypoints, masks, camera)
    model = model or load_body_model()
    seconds = frame_seconds(len(keypoints.points), fps=fps, times=times)
    evidence = start.gather(keypoints, camera, table_for(keypoints, model), seconds)
    if lifted is not None:
        evidence = replace(evidence, bones=bones.opinion_of(lifted, evidence.frames, model))
    problem = Problem(model, rig_of(model), outlines.skin_of(model), load_pose_prior(), evidence, camera)
    focal = FOCAL_STIFFNESS if refine_focal else 0.0
    parts = windows.spans(len(evidence.frames), window=WINDOW, overlap=OVERLAP)
    steps = sum(iters[: 2 if masks is None else 3]) * (len(parts) + (len(parts) > 1))
    how = {"iters": iters, "focal": focal}
    with one_thread(), tqdm(total=steps, desc="fit", leave=False) as bar:
        if len(parts) == 1:
            state, _ = solved(problem, masks, bar, **how, one_pose=one_pose)
        else:
            some = windows.pilot_frames(len(evidence.frames), PILOT)
            pilot = replace(problem, evidence=evidence.at(some))
            known, still = solved(pilot, masks, bar, **how, one_pose=one_pose)
            every = (replace(problem, evidence=evidence.at(part), known=known) for part in parts)
            states = [solved(one, masks, bar, **how, one_pose=False, still=still)[0] for one in every]
            state = windows.faded(states, parts)
    return _as_body(problem, state, seconds, refine_focal)


def solved(
    problem: Problem,
    masks: Masks | None,
    bar,
    *,
    iters: tuple[int, int, int],
    focal: float,
    one_pose: bool,
    still: tuple[int, ...] = (),
) -> tuple[State, tuple[int, ...]]:
    """The state of the problem's frames, and the joints that are held still in it.

    Args:
        one_pose: whether to look for limbs that are held still. still: joints that are known to be.
    """
    problem, state = untangled(problem, iters, focal, bar)
    if one_pose:
        state, still = settled(problem, state, focal, bar)
    elif still:
        bar.total += SETTLE
        state = drawn(problem, state, focal, still, bar)
    if masks is not None and iters[2]:
        edges = outlines.outlines(masks, problem.evidence.frames, problem.camera)
        weights = TermWeights(
            silhouette=SILHOUETTE,
            focal=focal,
            sigma_depth=trust(problem, state),
            bone_depth=HELD,
            sigma_bone=HELD_SIGMA,
            hold=HOLD,
            skeleton=SKELETON,
            one_pose=ONE_POSE[2],
            still=still,
        )
        problem, state = hold(problem, state)
        state, _ = descend(problem, state, iters[2], weights, bar, edges=edges)
    return state, still


def untangled(problem: Problem, iters: tuple, focal: float, bar) -> tuple[Problem, State]:
    """The fit to landmarks, with the legs exchanged in some segments where that has less energy."""
    fits = [(problem, *fit_joints(problem, iters, focal, bar))]
    odd = start.leg_segments(problem.evidence)
    if odd.any():
        bar.total += 2 * (iters[0] + iters[1])
        for where in (odd, ~odd):
            other = replace(problem, evidence=start.swap_legs(problem.evidence, where))
            fits.append((other, *fit_joints(other, iters, focal, bar)))
    return min(fits, key=lambda fit: fit[2])[:2]


def settled(problem: Problem, state: State, focal: float, bar) -> tuple[State, tuple[int, ...]]:
    """The state with still limbs drawn to one pose, and their joints; unchanged unless somebody turns round.

    Legs and trunk are still if they are found still. Arms, which detectors misjudge most, are still if they
    are after being drawn to one pose.
    """
    body = _as_body(problem, state, np.arange(problem.evidence.frames[-1] + 1), False)
    if turn_shown(body) < FULL_TURN or not one_pose.stands(state.rotations):
        return state, ()
    weights = joint_weights(problem, state, focal)
    found = one_pose.still_limbs(state.rotations)
    tried = [limb for limb in one_pose.LIMBS if limb in found or "arm" in limb]
    bar.total += 2 * SETTLE
    first = replace(weights, one_pose=ONE_POSE[0], still=one_pose.joints_of(tried))
    trial, _ = descend(problem, state, SETTLE, first, bar)
    kept = [limb for limb in one_pose.still_limbs(trial.rotations) if limb in tried]
    if not kept:
        return state, ()
    still = one_pose.joints_of(kept)
    return drawn(problem, trial if kept == tried else state, focal, still, bar, like=state), still


def drawn(
    problem: Problem, state: State, focal: float, still: tuple[int, ...], bar, *, like: State | None = None
) -> State:
    """The state with the joints ``still`` drawn to one pose; ``like`` tells the weights, None: the state."""
    weights = joint_weights(problem, like or state, focal)
    weights = replace(weights, one_pose=ONE_POSE[1], still=still)
    return descend(problem, state, SETTLE, weights, bar)[0]


def hold(problem: Problem, state: State) -> tuple[Problem, State]:
    """The problem with the state's own bones as evidence: silhouettes keep depths and proportions."""
    own = bones.own_bones(state, problem.rig, problem.model)
    evidence = replace(problem.evidence, bones=own, shape=state.betas)
    return replace(problem, evidence=evidence), replace(state, log_bones=0.0)


def fit_joints(problem: Problem, iters: tuple, focal: float, bar) -> tuple[State, float]:
    """The fit to landmarks: state and energy. The cap falls in three steps, so outliers count less."""
    state, cost = initial_state(problem, iters[0], bar), np.inf
    for cap, share in ((30.0, 0.2), (8.0, 0.3), (3.0, 0.5)):
        weights = replace(joint_weights(problem, state, focal), cap=cap)
        state, cost = descend(problem, state, max(1, round(share * iters[1])), weights, bar)
    return state, cost


def joint_weights(problem: Problem, state: State, focal: float) -> TermWeights:
    """The weights of the terms while only landmarks are fitted."""
    lift = LIFT_LEADS if problem.evidence.world is None else 0.0
    return TermWeights(focal=focal, sigma_depth=trust(problem, state), bone_depth=lift)


def trust(problem: Problem, state: State) -> float:
    """Noise of the detector's depths, metres, measured against the state."""
    if problem.evidence.world is None:
        return terms.SIGMA_DEPTH[1]
    posed = pose_state(state, problem.rig, problem.evidence)
    return terms.depth_spread(posed, problem.evidence, problem.camera)


def _check(keypoints: Keypoints, masks: Masks | None, camera: Camera) -> None:
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


def initial_state(problem: Problem, iters: int, bar) -> State:
    """The start: root from the torso, pose from 3D, translation by least squares (docs/fit.md, 4)."""
    evidence = problem.evidence
    n, solid = len(evidence.frames), evidence.world is not None or evidence.bones is not None
    rotations = np.tile(np.eye(3), (n, 24, 1, 1))
    rotations[:, 0] = (
        start.torso_orientation(evidence, problem.rig)
        if solid
        else start.facing_from_2d(evidence, problem.rig, problem.camera)
    )
    known = problem.known
    shape = {} if known is None else {"log_focal": known.log_focal, "log_scale": known.log_scale}
    state = State(rotations, np.zeros((n, 3)), np.zeros(10) if known is None else known.betas, **shape)
    if solid:
        fixed = {"stature": 1e6, "betas": 1e6}
        across = 1.0 if evidence.world is None else 0.0  # with the detector's 3D only lifted depths count
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
    shift = start.solve_translation(landmarks, evidence, problem.camera.R)
    return replace(state, transl=(shift - problem.camera.t) @ problem.camera.R)


def descend(
    problem: Problem, state: State, iters: int, weights: TermWeights, bar, *, edges=None
) -> tuple[State, float]:
    """Levenberg-Marquardt steps on reweighted squares: the state and its energy."""
    damping, pairs, cost, normal = 1e-3, None, np.inf, None
    depth = (
        pose_state(state, problem.rig, problem.evidence).pose.joints @ problem.camera.R.T + problem.camera.t
    )[:, 0, 2]
    for step in range(iters):
        if edges is not None and step % RENEW == 0:
            pairs = outlines.correspond(problem.model, problem.skin, state, edges, problem.camera)
            normal = None
        for _ in range(6):
            if normal is None:
                normal = Normal(len(state.transl), FRAME, SHARED)
                cost = total(problem, state, depth, weights, pairs, normal)
            if problem.known is not None:
                normal.keep(SHAPE)
            move = normal.solve(damping)
            goes_on = step + 1 < iters and (edges is None or (step + 1) % RENEW)  # with the trial, most often
            normal = Normal(len(state.transl), FRAME, SHARED) if goes_on else None
            trial = state.moved(*move)
            after = total(problem, trial, depth, weights, pairs, normal)
            if after < cost:
                state, cost, damping = trial, after, max(damping / 5, 1e-7)
                break
            normal, damping = None, 8 * damping
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
    """The energy of a state; pixels become metres at ``depth`` (N,). Fills ``normal`` if given."""
    evidence, camera = problem.evidence, problem.camera
    posed = pose_state(state, problem.rig, evidence)
    cost = terms.shared_priors(state, evidence, problem.rig, weights, normal)
    cost += terms.plausibility(posed, problem.prior, weights, normal)
    cost += terms.smoothness(posed, evidence, problem.rig, camera, weights, normal)
    cost += terms.holding(posed, evidence, weights, normal)
    cost += one_pose.one_pose_term(posed, weights, normal)
    if weights.reproject:
        cost += terms.reprojection(posed, evidence, camera, depth, weights, normal)
    if evidence.world is not None:
        cost += terms.world_landmarks(posed, evidence, camera, weights, normal)
        cost += bend_term(posed, evidence, weights, normal)
    if evidence.bones is not None:
        cost += bones.bone_depths(posed, evidence.bones, camera, weights, normal)
    if pairs is not None:
        cost += outlines.distance(problem.skin, problem.rig, posed, pairs, camera, depth, weights, normal)
    return cost


def fit_report(body: Body, keypoints: Keypoints, masks: Masks | None, model: BodyModel | None = None) -> dict:
    """How well a body explains landmarks and masks.

    Returns:
        reprojection_px, reprojection_px_mean, reprojection_percent, reprojection_percent_mean: median
        and mean distance of the landmarks, in pixels and in % of the person's height in the picture;
        iou (T,) and iou_mean: silhouette of the body against the mask (NaN without masks); coverage: share
        of frames in which the person was found; jitter: mean acceleration of the joints, mm per frame
        squared; focal: pixels; legs_exchanged: frames whose legs the body has the other way round than
        the detector.
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
    order = start.leg_order(table)
    legs = (order != np.arange(len(order))) & np.isfinite(table.sigma)
    other = np.linalg.norm(drawn - seen[:, order, :2], axis=-1)
    exchanged = (used[:, legs].any(1)) & (other[:, legs].mean(1) < 0.5 * miss[:, legs].mean(1))
    overlap = np.full(len(body), np.nan)
    if masks is not None:
        for t, alpha in enumerate(masks.alpha):
            overlap[t] = iou(outlines.body_silhouettes(body.frame(t), model)[0], alpha)
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


def _as_body(problem: Problem, state: State, seconds: np.ndarray, refined: bool) -> Body:
    """The state as a Body of the T frames at ``seconds`` (T,); frames without the person are interpolated."""
    rotvec = Rotation.from_matrix(state.rotations.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)
    frames = problem.evidence.frames
    valid = np.zeros(len(seconds), bool)
    valid[frames] = True
    camera = outlines.refocused(problem.camera, state.log_focal) if refined else problem.camera
    body = Body(
        betas=state.betas,
        global_orient=unwrap_rotations(rotvec[:, 0]),
        transl=state.transl,
        body_pose=rotvec[:, 1:].reshape(-1, 69),
        valid=np.ones(len(frames), bool),
        camera=camera,
        model_hash=problem.model.hash,
    )
    return replace(resample(body, seconds[frames], seconds), valid=valid)
