"""The start of a fit, step by step, against values worked out by hand (docs/fit.md, 4 and 5)."""

from dataclasses import replace
from types import SimpleNamespace as Given

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.fit import start
from hvr_nb.fit.start import Evidence
from hvr_nb.geometry.camera import default_camera
from hvr_nb.types import HvrError, Keypoints

CAMERA = replace(default_camera(200, 100, 100.0), R=np.eye(3), t=np.zeros(3))


def table(names, sigma):
    return Given(
        names=tuple(names),
        sigma=np.array(sigma, float),
        rows=lambda *some: [list(names).index(n) for n in some],
    )


def evidence(names, *, rays, conf, world=None, sigma=None, frames=None):
    count = len(rays)
    return Evidence(
        frames=np.arange(count) if frames is None else np.array(frames),
        rays=np.array(rays, float),
        conf=np.array(conf, float),
        world=world,
        seconds=np.arange(count) / 30,
        table=table(names, np.ones(len(names)) if sigma is None else sigma),
    )


# -- observations ----------------------------------------------------------------------------------


def test_frames_with_six_joints_that_are_used_take_part():
    points = np.zeros((7, 25, 3))
    points[:, :6] = 110.0, 50.0, 0.11
    points[1, :, 2] = np.where(np.arange(25) < 6, 0.1, 0)  # too unsure
    points[2, 5, 2] = 0  # five
    points[4, 3, 0] = np.nan
    points[5, 5, 2], points[5, 20, 2] = 0, 0.9  # the sixth is one that no table knows
    points[6, :6, 2] = 1.5
    found = np.ones(7, bool)
    found[3] = False
    keypoints = Keypoints(points, np.zeros((7, 25), bool), found, np.zeros((7, 4)))
    some = table([str(k) for k in range(25)], np.r_[np.ones(20), np.full(5, np.inf)])
    got = start.gather(keypoints, CAMERA, some, np.arange(7) / 10)
    assert got.frames.tolist() == [0, 6] and got.seconds.tolist() == [0, 0.6] and got.world is None
    np.testing.assert_allclose(got.rays[:, :6], np.tile([0.1, 0.0], (2, 6, 1)), atol=1e-6)
    np.testing.assert_allclose(got.conf[:, 0], [0.11, 1.0])
    keypoints.found[:] = False
    with pytest.raises(HvrError, match="no person with six joints"):
        start.gather(keypoints, CAMERA, some, np.arange(7) / 10)


def test_three_frames_in_a_row_are_unbroken():
    got = evidence(["a"], rays=np.zeros((6, 1, 2)), conf=np.ones((6, 1)), frames=[0, 1, 2, 4, 5, 6])
    assert got.unbroken.tolist() == [1, 0, 0, 1]


