"""The stages of a fit with their parts replaced: weights, numbers of steps, damping, and the report."""

from dataclasses import replace
from types import SimpleNamespace as Given

import numpy as np
import pytest

from hvr_nb.body.kinematics import pose_body, rig_of
from hvr_nb.body.landmarks import blazepose_table, place_landmarks
from hvr_nb.body.model import load_body_model
from hvr_nb.fit import one_pose, outlines, solve, start, terms
from hvr_nb.fit.terms import FRAME, SHARED, State, TermWeights
from hvr_nb.geometry.camera import default_camera, project
from hvr_nb.types import Body, Keypoints, Masks


class Bar:
    """A progress bar that counts."""

    def __init__(self):
        self.total, self.n = 0, 0

    def update(self):
        self.n += 1


@pytest.fixture(scope="module")
def model():
    return load_body_model()


def state_of(frames=1, **values) -> State:
    return State(np.tile(np.eye(3), (frames, 24, 1, 1)), np.zeros((frames, 3)), np.zeros(10), **values)


@pytest.fixture
def steps(monkeypatch):
    """What ``descend`` is asked for, without doing it: numbers of steps and weights."""
    asked = []

    def descend(problem, state, iters, weights, bar, *, edges=None):
        asked.append((iters, weights, edges is not None, problem, state))
        return state, float(len(asked))

    monkeypatch.setattr(solve, "descend", descend)
    return asked


# -- the start -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "world, bones, solid", [(1, None, True), (1, 1, True), (None, 1, True), (None, None, 0)]
)
def test_the_start_uses_what_3d_there_is(monkeypatch, steps, world, bones, solid):
    """3D sets the root and the pose, else the heading that fits 2D best; then all is moved at once."""
    turns = {name: np.eye(3)[list(order)] for name, order in (("torso", (1, 2, 0)), ("facing", (2, 0, 1)))}
    monkeypatch.setattr(start, "torso_orientation", lambda evidence, rig: turns["torso"])
    monkeypatch.setattr(start, "facing_from_2d", lambda evidence, rig, camera: turns["facing"])
    monkeypatch.setattr(
        solve, "pose_state", lambda state, rig, evidence: Given(landmarks=Given(points=state))
    )
    monkeypatch.setattr(
        start, "solve_translation", lambda points, evidence, R: np.array([[1.0, 2, 5], [1, 2, 6]])
    )
    camera = replace(default_camera(64, 64), R=turns["torso"], t=np.array([0.5, 0.0, 1.0]))
    problem = Given(
        evidence=Given(frames=range(2), world=world, bones=bones), rig=None, camera=camera, known=None
    )
    found = solve.initial_state(problem, 7, Bar())
    np.testing.assert_array_equal(found.rotations[1, 0], turns["torso" if solid else "facing"])
    np.testing.assert_array_equal(found.rotations[:, 1:], np.tile(np.eye(3), (2, 23, 1, 1)))
    np.testing.assert_allclose(found.transl @ camera.R.T + camera.t, [[1, 2, 5], [1, 2, 6]])
    assert len(steps) == bool(solid)
    if solid:
        iters, weights, *_ = steps[0]
        assert iters == 7 and weights == TermWeights(
            reproject=0.0,
            depth=1.0,
            across=1.0,
            bone_depth=1.0,
            bone_across=0.0 if world else 1.0,
            prior=0.1,
            cap=30.0,
            stature=1e6,
            betas=1e6,
        )


@pytest.mark.parametrize("world, lift, spread", [(None, 0.5, 0.1), (1, 0.0, 0.04)])
def test_landmarks_are_fitted_under_three_caps(monkeypatch, steps, world, lift, spread):
    monkeypatch.setattr(solve, "initial_state", lambda problem, iters, bar: state_of())
    monkeypatch.setattr(solve, "pose_state", lambda *args: None)
    monkeypatch.setattr(terms, "depth_spread", lambda *args: 0.04)
    problem = Given(evidence=Given(world=world), rig=None, camera=None)
    _, cost = solve.fit_joints(problem, (12, 20), 30.0, Bar())
    weights = TermWeights(focal=30.0, sigma_depth=spread, bone_depth=lift)
    assert [s[:2] for s in steps] == [
        (4, replace(weights, cap=30.0)),
        (6, replace(weights, cap=8.0)),
        (10, weights),
    ]
    assert weights.cap == 3.0 and cost == 3.0
    solve.fit_joints(problem, (12, 1), 30.0, Bar())
    assert [s[0] for s in steps[3:]] == [1, 1, 1]


