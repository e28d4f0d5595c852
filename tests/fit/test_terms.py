"""Single terms and steps of the fit, against values worked out by hand from docs/fit.md."""

from dataclasses import replace
from types import SimpleNamespace as Given

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.fit import bends, bones, one_pose, terms
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.start import Evidence, Opinion
from hvr_nb.fit.terms import State, TermWeights
from hvr_nb.geometry.camera import default_camera

CAMERA = replace(default_camera(100, 100), R=np.eye(3), t=np.zeros(3))
HIPS = ("left_hip", "right_hip")
DEFAULT = TermWeights()


def table(names, sigma):
    sigma = np.array(sigma, float)
    return Given(names=names, sigma=sigma, rows=lambda *some: [names.index(n) for n in some])


def evidence(names, sigma, *, conf, rays=None, world=None, frames=(0,), seconds=(0.0,), shape=None):
    return Evidence(
        frames=np.array(frames),
        rays=np.zeros((1, len(names), 2)) if rays is None else np.array(rays, float),
        conf=np.array(conf, float),
        world=None if world is None else np.array(world, float),
        seconds=np.array(seconds),
        table=table(names, sigma),
        shape=shape,
    )


def still(frames=1):
    return State(np.tile(np.eye(3), (frames, 24, 1, 1)), np.zeros((frames, 3)), np.zeros(10))


def alternating(joint, degrees, frames=6, rest=()):
    """A joint turns to and fro about x by the same angle; those of ``rest`` by 60 degrees."""
    state = still(frames)
    for k in range(frames):
        for j, angle in ((joint, degrees), *((r, 60) for r in rest)):
            turn = Rotation.from_rotvec([(-1) ** k * angle, 0, 0], degrees=True)
            state.rotations[k, j] = turn.as_matrix()
    return state.rotations


# -- landmarks -------------------------------------------------------------------------------------


def test_a_landmark_two_sigmas_off_its_ray():
    """At (0.3, 0, 3), compared at depth 2: 0.2 m. The ray is at 0.18 m, sigma 1 cm: e = 4 of cap 3."""
    names, sigma = (*HIPS, "nose"), [np.inf, np.inf, 0.01]
    rays = [[[0, 0], [0, 0], [0.09, 0.0]]]
    seen = evidence(names, sigma, conf=[[0, 0, 0.5]], rays=rays)
    posed = Given(state=still(), landmarks=Given(points=np.array([[[0, 0, 3], [0, 0, 3], [0.3, 0, 3.0]]])))
    depth = np.array([2.0])
    expected = 0.5 * 4 / (1 + 4 / 9)
    assert terms.reprojection(posed, seen, CAMERA, depth, DEFAULT, None) == pytest.approx(expected)
    posed.state = replace(still(), log_focal=np.log(2))  # a focal length twice as long halves the rays
    seen = replace(seen, rays=2 * seen.rays)
    assert terms.reprojection(posed, seen, CAMERA, depth, DEFAULT, None) == pytest.approx(expected)


def test_points_behind_the_camera_count_as_a_tenth_of_a_metre_away():
    at, slope = terms.image_rows(np.array([[[0.2, 0.1, -5.0]]]), np.array([3.0]), np.eye(3))
    np.testing.assert_allclose(at, [[[6, 3]]])
    np.testing.assert_allclose(slope, [[[[30, 0, -60], [0, 30, -30]]]])


def world_case(conf=1.0, scale=1.0):
    """The nose 5 cm too near and 10 cm to the side of where the detector has it; sigma is 5 cm."""
    names = (*HIPS, "nose")
    world = [[[0.1, 0, 0], [-0.1, 0, 0], [0.1, 0.5, 0.05]]]
    seen = evidence(names, [0.01, 0.01, 0.01], conf=[[1, 1, conf]], world=world)
    points = scale * np.array([[[0.1, 0, 0], [-0.1, 0, 0], [0, 0.5, 0.0]]]) + [0.3, -1.0, 4.0]
    return Given(state=replace(still(), log_scale=np.log(scale)), landmarks=Given(points=points)), seen


