"""The monocular fit on exact landmarks of known bodies, its derivatives and its refusals."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from exact_landmarks import FPS, SIZE, errors, motion, seen
from scipy.spatial.transform import Rotation

from hvr_nb.body.joint_sets import H36M17_NAMES, h36m_from_smpl
from hvr_nb.body.kinematics import pose_rig, rig_of
from hvr_nb.body.landmarks import blazepose_table, h36m_table, place_landmarks
from hvr_nb.body.model import load_body_model, posed
from hvr_nb.body.motion import resample, unwrap_rotations
from hvr_nb.body.pose_prior import load_pose_prior
from hvr_nb.fit import bones, one_pose, outlines, start, terms
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.solve import Problem, fit_body, fit_report, initial_state, total
from hvr_nb.fit.terms import FRAME, SHARED, State, TermWeights
from hvr_nb.geometry.camera import default_camera, project, undistort_images
from hvr_nb.geometry.functions import geman_mcclure
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import rasterize
from hvr_nb.metrics.images import mpjpe
from hvr_nb.types import HvrError, Joints3D, Masks


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def rig(model):
    return rig_of(model)


def lifted_from(model, truth, *, scale=1.0):
    """The skeleton an exact lifter would give: of another size, the hips at the origin."""
    vertices, joints = posed(model, truth)
    top = vertices[:, int(model.v_template[:, 1].argmax())]
    points = h36m_from_smpl(joints, vertices[:, 332], top)
    return Joints3D(scale * (points - points[:, :1]), np.ones(len(points), bool), H36M17_NAMES)


def turned_apart(a, b):
    """(T,) radians between the orientations of two bodies."""
    first, second = (Rotation.from_rotvec(x.global_orient) for x in (a, b))
    return (first.inv() * second).magnitude()


@pytest.mark.parametrize(
    ("frames", "turn", "start"),
    [(16, 0.3, 0.2), (16, 0.3, np.pi), (48, 2 * np.pi, 0)],
    ids=["front", "behind", "full turn"],
)
def test_exact_landmarks_give_the_body_back(model, rig, frames, turn, start):
    truth = motion(model, frames, turn=turn, start=start)
    fit = fit_body(seen(truth, rig, model), None, truth.camera, fps=FPS, model=model)
    error, aligned = errors(model, fit, truth)
    assert error < 15.0 and aligned < 12.0
    apart = turned_apart(fit, truth)
    assert apart.max() < 0.15
    steps = np.linalg.norm(np.diff(fit.global_orient, axis=0), axis=1)
    assert steps[: int(0.8 * frames)].max() < 0.5  # rotation vectors run on past half a turn
    assert fit.valid.all() and fit.model_hash == model.hash


def test_2d_alone_finds_front_and_back(model, rig):
    truth = motion(model, 24, turn=2 * np.pi)
    fit = fit_body(seen(truth, rig, model, landmarks=False), None, truth.camera, fps=FPS, model=model)
    apart = turned_apart(fit, truth)
    assert np.median(apart) < 0.3 and apart.max() < 0.9
    assert errors(model, fit, truth)[0] < 60.0


def test_the_lifters_joints_lie_on_the_body(model, rig):
    truth = motion(model, 3, turn=1.0)
    turns = Rotation.from_rotvec(truth.poses.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    placed = place_landmarks(
        h36m_table(model), rig, pose_rig(rig, turns, truth.transl, truth.betas), truth.betas
    )
    off = placed.points - placed.points[:, :1] - lifted_from(model, truth).points
    assert np.abs(off[:, :9]).max() < 1e-5 and np.abs(off[:, 11:]).max() < 1e-5
    assert np.abs(off[:, 9:11]).max() < 0.01  # nose and top of the head turn with the head's joint


def elsewhere(model, truth):
    """An exact lifter's skeleton of another size and place, one frame not known."""
    lifted = lifted_from(model, truth, scale=1.2)
    lifted = replace(lifted, points=lifted.points + [0.3, 1.0, -4.0])
    lifted.points[5], lifted.valid[5] = np.nan, False
    return lifted


def test_imported_2d_is_fitted_better_with_a_lifted_skeleton(model, rig):
    truth = motion(model, 16, turn=np.pi)
    keypoints, lifted = seen(truth, rig, model, landmarks=False), elsewhere(model, truth)
    plain, helped = (
        fit_body(keypoints, None, truth.camera, fps=FPS, model=model, lifted=x) for x in (None, lifted)
    )
    with_lift, without = errors(model, helped, truth)[0], errors(model, plain, truth)[0]
    assert with_lift < min(0.9 * without, 25.0)