def test_the_detectors_axes_are_those_of_the_ray_to_the_hips():
    """Hips 45 degrees to the right: straight ahead for the detector is there; straight ahead stays."""
    some = table(("left_hip", "right_hip"), [1, 1])
    rays = np.array([[[0.9, 0.0], [1.1, 0.0]], [[0.1, 0.0], [-0.1, 0.0]], [[0.1, 1.0], [-0.1, 1.0]]])
    world = np.tile([[0.0, 0, 1], [0, 1, 0]], (3, 1, 1))
    turned, half = start._along_the_ray(world, rays, some), np.sqrt(0.5)
    np.testing.assert_allclose(turned[0], [[half, 0, half], [0, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(turned[1], world[1], atol=1e-12)
    np.testing.assert_allclose(turned[2], [[0, half, half], [0, half, -half]], atol=1e-12)


# -- orientation -----------------------------------------------------------------------------------


def odd_one(angle, spread=0.0, count=7):
    """Rotations about z to both sides by ``spread`` but for the middle one, which is off by ``angle``."""
    turns = spread * (-1.0) ** np.arange(count)
    turns[count // 2 :] = np.roll(turns[count // 2 :], 1)
    turns[count // 2] = 0
    R = Rotation.from_rotvec(np.outer(turns, [0, 0, 1])).as_matrix()
    R[count // 2] = Rotation.from_rotvec([angle, 0, 0]).as_matrix()
    return R


@pytest.mark.parametrize(
    "angle, spread, replaced",
    [(1.25, 0.0, True), (1.15, 0.0, False), (1.5, 0.58, True), (1.5, 0.62, False)],
)
def test_an_outlier_takes_the_mean_of_neighbours_that_agree(angle, spread, replaced):
    """Farther than 1.2 rad from their mean, from which they stray by less than 0.6."""
    R = odd_one(angle, spread)
    out = start.without_outliers(R, np.arange(7))
    assert np.allclose(out[3], np.eye(3), atol=1e-6) == replaced and np.allclose(out[3], R[3]) != replaced
    np.testing.assert_array_equal(out[[0, 1, 2, 4, 5, 6]], R[[0, 1, 2, 4, 5, 6]])


@pytest.mark.parametrize(
    "frames, replaced", [((0, 1, 2, 3), True), ((0, 1, 2, 4), False), ((3, 4, 5, 2), True)]
)
def test_neighbours_are_three_frames_to_either_side(frames, replaced):
    R = np.tile(np.eye(3), (4, 1, 1))
    R[3] = Rotation.from_rotvec([2.0, 0, 0]).as_matrix()
    out = start.without_outliers(R, np.array(frames))
    assert np.allclose(out[3], np.eye(3)) == replaced


def test_the_cheapest_path_weighs_jumps_against_states():
    unary = np.array([[0, 5, 5], [3, 0, 9], [0, 4, 9.0]])
    apart = np.abs(np.arange(3)[:, None] - np.arange(3))
    assert start._viterbi(unary, 1.0 * apart).tolist() == [0, 1, 0]
    assert start._viterbi(unary, 1.6 * apart).tolist() == [0, 0, 0]
    one_way = np.array([[0, 9, 9], [0, 0, 9], [0, 0, 0.0]])  # from the row to the column
    assert start._viterbi(np.array([[1, 0, 9], [0, 4, 9.0]]), one_way).tolist() == [1, 0]
    assert start._viterbi(np.array([[0, 1, 9], [4, 0, 9.0]]), one_way).tolist() == [1, 1]


@pytest.mark.parametrize("mirrored", [1, -1])
def test_a_body_laid_over_a_frame(mirrored):
    """Half as large and shifted; off by 15 cm costs half of 20, by 7.5 cm a fifth; a mirror image 10 more."""
    shape = np.array([[-1.0, 0, 0], [0, 0, 0], [1, 0, 0]])
    rays = np.array([[-0.5, 0], [0, 0.1125], [0.5, 0]]) * [mirrored, 1] + [3.0, 4.0]
    weight = np.array([[1.0, 1.0, 1.0]])
    found = start._laid_over(shape, rays[None], weight)
    if mirrored > 0:
        assert found == pytest.approx([20 * (0.5 + 0.2 + 0.2) / 3])
    else:
        assert found[0] > 10 + 19  # its scale is not positive, and nothing fits
    exact = start._laid_over(shape, rays[None] * [1, 0], weight)
    assert exact[0] == pytest.approx(0, abs=1e-9) if mirrored > 0 else exact[0] > 20


def test_headings_are_steps_of_a_circle_and_quick_turns_are_dear(monkeypatch):
    """24 headings; half the square of the turn, and two for every radian beyond 60 degrees."""
    kept = {}

    def viterbi(unary, pair):
        kept.update(unary=unary, pair=pair)
        return np.array([0, 6])

    monkeypatch.setattr(start, "_viterbi", viterbi)
    names = ["left_hip", "right_hip", "left_wrist", "right_elbow"]
    rest = np.array([[0.1, 0, 0], [-0.1, 0, 0], [0.5, 0, 0], [-0.3, 0, 0]])
    monkeypatch.setattr(start, "rest_landmarks", lambda rig, some: rest)
    rays = [[[0.1, 0], [-0.1, 0], [9, 9], [9, 9]]] * 2
    got = evidence(names, rays=rays, conf=np.ones((2, 4)))
    camera = default_camera(200, 100)  # its y axis looks down
    R = start.facing_from_2d(got, None, camera)
    step = np.radians(15)
    assert kept["pair"].shape == (24, 24) and kept["unary"].shape == (2, 24)
    for apart in (0, 1, 4, 5, 12):
        cost = 0.5 * (apart * step) ** 2 + 2 * max(apart * step - 1.05, 0)
        assert kept["pair"][3, (3 + apart) % 24] == pytest.approx(cost)
        assert kept["pair"][(3 + apart) % 24, 3] == pytest.approx(cost)
    # facing the camera, left is to the right in the picture; wrists and elbows do not count
    assert kept["unary"][0, 0] == pytest.approx(0, abs=1e-9) and kept["unary"][0, 12] > 10
    ahead = camera.R @ R @ [0, 0, 1]
    np.testing.assert_allclose(ahead[0], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(np.abs(ahead[1]), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(R @ [0, 1, 0], [[0, 1, 0]] * 2, atol=1e-12)  # upright


def test_a_frame_with_an_up_direction():
    up = np.array([0.3, -1.0, 0.2])
    frame = start._frame_with_up(2 * up)
    np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1)
    np.testing.assert_allclose(frame[:, 1], up / np.linalg.norm(up))
    assert frame[2, 2] < -0.9  # faces the camera


# -- place -----------------------------------------------------------------------------------------


def standing(conf):
    """Three frames of seven landmarks, one metre farther to the right and away in each."""
    rng = np.random.default_rng(0)
    shape = np.tile(rng.uniform(-0.5, 0.5, (7, 3)), (3, 1, 1))
    place = np.array([[0.0, 0.1, 3], [1, 0.1, 4], [2, 0.1, 5]])
    at = shape + place[:, None]
    return shape, place, evidence("abcdefg", rays=at[..., :2] / at[..., 2:], conf=conf, sigma=[0.01] * 7)


@pytest.mark.parametrize("second, taken", [(0.21, 1), (0.2, 0)])
def test_six_sure_landmarks_place_a_person(second, taken):
    conf = np.ones((3, 7))
    conf[1, :2] = second, 0.0
    shape, place, got = standing(conf)
    found = start.solve_translation(shape, got, np.eye(3))
    np.testing.assert_allclose(found, place[[0, taken, 2]], atol=1e-3)
    with pytest.raises(HvrError, match="enough joints to place"):
        start.solve_translation(shape, replace(got, conf=got.conf * 0.1), np.eye(3))


def test_who_would_stand_behind_the_camera_takes_the_nearest_place():
    shape, place, got = standing(np.ones((3, 7)))
    got.rays[2] = -got.rays[2]
    shape = shape * [1, 1, 0]
    at = shape + place[:, None]
    rays = at[..., :2] / at[..., 2:]
    rays[2] *= -1  # only fits behind
    found = start.solve_translation(shape, replace(got, rays=rays), np.eye(3))
    np.testing.assert_allclose(found, place[[0, 1, 1]], atol=1e-3)


def test_exact_landmarks_place_a_person_more_than_rough_ones():
    """Two sets of landmarks contradict each other; each counts by its squared confidence over sigma."""
    shape = np.zeros((1, 16, 3))
    shape[0, :8, :2] = shape[0, 8:, :2] = np.random.default_rng(0).uniform(-0.5, 0.5, (8, 2))
    rays = shape[..., :2] / 4
    shape[0, 8:, 0] -= 1.0  # these want the body a metre farther to the right
    for conf, sigma in ((1.0, 0.02), (0.5, 0.01)):  # a quarter of the weight of the others
        got = evidence(
            [str(k) for k in range(16)],
            rays=rays,
            conf=[[1.0] * 8 + [conf] * 8],
            sigma=[0.01] * 8 + [sigma] * 8,
        )
        found = start.solve_translation(shape, got, np.eye(3))
        np.testing.assert_allclose(found, [[0.2, 0, 4]], atol=1e-3)
    unused = replace(got, table=table(got.table.names, [0.01] * 8 + [np.inf] * 8))
    np.testing.assert_allclose(start.solve_translation(shape, unused, np.eye(3)), [[0, 0, 4]], atol=1e-3)


# -- legs ------------------------------------------------------------------------------------------

LEGS = ("nose", "left_hip", "right_hip", "left_knee", "right_knee", "left_big_toe", "right_big_toe")


@pytest.mark.parametrize("half, toggled", [(0.0149, False), (0.0151, True)])
@pytest.mark.parametrize("solid", [True, False])
def test_legs_that_jump_by_three_hundredths_of_the_body_are_exchanged(half, toggled, solid):
    points = np.zeros((4, 7, 3))
    points[:, 0, 1], points[:, [5, 6], 1] = -0.4, 0.6  # one metre tall
    points[:, [3, 5], 0], points[:, [4, 6], 0] = half, -half
    points[2:, 3:, 0] *= -1
    conf = np.ones((4, 7))
    got = evidence(LEGS, rays=points[..., :2], conf=conf, world=points if solid else None)
    assert start.leg_segments(got).tolist() == [False, False, toggled, toggled]
    right = start.swap_legs(got, start.leg_segments(got))
    np.testing.assert_allclose(right.rays[2, [3, 5], 0], half if toggled else -half)
    conf[2, 3:] = 0  # legs that are not seen do not jump
    assert not start.leg_segments(replace(got, conf=conf)).any()


def test_names_tell_which_landmarks_are_legs():
    assert start.leg_order(table(LEGS, np.ones(7))).tolist() == [0, 1, 2, 4, 3, 6, 5]