@pytest.mark.parametrize("conf, gain, scale", [(1.0, 1.0, 1.0), (0.6, 0.6, 1.3), (0.0, 0.2, 0.8)])
def test_3d_landmarks_count_along_and_across_the_view(conf, gain, scale):
    posed, seen = world_case(conf, scale)
    weights = TermWeights(sigma_depth=0.05)
    expected = gain * (0.1 * 1 / (1 + 1 / 9) + 0.05 * 4 / (1 + 4 / 9))
    assert terms.world_landmarks(posed, seen, CAMERA, weights, None) == pytest.approx(expected)


@pytest.mark.parametrize("miss, spread", [(0.02, 2.22 * 0.02), (0.001, 0.01), (0.2, 0.1), (0.04, 0.0888)])
def test_the_noise_of_depths_is_measured(miss, spread):
    """1.5 x 1.48 x the median miss, from 1 to 10 cm; landmarks that are not used do not count."""
    names = (*HIPS, *"abcdefgh")
    world = np.zeros((1, 10, 3))
    world[0, 2:, 2] = miss, -miss, *[9.0] * 6
    sigma = np.array([np.inf, np.inf, 0.01, 0.01, *[np.inf] * 3, *[0.01] * 3])
    seen = evidence(names, sigma, conf=[[1, 1, 0.01, 1, 1, 1, 1, 0, 0, 0]], world=world)
    posed = Given(state=still(), landmarks=Given(points=np.zeros((1, 10, 3))))
    assert terms.depth_spread(posed, seen, CAMERA) == pytest.approx(spread)


# -- motion ----------------------------------------------------------------------------------------


def moving(joint=5, axis=2, by=0.06, turn=0.0, frames=(0, 1, 2)):
    """Three frames a tenth of a second apart: one joint moves, one turns, in the second step only."""
    joints, steps = np.zeros((3, 24, 3)), np.zeros((2, 24, 3))
    joints[2, joint, axis] = by
    steps[1, 3, 0] = turn
    seen = evidence(HIPS, [1, 1], conf=np.ones((3, 2)), frames=frames, seconds=(0.0, 0.1, 0.2))
    return Given(pose=Given(joints=joints), steps=steps, state=still(3)), seen


@pytest.mark.parametrize("axis, sigmas", [(0, 1.0), (1, 1.0), (2, 2.0)])
def test_an_acceleration_of_six_metres_is_one_sigma_and_two_in_depth(axis, sigmas):
    posed, seen = moving(axis=axis)
    expected = 0.25 * (2 * np.sqrt(1 + sigmas**2) - 2)
    assert terms.smoothness(posed, seen, None, CAMERA, DEFAULT, None) == pytest.approx(expected)
    _, broken = moving(frames=(0, 1, 3))
    assert terms.smoothness(posed, broken, None, CAMERA, DEFAULT, None) == 0


def test_joints_that_begin_to_turn():
    """0.6 rad in a tenth of a second are 60 rad/s^2: one sigma of the acceleration."""
    posed, seen = moving(by=0.0, turn=0.6)
    assert terms.smoothness(posed, seen, None, CAMERA, DEFAULT, None) == pytest.approx(0.03)


def test_motion_needs_frames():
    two, one = (Given(pose=Given(joints=np.zeros((n, 24, 3))), state=still(n)) for n in (2, 1))
    assert terms.smoothness(two, None, None, CAMERA, DEFAULT, None) == 0
    assert terms.holding(one, None, DEFAULT, None) == 0


@pytest.mark.parametrize("joint, cost", [(0, 0.0), (1, 1.0), (23, 1.0)])
def test_a_joint_at_the_usual_speed_costs_half_of_a_fast_one(joint, cost):
    """0.04 rad in a tenth of a second: 0.4 rad/s, one sigma, half the cap of 2. The root is free."""
    _, seen = moving()
    steps = np.zeros((2, 24, 3))
    steps[1, joint, 1] = 0.04
    posed = Given(state=still(3), steps=steps)
    assert terms.holding(posed, seen, DEFAULT, None) == pytest.approx(cost)
    steps[1, joint, 1] = 3.0
    assert terms.holding(posed, seen, DEFAULT, None) == pytest.approx(2 * cost, rel=2e-3)