def test_a_lifted_skeleton_starts_the_pose_beside_the_detectors(model, rig):
    truth = motion(model, 16, turn=np.pi)
    keypoints = seen(truth, rig, model)
    keypoints.world[..., 2] *= 0.5  # a detector that sees half of the depth there is
    evidence = start.gather(keypoints, truth.camera, blazepose_table(), np.arange(16) / FPS)
    lifted = bones.opinion_of(elsewhere(model, truth), evidence.frames, model)
    true, off = posed(model, truth)[1], []
    for opinion in (None, lifted):
        setup = Problem(
            model,
            rig,
            outlines.skin_of(model),
            load_pose_prior(),
            replace(evidence, bones=opinion),
            truth.camera,
        )
        state = initial_state(setup, 12, SimpleNamespace(update=lambda: None))
        off.append(mpjpe(pose_rig(rig, state.rotations, state.transl, state.betas).joints, true))
    assert off[1] < 0.9 * off[0]


def test_a_skeleton_that_was_not_lifted_here_is_refused(model, rig):
    truth = motion(model, 4)
    keypoints, lifted = seen(truth, rig, model), lifted_from(model, truth)
    short = replace(lifted, points=lifted.points[:3], valid=lifted.valid[:3])
    for wrong in (short, Joints3D(posed(model, truth)[1], lifted.valid)):
        with pytest.raises(HvrError, match="not a lifted skeleton"):
            fit_body(keypoints, None, truth.camera, fps=FPS, model=model, lifted=wrong)


def test_who_turns_round_in_one_pose_does_not_lean_towards_the_camera(model, rig, monkeypatch):
    truth = motion(model, 48, turn=2 * np.pi)
    truth = replace(truth, body_pose=np.tile(truth.body_pose[:1], (48, 1)))
    keypoints = seen(truth, rig, model)
    lean = Rotation.from_rotvec([0.2, 0, 0]).as_matrix()  # the detector's error, the same in all views
    keypoints = replace(keypoints, world=keypoints.world @ lean.T)
    held = errors(model, fit_body(keypoints, None, truth.camera, fps=FPS, model=model), truth)
    monkeypatch.setattr(terms, "holding", lambda *_: 0.0)
    free = errors(model, fit_body(keypoints, None, truth.camera, fps=FPS, model=model, one_pose=False), truth)
    assert held[1] < 0.6 * free[1]


def test_arms_of_who_turns_round_in_one_pose_do_not_wander(model, rig):
    truth = motion(model, 48, turn=2 * np.pi)
    truth = replace(truth, body_pose=np.tile(truth.body_pose[:1], (48, 1)))
    keypoints = seen(truth, rig, model)
    depth = (
        np.random.default_rng(0).normal(0, 0.12, (48, 2)).repeat(3, 1)
    )  # of both forearms, another in each view
    keypoints.world[:, [13, 15, 17, 14, 16, 18], 2] += depth
    arms = slice(15 * 3, 21 * 3)  # shoulders to wrists
    one = fit_body(keypoints, None, truth.camera, fps=5.0, model=model)
    many = fit_body(keypoints, None, truth.camera, fps=5.0, model=model, one_pose=False)
    spread = [fit.body_pose[:, arms].std(0).mean() for fit in (one, many)]
    assert spread[0] < 0.3 * spread[1] and errors(model, one, truth)[1] < errors(model, many, truth)[1]


@pytest.mark.parametrize("moving", ["legs", "little turn"])
def test_who_moves_is_not_drawn_to_one_pose(model, rig, moving):
    turn = 2.0 if moving == "little turn" else 2 * np.pi
    truth = motion(model, 36, turn=turn)
    if moving != "legs":
        truth = replace(truth, body_pose=np.tile(truth.body_pose[:1], (36, 1)))
    keypoints = seen(truth, rig, model)
    fit = fit_body(keypoints, None, truth.camera, fps=FPS, model=model)
    free = fit_body(keypoints, None, truth.camera, fps=FPS, model=model, one_pose=False)
    np.testing.assert_array_equal(fit.body_pose, free.body_pose)