def test_exchanged_legs_are_kept_where_they_cost_less(monkeypatch):
    """As they are, exchanged in the odd segments, or in all others."""
    odd = np.array([False, True, True])
    monkeypatch.setattr(start, "leg_segments", lambda evidence: odd & evidence)
    monkeypatch.setattr(start, "swap_legs", lambda evidence, where: where.tolist())
    costs = {True: 3.0, str(odd.tolist()): 2.0, str((~odd).tolist()): 1.0}
    key = lambda evidence: evidence if evidence is True else str(evidence)  # noqa: E731
    monkeypatch.setattr(
        solve,
        "fit_joints",
        lambda problem, iters, focal, bar: (problem.evidence, costs[key(problem.evidence)]),
    )
    problem, bar = solve.Problem(*[None] * 4, True, None), Bar()
    assert solve.untangled(problem, (12, 20), 0.0, bar)[0].evidence == (~odd).tolist() and bar.total == 64
    costs[True] = 0.5
    assert solve.untangled(problem, (12, 20), 0.0, bar)[1] is True
    odd[:], bar.total = False, 0
    assert solve.untangled(problem, (12, 20), 0.0, bar)[1] is True and bar.total == 0


# -- one pose --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown, standing, at_first, drawn, kept",
    [
        (349.9, True, ["trunk"], ["trunk"], None),  # does not turn right round
        (350.0, False, ["trunk"], ["trunk"], None),
        (350.0, True, ["trunk"], ["trunk", "left arm"], ["trunk", "left arm"]),
        (350.0, True, ["trunk"], ["trunk", "left leg"], ["trunk"]),  # a leg must be still from the start
        (350.0, True, ["trunk"], [], None),
        (350.0, True, [], ["left arm", "right arm"], ["left arm", "right arm"]),
    ],
)
def test_limbs_found_still_are_drawn_to_one_pose(monkeypatch, steps, shown, standing, at_first, drawn, kept):
    monkeypatch.setattr(solve, "FULL_TURN", 350.0)
    monkeypatch.setattr(solve, "turn_shown", lambda body: shown)
    monkeypatch.setattr(solve, "_as_body", lambda problem, state, seconds, refined: len(seconds))
    monkeypatch.setattr(solve, "joint_weights", lambda problem, state, focal: TermWeights(focal=focal))
    monkeypatch.setattr(one_pose, "stands", lambda rotations: standing)
    answers = [at_first, drawn]
    monkeypatch.setattr(one_pose, "still_limbs", lambda rotations: answers.pop(0))
    problem, bar = Given(evidence=Given(frames=np.arange(5))), Bar()
    state, still = solve.settled(problem, state_of(), 2.0, bar)
    if shown < 350 or not standing:
        assert still == () and not steps and bar.total == 0
        return
    tried = [limb for limb in one_pose.LIMBS if limb in at_first or "arm" in limb]
    expected = [(10, TermWeights(focal=2.0, one_pose=30.0, still=one_pose.joints_of(tried)))]
    if kept:
        expected.append((10, TermWeights(focal=2.0, one_pose=100.0, still=one_pose.joints_of(kept))))
    assert [s[:2] for s in steps] == expected and bar.total == 20
    assert sorted(still) == sorted(one_pose.joints_of(kept or []))


# -- silhouettes, and all together -----------------------------------------------------------------