# -- priors ----------------------------------------------------------------------------------------


def priors(state, weights=DEFAULT, shape=None, rig=None):
    seen = evidence(HIPS, [1, 1], conf=[[1, 1]], shape=shape)
    return terms.shared_priors(state, seen, rig, weights, None)


def test_priors_of_what_all_frames_share():
    one, other = np.eye(10)[0], 2 * np.eye(10)[3]
    assert priors(replace(still(3), betas=one)) == pytest.approx(3 * 4.0)
    assert priors(replace(still(3), betas=other)) == pytest.approx(3 * 0.15 * 4)
    assert priors(replace(still(3), betas=2 * np.eye(10)[9])) == pytest.approx(3 * 0.15 * 4)
    assert priors(replace(still(3), log_scale=10.0)) == pytest.approx(0.1)
    assert priors(replace(still(3), log_bones=10.0)) == pytest.approx(0.1)
    assert priors(replace(still(3), log_focal=1e-3)) == pytest.approx(1000)  # fixed
    assert priors(replace(still(3), log_focal=0.1), TermWeights(focal=30.0)) == pytest.approx(0.9)


def test_bones_of_the_rest_pose_are_kept_to_a_centimetre():
    directions = np.zeros((24, 3, 10))
    directions[[1, 2], 0, 0] = 0.02, 0.02  # the bone to joint 1 grows; joint 2 goes along with joint 1
    rig = Given(directions=directions, parents=(-1, 0, 1, *[0] * 21))
    state, shape = replace(still(3), betas=np.eye(10)[0]), np.zeros(10)
    loose = priors(state, shape=shape, rig=rig)
    kept = priors(state, TermWeights(skeleton=0.5), shape=shape, rig=rig)
    assert loose == pytest.approx(12) and kept - loose == pytest.approx(0.5 * 3 * 4)


def test_the_pose_prior_and_the_limits():
    prior = Given(values=lambda R: None, rate=lambda values: (np.array([2.0, 3.0]), None, None))
    posed = Given(state=still(2))
    assert terms.plausibility(posed, prior, DEFAULT, None) == pytest.approx(0.3 * 5)
    knee = still(2)
    knee.rotations[1, 4] = Rotation.from_rotvec([-1.0, 0, 0]).as_matrix()  # bent forwards
    over, _ = terms.limits(knee.rotations)
    assert (over**2).sum() > 0.1
    found = terms.plausibility(Given(state=knee), prior, DEFAULT, None)
    assert found == pytest.approx(1.5 + (over**2).sum())


# -- bends and bones -------------------------------------------------------------------------------

HINGES = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
LIMB_NAMES = tuple(f"{side}_{part}" for part in HINGES for side in ("left", "right"))


def bent(**degrees):
    """(1, 12, 3) landmarks whose limbs are straight but for those named, e.g. left_knee=40."""
    points = np.zeros((1, 12, 3))
    for k, name in enumerate(LIMB_NAMES):
        part, side = HINGES.index(name.split("_")[1]), name.split("_")[0]
        hinge = f"{side}_{HINGES[part // 3 * 3 + 1]}"
        angle = np.radians(degrees.get(hinge, 0.0))
        below = [0, -0.4 * np.cos(angle), -0.4 * np.sin(angle)]
        points[0, k] = ([0, 0.5, 0], [0, 0, 0], below)[part % 3]
    return points


def test_bends_are_angles():
    rows = np.array(
        [[LIMB_NAMES.index(f"{s}_{p}") for p in HINGES[h : h + 3]] for h in (0, 3) for s in ("left", "right")]
    )
    found = np.degrees(bends.bends(bent(left_knee=30, right_knee=90, left_elbow=150), rows))
    np.testing.assert_allclose(found, [[30, 90, 150, 0]], atol=1e-6)