def test_limbs_are_held_one_by_one(model, rig):
    """One arm is raised; the other limbs are held, and the arm keeps its way."""
    truth = motion(model, 36, turn=2 * np.pi)
    truth = replace(truth, body_pose=np.tile(truth.body_pose[:1], (36, 1)))
    truth.body_pose[:, 15 * 3 + 2] += np.linspace(0, 1.5, 36)  # the left shoulder
    keypoints = seen(truth, rig, model)
    rng = np.random.default_rng(0)
    keypoints.world[:, [14, 16, 18], 2] += rng.normal(0, 0.12, (36, 1))  # the right forearm, misjudged
    one = fit_body(keypoints, None, truth.camera, fps=5.0, model=model)
    many = fit_body(keypoints, None, truth.camera, fps=5.0, model=model, one_pose=False)
    left, right = slice(15 * 3, 15 * 3 + 3), slice(16 * 3, 16 * 3 + 3)
    assert np.ptp(one.body_pose[:, left], axis=0).max() > 1.2
    assert one.body_pose[:, right].std(0).mean() < 0.5 * many.body_pose[:, right].std(0).mean()


def test_the_usual_pose_is_that_of_most_frames():
    rng = np.random.default_rng(0)
    turns = Rotation.from_rotvec(0.02 * rng.standard_normal((40 * 24, 3))).as_matrix().reshape(40, 24, 3, 3)
    turns[:8, 18] = Rotation.from_rotvec([0, 1.5, 0]).as_matrix()  # an elbow bent for a while
    away = one_pose.strays(turns, one_pose.usual_pose(turns))
    assert np.abs(away[8:].mean(0)).max() < 0.02
    np.testing.assert_allclose(away[:8, 17], np.tile([0, 1.5, 0], (8, 1)), atol=0.03)
    weight = 1 / (1 + (away**2).sum(-1, keepdims=True) / one_pose.SIGMA**2) ** 2
    np.testing.assert_allclose((weight * away).sum(0), 0, atol=1e-9)  # a minimum


def test_gaps_are_interpolated_and_flagged(model, rig):
    truth = motion(model, 16, turn=0.5)
    keypoints = seen(truth, rig, model)
    keypoints.found[[0, 7, 8]] = False
    keypoints.landmarks[[0, 7, 8]] = np.nan
    fit = fit_body(keypoints, None, truth.camera, fps=FPS, model=model)
    assert fit.valid.tolist() == [k not in (0, 7, 8) for k in range(16)]
    np.testing.assert_allclose(fit.transl[0], fit.transl[1])
    assert errors(model, fit, truth)[0] < 25.0


def test_exchanged_legs_are_put_right(model, rig):
    truth = motion(model, 24, turn=0.5)
    keypoints = seen(truth, rig, model)
    plain = fit_body(keypoints, None, truth.camera, fps=FPS, model=model)
    order = start.leg_order(blazepose_table())
    for array in (keypoints.landmarks, keypoints.world):
        array[9:16] = array[9:16][:, order]
    fit = fit_body(keypoints, None, truth.camera, fps=FPS, model=model)
    np.testing.assert_array_equal(fit.body_pose, plain.body_pose)
    assert fit_report(fit, keypoints, None, model)["legs_exchanged"] == 7
    lifted = lifted_from(model, truth)
    right = fit_body(seen(truth, rig, model), None, truth.camera, fps=FPS, model=model, lifted=lifted)
    lifted.points[9:16] = lifted.points[9:16][:, start.leg_order(h36m_table(model))]
    fit = fit_body(keypoints, None, truth.camera, fps=FPS, model=model, lifted=lifted)
    np.testing.assert_allclose(fit.body_pose, right.body_pose, atol=1e-9)


def test_wide_clothes_do_not_make_the_person_short(model, rig):
    truth = motion(model, 12, turn=2 * np.pi)
    vertices, joints = posed(model, truth)
    wide = [v + 0.04 * vertex_normals(v, model.faces) for v in vertices]
    drawn = np.stack([rasterize(v, model.faces, truth.camera)[1] >= 0 for v in wide])
    masks = Masks((255 * drawn).astype(np.uint8))
    fit = fit_body(seen(truth, rig, model), masks, truth.camera, fps=FPS, model=model)
    found, true = (
        sum(np.linalg.norm(x[:, a] - x[:, b], axis=1).mean() for a, b in ((1, 4), (4, 7), (0, 12)))
        for x in (posed(model, fit)[1], joints)
    )
    assert found > 0.89 * true, "0.77 of it while the stature was as free as in the joints' fit"