@pytest.mark.parametrize(
    "masks, focal, taken, steps_taken",
    [(True, True, True, 52), (True, False, False, 52), (False, True, True, 32)],
)
def test_silhouettes_come_last(monkeypatch, model, steps, masks, focal, taken, steps_taken):
    """With the weights of that stage, the bones of the fit to landmarks and the pose that was taken."""
    bars = []
    monkeypatch.setattr(solve, "tqdm", lambda total, **kind: bars.append(total) or Bars())
    monkeypatch.setattr(start, "gather", lambda keypoints, camera, table, seconds: Given(frames=np.arange(2)))
    monkeypatch.setattr(
        solve, "untangled", lambda problem, iters, focal, bar: (problem, state_of(log_bones=0.3))
    )
    monkeypatch.setattr(solve, "settled", lambda problem, state, focal, bar: (state, (0, 3)))
    monkeypatch.setattr(solve, "hold", lambda problem, state: (problem, replace(state, log_bones=0.0)))
    monkeypatch.setattr(solve, "trust", lambda problem, state: 0.07)
    monkeypatch.setattr(solve, "_as_body", lambda problem, state, seconds, refined: (seconds, refined))
    camera = default_camera(32, 32)
    keypoints = Keypoints(np.zeros((2, 25, 3)), np.zeros((2, 25), bool), np.ones(2, bool), np.zeros((2, 4)))
    silhouettes = Masks(np.zeros((2, 32, 32), np.uint8)) if masks else None
    seconds, refined = solve.fit_body(
        keypoints, silhouettes, camera, fps=25.0, model=model, refine_focal=focal, one_pose=taken
    )
    assert seconds.tolist() == [0, 0.04] and refined is focal and bars == [steps_taken]
    assert len(steps) == masks
    if masks:
        iters, weights, edges, _, state = steps[0]
        assert (iters, edges, state.log_bones) == (20, True, 0.0)
        assert weights == TermWeights(
            silhouette=550.0,
            focal=30.0 if focal else 0.0,
            sigma_depth=0.07,
            bone_depth=4.0,
            sigma_bone=0.03,
            hold=0.5,
            skeleton=1.0,
            one_pose=20.0,
            still=(0, 3) if taken else (),
        )