@pytest.mark.parametrize(
    "hinge, seen, body, sigmas",
    [
        ("left_knee", 60, 72, 1),  # from 40 degrees on the detector is believed; sigma 12
        ("right_knee", 60, 36, 2),
        ("left_knee", 20, 30, 1),  # half of the 4 degrees that it adds to straight legs are taken off
        ("right_knee", 3, 12, 1),  # not less than straight
        ("left_elbow", 60, 80, 1),  # sigma 20
        ("right_elbow", 20, 35, 1),  # half of 10 degrees
        ("left_elbow", 4, 20, 1),
        ("right_knee", 40, 52, 1),
    ],
)
def test_a_bend_that_differs_from_the_detectors(hinge, seen, body, sigmas):
    conf = np.ones((1, 12))
    conf[0, LIMB_NAMES.index(hinge.replace("knee", "ankle").replace("elbow", "wrist"))] = 0.4
    given = evidence(LIMB_NAMES, np.ones(12), conf=conf, world=bent(**{hinge: seen}))
    posed = Given(landmarks=Given(points=bent(**{hinge: body})))
    expected = 0.5 * 0.4 * sigmas**2 / (1 + sigmas**2 / 9)
    assert bends.bend_term(posed, given, DEFAULT, None) == pytest.approx(expected)


def test_the_slope_of_a_bend_stays_finite_near_straight():
    """Two rods of 0.5 and 0.4 m; a straight one is taken as bent by asin(0.05)."""
    slopes = np.zeros((1, 12, 3, 1))
    rows = np.array([[LIMB_NAMES.index(f"left_{p}") for p in HINGES[:3]]] * 4)
    slopes[0, rows[0, 2], 2, 0] = -1.0  # the ankle moves backwards
    for angle, expected in ((90, 0.0), (30, np.cos(np.pi / 6) / 0.4)):
        placed = Given(points=bent(left_knee=angle))
        assert bends.bend_slopes(placed, slopes, rows)[0, 0, 0] == pytest.approx(expected)
    small = bends.bend_slopes(Given(points=bent(left_knee=1.0)), slopes, rows)[0, 0, 0]
    sine = np.sin(np.radians(1.0))
    assert small == pytest.approx(sine * np.cos(np.radians(1.0)) / 0.05 / 0.4, rel=1e-6)


@pytest.mark.parametrize("axis, weight", [(0, 0.5), (1, 0.5), (2, 2.0)])
def test_a_bone_one_sigma_off(axis, weight):
    rng = np.random.default_rng(0)
    skeleton = rng.normal(size=(2, 17, 3))
    body = skeleton.copy()
    body[:, 3, axis] += 0.05  # the right ankle, on which no other bone hangs
    opinion = Opinion(None, skeleton + [1.0, 2.0, 3.0], np.array([1.0, 0.0]))
    weights = TermWeights(bone_depth=2.0, bone_across=0.5)
    posed = Given(state=still(2), joints=Given(points=body))
    expected = weight / (1 + 1 / 9)
    assert bones.bone_depths(posed, opinion, CAMERA, weights, None) == pytest.approx(expected)
    larger = Given(state=replace(still(2), log_bones=np.log(1.2)), joints=Given(points=1.2 * body))
    assert bones.bone_depths(larger, opinion, CAMERA, weights, None) == pytest.approx(expected)
    assert bones.bone_depths(posed, opinion, CAMERA, DEFAULT, None) == 0


# -- one pose --------------------------------------------------------------------------------------


@pytest.mark.parametrize("joint", [1, 2, 4, 5])
def test_who_stands_keeps_hips_and_knees_within_ten_degrees(joint):
    assert one_pose.stands(alternating(joint, 9.9, rest=(0, 16, 19)))
    assert not one_pose.stands(alternating(joint, 10.1))


@pytest.mark.parametrize(
    "limb, tells, held",
    [
        ("left leg", (1, 4), (1, 4, 7, 10)),
        ("right leg", (2, 5), (2, 5, 8, 11)),
        ("left arm", (16, 18), (13, 16, 18, 20, 22)),
        ("right arm", (17, 19), (14, 17, 19, 21, 23)),
        ("trunk", (3, 6, 9), (0, 3, 6, 9, 12, 15)),
    ],
)
def test_each_limb_is_still_by_itself(limb, tells, held):
    hands = (20, 21, 22, 23, 7, 8, 15)  # do not tell
    for joint in tells:
        others = [name for name in one_pose.LIMBS if name != limb]
        assert one_pose.still_limbs(alternating(joint, 10.1, rest=hands)) == others
        assert one_pose.still_limbs(alternating(joint, 9.9, rest=hands)) == list(one_pose.LIMBS)
    assert one_pose.joints_of([limb]) == held