def test_silhouettes_shape_the_body_and_the_report_says_so(model, rig):
    truth = motion(model, 6, turn=0.6)
    stout = replace(truth, betas=np.r_[0.0, 0.0, -2.0, np.zeros(7)])
    keypoints = seen(truth, rig, model)
    masks = Masks((255 * outlines.body_silhouettes(stout, model)).astype(np.uint8))
    without = fit_body(keypoints, None, truth.camera, fps=FPS, model=model, iters=(8, 10, 0))
    fitted = fit_body(keypoints, masks, truth.camera, fps=FPS, model=model, iters=(8, 10, 8))
    before, after = (fit_report(b, keypoints, masks, model) for b in (without, fitted))
    assert after["iou_mean"] > max(0.93, before["iou_mean"] + 0.01)
    assert after["iou"].shape == (6,) and after["coverage"] == 1.0
    assert before["reprojection_px"] < 1.0 and before["reprojection_percent"] < 1.0


def test_focal_is_refined_only_when_asked(model, rig):
    truth = motion(model, 12, turn=2.0)
    wrong = default_camera(SIZE, SIZE, focal=0.8 * truth.camera.K[0, 0])
    keypoints = seen(truth, rig, model)
    kept = fit_body(keypoints, None, wrong, fps=FPS, model=model)
    refined = fit_body(keypoints, None, wrong, fps=FPS, model=model, refine_focal=True)
    assert kept.camera is wrong
    assert refined.camera.source == "refined"
    assert wrong.K[0, 0] < refined.camera.K[0, 0] < 1.3 * truth.camera.K[0, 0]