class Bars(Bar):
    """A bar that can be entered."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


# -- a step ----------------------------------------------------------------------------------------


def test_steps_are_damped_until_the_energy_falls(monkeypatch):
    """Levenberg and Marquardt: eight times the damping after a step upwards, a fifth after one down."""
    dampings, looked = [], []

    class Known:
        def __init__(self, frames, unknowns, shared):
            assert (frames, unknowns, shared) == (1, FRAME, SHARED)

        def solve(self, damping):
            dampings.append(damping)
            return np.zeros((1, FRAME)), np.full(SHARED, 1.0)

    # a state anew after a trial in vain and where pairs are new; else the trial that was taken goes on
    costs = iter([9.0, 10.0, 9.0, 9.0, 9.0, 8.0, 8.5, *[8.0, 8.5] * 5, 8.0, 7.0, 7.0, 6.0])
    monkeypatch.setattr(solve, "Normal", Known)
    monkeypatch.setattr(solve, "total", lambda *args: next(costs))
    monkeypatch.setattr(solve, "pose_state", lambda *args: Given(pose=Given(joints=np.zeros((1, 24, 3)))))
    monkeypatch.setattr(outlines, "correspond", lambda *args: looked.append(len(dampings)))
    problem = Given(known=None, rig=None, evidence=None, camera=default_camera(8, 8), model=None, skin=None)
    bar = Bar()
    state, cost = solve.descend(problem, state_of(), 4, TermWeights(), bar, edges=[])
    first = 1e-3 * 8.0 ** np.arange(3)
    second = first[2] / 5 * 8.0 ** np.arange(6)
    third = second[-1] * 8
    np.testing.assert_allclose(dampings, [*first, *second, third, third / 5])
    assert cost == 6.0 and bar.n == 4 and state.log_scale == 3.0  # three steps were taken
    assert looked == [0, 10]  # pairs are looked for anew after three steps


def test_damping_has_a_floor(monkeypatch):
    dampings, costs = [], iter(np.arange(60.0, 0, -1))
    monkeypatch.setattr(
        solve,
        "Normal",
        lambda *size: Given(solve=lambda d: dampings.append(d) or (np.zeros((1, FRAME)), np.zeros(SHARED))),
    )
    monkeypatch.setattr(solve, "total", lambda *args: next(costs))
    monkeypatch.setattr(solve, "pose_state", lambda *args: Given(pose=Given(joints=np.zeros((1, 24, 3)))))
    problem = Given(known=None, rig=None, evidence=None, camera=default_camera(8, 8))
    solve.descend(problem, state_of(), 10, TermWeights(), Bar())
    np.testing.assert_allclose(dampings, [*(1e-3 / 5.0 ** np.arange(6)), *[1e-7] * 4])


# -- the report ------------------------------------------------------------------------------------


def test_the_report_measures_what_was_seen_and_found(model):
    """Landmarks 3 pixels off, some by 9 and some unsure; legs exchanged in one frame; a mask of the body."""
    n, camera, table = 4, default_camera(128, 160), blazepose_table()
    pose = np.zeros((n, 69))
    pose[:, 0] = -0.5  # the left leg forward
    body = Body(
        betas=np.zeros(10),
        global_orient=np.tile([0.0, 1.2, 0.0], (n, 1)),
        body_pose=pose,
        transl=np.array([0.0, 0.2, -3.0]) + np.arange(n)[:, None] ** 2 * [0.001, 0, 0],
        camera=camera,
        valid=np.array([True, True, True, False]),
        model_hash=model.hash,
    )
    drawn = project(
        place_landmarks(table, rig_of(model), pose_body(rig_of(model), body), body.betas).points, camera
    )
    landmarks = np.concatenate([drawn + [3.0, 0.0], np.full((n, len(table.sigma), 1), 0.31)], 2)
    used = np.flatnonzero(np.isfinite(table.sigma))
    landmarks[0, used[:5], :2] = drawn[0, used[:5]] + [0, 9]
    landmarks[1, used[5:8]] = 500, 500, 0.3  # not sure enough
    landmarks[2] = landmarks[2, start.leg_order(table)]
    landmarks[3, :, :2] += 70  # a frame that was filled
    keypoints = Keypoints(
        np.zeros((n, 25, 3)), np.zeros((n, 25), bool), np.ones(n, bool), np.zeros((n, 4)), landmarks=landmarks
    )
    silhouettes = outlines.body_silhouettes(body, model)
    alpha = 255 * silhouettes.astype(np.uint8)
    alpha[0, silhouettes[0].any(1).argmax() :][:60] = 0
    half = (alpha[0] > 0).sum() / silhouettes[0].sum()
    report = solve.fit_report(body, keypoints, Masks(alpha), model)
    assert report["legs_exchanged"] == 1 and report["coverage"] == 0.75 and report["focal"] == camera.K[0, 0]
    np.testing.assert_allclose(report["iou"], [half, 1, 1, 1])
    assert report["iou_mean"] == pytest.approx((half + 2) / 3)
    assert report["jitter"] == pytest.approx(2.0, rel=1e-3)  # mm
    assert report["reprojection_px"] == pytest.approx(3.0, abs=1e-3)
    miss = np.linalg.norm(landmarks[:3, used, :2] - drawn[:3, used], axis=-1)
    sure = landmarks[:3, used, 2] > 0.3
    height = np.ptp(drawn[:3, used, 1], axis=1)
    assert report["reprojection_px_mean"] == pytest.approx(miss[sure].mean())
    assert report["reprojection_percent_mean"] == pytest.approx((100 * miss / height[:, None])[sure].mean())
    assert report["reprojection_percent"] == pytest.approx(np.median((100 * miss / height[:, None])[sure]))
    keypoints.found[:] = False
    nobody = solve.fit_report(body, keypoints, None, model)
    assert np.isnan(
        [nobody["reprojection_px"], nobody["reprojection_percent_mean"], nobody["iou_mean"]]
    ).all()