def test_the_axis_that_somebody_turns_about():
    turns = Rotation.from_rotvec(np.outer(np.linspace(0, 2 * np.pi, 8, endpoint=False), [0, 1, 0]))
    np.testing.assert_allclose(one_pose.turn_axis(turns.as_matrix()), [0, 1, 0], atol=1e-9)
    on_the_head = turns * Rotation.from_rotvec([np.pi, 0, 0])
    np.testing.assert_allclose(one_pose.turn_axis(on_the_head.as_matrix()), [0, -1, 0], atol=1e-9)


def test_the_cost_of_leaving_the_one_pose():
    """An elbow 0.6 rad to both sides of its usual pose costs half its cap in every frame."""
    rotations = alternating(18, np.degrees(0.6))
    posed = Given(state=replace(still(6), rotations=rotations))
    for joints, cost in (((18,), 3 * 6 * 0.5), ((17,), 0.0), ((17, 18), 3 * 6 * 0.5), ((), 0.0)):
        weights = TermWeights(one_pose=3.0, still=joints)
        assert one_pose.one_pose_term(posed, weights, None) == pytest.approx(cost, abs=1e-9)
    assert one_pose.one_pose_term(posed, TermWeights(still=(18,)), None) == 0


def test_the_tilt_of_the_root_against_its_axis():
    """Turned by quarters about y, leaning by 0.2 rad to both sides in each: sin(0.2) away from the mean."""
    state = still(8)
    for k in range(8):
        turn = Rotation.from_rotvec([0, k // 2 * np.pi / 2, 0])
        lean = Rotation.from_rotvec([0, 0, 0.2 * (-1) ** k])
        state.rotations[k, 0] = (turn * lean).as_matrix()
    for joints in ((0, 3), (0,)):  # a spine that keeps its pose costs nothing
        weights = TermWeights(one_pose=2.0, still=joints)
        found = one_pose.one_pose_term(Given(state=state), weights, None)
        assert found == pytest.approx(2 * 8 * np.sin(0.2) ** 2 / 0.36)


# -- steps -----------------------------------------------------------------------------------------


def test_damping_raises_the_diagonal():
    """One frame with one unknown, one shared unknown, no coupling: -g / (1.5 h) each."""
    normal = Normal(1, 1, 1)
    J, shared = np.array([[[1.0], [0.0]]]), np.array([[[0.0], [2.0]]])
    normal.add(J, np.array([[3.0, 5.0]]), np.array([[2.0, 0.5]]), shared)
    step, common = normal.solve(0.5)
    assert step[0, 0] == pytest.approx(-6 / 3, rel=1e-6) and common[0] == pytest.approx(-5 / 3, rel=1e-6)
    nobody, _ = Normal(1, 2, 1).solve(0.0)  # unknowns that nothing is known of stay
    assert not nobody.any()


def test_a_weak_unknown_is_held_by_a_millionth():
    normal = Normal(1, 1, 1)
    normal.add(np.array([[[1e-3]]]), np.array([[1.0]]), np.array([[1.0]]))
    assert normal.solve(0.0)[0][0, 0] == pytest.approx(-1e-3 / 2e-6)
    normal = Normal(1, 1, 1)
    zero, one = np.zeros((1, 1, 1)), np.ones((1, 1))
    normal.add(zero, one, one, np.full((1, 1, 1), 10**-4.5))
    assert normal.solve(0.0)[1][0] == pytest.approx(-(10**-4.5) / 2e-9)
    normal.keep([0])  # what is known gets no step, and gives none
    own, shared = normal.solve(0.0)
    assert shared[0] == 0 and not own.any()
    short = Normal(2, 1, 1)
    short.add_difference(np.ones((2, 1, 1)), np.zeros((0, 1)), np.zeros((0, 1)))  # no three frames
    assert not short.bands[0].any()