def test_same_input_same_output(model, rig):
    truth = motion(model, 5)
    keypoints = seen(truth, rig, model)
    a, b = (fit_body(keypoints, None, truth.camera, fps=FPS, model=model, iters=(4, 4, 0)) for _ in range(2))
    for name in ("betas", "global_orient", "body_pose", "transl"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.body_pose.dtype == np.float64


def test_one_frame_is_enough(model, rig):
    truth = motion(model, 1)
    fit = fit_body(seen(truth, rig, model), None, truth.camera, fps=FPS, model=model)
    assert errors(model, fit, truth)[1] < 20.0


def test_bad_input_is_named(model, rig):
    truth = motion(model, 3)
    keypoints = seen(truth, rig, model)
    mask = np.zeros((3, SIZE, SIZE), np.uint8)
    with pytest.raises(HvrError, match="fps"):
        fit_body(keypoints, None, truth.camera, fps=0, model=model)
    with pytest.raises(HvrError, match="2 masks"):
        fit_body(keypoints, Masks(mask[:2]), truth.camera, fps=FPS, model=model)
    with pytest.raises(HvrError, match="camera is"):
        fit_body(keypoints, Masks(mask[:, :10]), truth.camera, fps=FPS, model=model)
    with pytest.raises(HvrError, match="no person"):
        fit_body(replace(keypoints, found=np.zeros(3, bool)), None, truth.camera, fps=FPS, model=model)
    with pytest.raises(HvrError, match="no 3D"):
        start.landmark_skeleton(replace(keypoints, world=None), truth.camera)


def test_landmark_skeleton_stands_where_the_body_does(model, rig):
    truth = motion(model, 4)
    keypoints = seen(truth, rig, model)
    keypoints.found[2] = False
    skeleton = start.landmark_skeleton(keypoints, truth.camera)
    assert skeleton.points.shape == (4, 33, 3) and skeleton.valid.tolist() == [True, True, False, True]
    drawn = project(skeleton.points[[0, 1, 3]], truth.camera)
    assert np.abs(drawn - keypoints.landmarks[[0, 1, 3], :, :2]).max() < 1.5


# -- derivatives ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def problem(model, rig):
    truth = motion(model, 4, turn=1.0)
    seconds = np.array([0.0, 0.02, 0.07, 0.1])  # a rate that varies
    evidence = start.gather(seen(truth, rig, model), truth.camera, blazepose_table(), seconds)
    other = lifted_from(model, motion(model, 4, turn=1.2, start=0.2), scale=0.9)
    evidence = replace(evidence, bones=bones.opinion_of(other, evidence.frames, model))
    return Problem(model, rig, outlines.skin_of(model), load_pose_prior(), evidence, truth.camera), truth


def nearby(truth, seed=0):
    rng, n = np.random.default_rng(seed), len(truth)
    turns = Rotation.from_rotvec(truth.poses.reshape(-1, 3)).as_matrix().reshape(n, 24, 3, 3)
    state = State(turns, truth.transl.copy(), np.zeros(10))
    return state.moved(0.1 * rng.standard_normal((n, FRAME)), 0.1 * rng.standard_normal(SHARED))


def slope_pair(problem, state, weights, pairs, seed=1):
    """Directional derivative of the energy: by differences and from the normal equations."""
    rng = np.random.default_rng(seed)
    dx, dy, e = rng.standard_normal((len(state.transl), FRAME)), rng.standard_normal(SHARED), 1e-6
    depth = np.full(len(state.transl), 3.0)
    normal = Normal(len(state.transl), FRAME, SHARED)
    total(problem, state, depth, weights, pairs, normal)
    up, down = (total(problem, state.moved(s * dx, s * dy), depth, weights, pairs) for s in (e, -e))
    return (up - down) / (2 * e), 2 * ((normal.gradient * dx).sum() + normal.common_gradient @ dy)


@pytest.mark.parametrize(
    "name",
    [
        "reproject",
        "depth",
        "bone_depth",
        "bone_across",
        "prior",
        "smooth",
        "hold",
        "one_pose",
        "bend",
        "skeleton",
        "betas",
        "silhouette",
    ],
)
def test_every_term_has_the_right_gradient(problem, model, name):
    setup, truth = problem
    state, pairs = nearby(truth), None
    none = {"reproject": 0.0, "depth": 0.0, "across": 0.0, "prior": 0.0, "smooth": 0.0, "turn": 0.0,
            "hold": 0.0, "bone_depth": 0.0, "bone_across": 0.0, "betas": 0.0, "stature": 0.0,
            "bend": 0.0, "silhouette": 0.0, "focal": 1e-3}  # fmt: skip
    if name == "silhouette":
        alpha = (255 * outlines.body_silhouettes(truth, model)).astype(np.uint8)
        edges = outlines.outlines(Masks(alpha), np.arange(len(alpha)), truth.camera)
        pairs = outlines.correspond(model, setup.skin, state, edges, truth.camera)
        assert sum(len(pair.vertex) for pair in pairs) > 200
    if name == "skeleton":
        setup = replace(setup, evidence=replace(setup.evidence, shape=np.linspace(-1, 1, 10)))
    weights = TermWeights(**{**none, name: 1.0}, still=tuple(range(24)), cap=8.0)
    numeric, exact = slope_pair(setup, state, weights, pairs)
    assert exact == pytest.approx(numeric, rel=1e-4)


def test_outlines_of_a_distorting_lens_are_those_of_the_straight_picture():
    lens = replace(default_camera(300, 200, 250.0), dist=np.array([-0.4, 0.1, 0.0, 0.0, 0.0]))
    alpha = cv2.ellipse(np.zeros((200, 300), np.uint8), (230, 60), (50, 40), 0, 0, 360, 255, -1)[None]
    straight, plain = undistort_images(alpha, lens)
    pairs = ((alpha, lens), (straight, plain))
    found, expected = (outlines.outlines(Masks(a), np.arange(1), c)[0].points for a, c in pairs)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_steady_motion_filmed_at_a_varying_rate_is_smooth(problem, model, rig):
    """True times: no acceleration is seen where there is none."""
    setup, truth = problem
    seconds = np.array([0.0, 0.03, 0.13, 0.16])
    turns = np.tile(np.eye(3), (4, 24, 1, 1))
    turns[:, 1] = Rotation.from_rotvec(np.outer(seconds, [0.8, 0, 0])).as_matrix()
    still = np.tile(np.eye(3), (4, 24, 1, 1))
    way = np.outer(seconds, [1.5, 0.0, 0.5])
    energy = {}
    for name, at in (("true", seconds), ("steady", np.linspace(0, 0.16, 4))):
        evidence = replace(setup.evidence, seconds=at)
        for what, rotations, weights in (
            ("way", still, TermWeights(smooth=1.0, turn=0.0)),
            ("turn", turns, TermWeights(smooth=0.0, turn=1.0)),
        ):
            posed_now = terms.pose_state(State(rotations, way, np.zeros(10)), rig, evidence)
            energy[name, what] = terms.smoothness(posed_now, evidence, rig, truth.camera, weights, None)
    for what in ("way", "turn"):
        assert energy["true", what] < 1e-9 < 1e-3 < energy["steady", what]


def test_frames_between_are_filled_by_their_times(model, rig):
    truth = motion(model, 12, turn=np.pi)
    keypoints = seen(truth, rig, model)
    keypoints.found[[5, 6]] = False
    times = np.arange(12) / FPS
    times[5:] += 0.2
    times[6:] += 0.2
    fitted = fit_body(keypoints, None, truth.camera, fps=11 / times[-1], times=times, model=model)
    part = (times[5] - times[4]) / (times[7] - times[4])
    expected = fitted.transl[4] + part * (fitted.transl[7] - fitted.transl[4])
    np.testing.assert_allclose(fitted.transl[5], expected, atol=1e-9)
    with pytest.raises(HvrError, match="12 frames need as many times"):
        fit_body(keypoints, None, truth.camera, fps=FPS, times=times[:5], model=model)


def test_normal_equations_equal_the_dense_ones():
    rng, (n, d, s, q) = np.random.default_rng(0), (5, 4, 3, 6)
    J, C, r, w = (rng.standard_normal(k) for k in ((n, q, d), (n, q, s), (n, q), (n, q)))
    r3, w3, w = rng.standard_normal((n - 2, q)), rng.random((n - 2, q)), np.abs(w)
    normal = Normal(n, d, s)
    normal.add(J, r, w, C)
    normal.add_difference(J, r3, w3, C)
    r2, w2 = rng.standard_normal((n - 1, q)), rng.random((n - 1, q))
    normal.add_difference(J, r2, w2, C, factors=(-1.0, 1.0))
    uneven = tuple(rng.standard_normal((n - 2, 1, 1)) for _ in range(3))
    normal.add_difference(J, r3, w3, C, factors=uneven)
    own = np.broadcast_to(np.eye(d)[[1, 2]], (n, 2, d))  # two of the unknowns themselves
    normal.add_own_difference(slice(1, 3), r3[:, :2], w3[:, :2], factors=uneven)
    dense_own = Normal(n, d, s)
    dense_own.add_difference(own, r3[:, :2], w3[:, :2], factors=uneven)
    for a, b in zip((*normal.bands, normal.gradient), (*dense_own.bands, dense_own.gradient), strict=True):
        a -= b
    rows = np.zeros((n, q, n * d + s))
    for k in range(n):
        rows[k, :, k * d : (k + 1) * d], rows[k, :, n * d :] = J[k], C[k]
    triples = (rows[:-2], rows[1:-1], rows[2:])
    varied = sum(f * part for f, part in zip(uneven, triples, strict=True))
    A = np.concatenate([rows, rows[2:] - 2 * rows[1:-1] + rows[:-2], rows[1:] - rows[:-1], varied]).reshape(
        -1, n * d + s
    )
    W, b = (np.concatenate([x.ravel() for x in parts]) for parts in ((w, w3, w2, w3), (r, r3, r2, r3)))
    dense = -np.linalg.solve(A.T @ (W[:, None] * A), A.T @ (W * b))
    step, shared = normal.solve(0.0)
    np.testing.assert_allclose(np.concatenate([step.ravel(), shared]), dense, rtol=1e-3, atol=1e-4)


def test_contour_is_subpixel_with_outward_normals():
    y, x = np.mgrid[:64, :64] + 0.5
    image = 1 / (1 + np.exp(np.hypot(x - 30, y - 34) - 20.3))
    points, normals = outlines.contour(image)
    np.testing.assert_allclose(np.linalg.norm(points - [30, 34], axis=1), 20.3, atol=0.05)
    out = (points - [30, 34]) / 20.3
    assert ((out * normals).sum(1) > 0.98).all()


def test_resample_and_unwrap(model):
    body = motion(model, 3, turn=2.0)
    half = resample(body, np.arange(3), np.arange(0, 2.5, 0.5))
    np.testing.assert_allclose(half.global_orient[:, 1], [0, 0.5, 1.0, 1.5, 2.0], atol=1e-9)
    angle = np.linspace(0, 4 * np.pi, 40)
    wrapped = Rotation.from_rotvec(np.outer(angle, [0, 1.0, 0])).as_rotvec()
    assert np.abs(np.diff(unwrap_rotations(wrapped), axis=0)).max() < 0.4
    assert geman_mcclure(np.array([1e9]), 3.0)[0] == pytest.approx(9.0)
