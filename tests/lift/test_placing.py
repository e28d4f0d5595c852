"""People in the world: exact truth of a synthetic person and of captured motion, seen by a known camera."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from hvr_nb.body.joint_sets import H36M17_FEET, H36M17_PARENTS
from hvr_nb.body.model import LANDMARK_VERTICES, load_body_model, posed
from hvr_nb.geometry.camera import camera_centre, default_camera, look_at, project, to_camera
from hvr_nb.lift import bones, placing
from hvr_nb.lift.floor import fit_floor, foot_contacts, on_floor
from hvr_nb.lift.placing import pin_feet, place_in_world, place_people
from hvr_nb.lift.root import root_trajectory
from hvr_nb.metrics.poses import bone_length_spread, bone_lengths, foot_skate
from hvr_nb.subject.motion import walking_motion
from hvr_nb.types import MONOCULAR_R, Body, HvrError

FPS = 30.0
HEAD_TOP = 411  # vertex
FEET = list(H36M17_FEET)
LEVEL = default_camera(1280, 720)


@pytest.fixture(scope="module")
def model():
    return load_body_model()


def h36m(model, body: Body) -> np.ndarray:
    """(T, 17, 3) Human3.6M joints of a body."""
    vertices, joints = posed(model, body)
    out = joints[:, (0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 15, 16, 18, 20, 17, 19, 21)].astype(float)
    out[:, 0] = (out[:, 1] + out[:, 4]) / 2
    out[:, 9], out[:, 10] = vertices[:, LANDMARK_VERTICES["nose"]], vertices[:, HEAD_TOP]
    return out


def stroll(model, frames=60) -> np.ndarray:
    """(T, 17, 3) somebody on a bend, 1.2 m/s; his feet slide."""
    joints = h36m(model, walking_motion(frames, turn=1.5, model=model))
    joints -= joints[:, :1]
    t = np.arange(frames) / FPS
    return joints + np.stack([1.2 * t - 1, 0.9 + 0 * t, 0.4 * np.sin(1.5 * t)], 1)[:, None]


def captured(shared_data, model, name: str) -> np.ndarray:
    """(T, 17, 3) captured motion on the project's body at 30 fps."""
    with np.load(shared_data / "mocap" / f"{name}.npz", allow_pickle=False) as file:
        poses, trans = file["poses"][::2].astype(float), file["trans"][::2].astype(float)
    every = np.ones(len(poses), bool)
    camera = default_camera(512, 512)
    return h36m(model, Body(np.zeros(10), poses[:, :3], poses[:, 3:], trans, camera, every, model.hash))


def filmed(world: np.ndarray, *, pixels=0.0, metres=0.0, seed=0):
    """Root-relative joints, points, the pipeline's (level) camera, true joints in camera axes, true up."""
    rng = np.random.default_rng(seed)
    middle = world[:, 0].mean(0)
    true = look_at(middle + [1.0, 0.5, 5.5], middle, default_camera(1280, 720, focal=1100))
    at = to_camera(world, true)
    points = np.concatenate([project(world, true), np.ones((*world.shape[:2], 1))], 2)
    points[..., :2] += rng.normal(0, 1, points[..., :2].shape) * pixels
    noise = gaussian_filter1d(rng.normal(0, 1, at.shape), 4, axis=0)
    joints = at + noise * metres / noise.std()
    level = replace(true, R=MONOCULAR_R.copy(), t=np.zeros(3))
    return joints - joints[:, :1], points, level, at, level.R.T @ true.R @ [0, 1.0, 0]


def off(root: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(T,) millimetres of the root from the truth, both in camera axes."""
    return 1000 * np.linalg.norm(root - at[:, 0], axis=1)


# -- the root's way ----------------------------------------------------------------------------------


def test_the_way_of_a_synthetic_person(model):
    joints, points, camera, at, _ = filmed(stroll(model))
    assert off(root_trajectory(joints, points, camera, fps=FPS), at).max() < 2
    joints, points, camera, at, _ = filmed(stroll(model), pixels=2.0)
    root = root_trajectory(joints, points, camera, fps=FPS)
    assert off(root, at).mean() < 15 and off(root, at).max() < 50  # 5.5 m away
    joints, points, camera, at, _ = filmed(stroll(model), pixels=2.0, metres=0.03)
    root = root_trajectory(joints, points, camera, fps=FPS)
    assert off(root, at).mean() < 120  # two per cent of the distance
    across = np.linalg.norm((root - at[:, 0])[:, :2], axis=1)
    assert across.mean() < 0.06  # most of it is along the line of sight


@pytest.mark.parametrize(
    "name", ["07_01", "02_01", "05_02", "06_03", "02_03"]
)  # walks, dance, basketball, a jump
def test_the_way_of_captured_motion(shared_data, model, name):
    world = captured(shared_data, model, name)
    joints, points, camera, at, _ = filmed(world)
    assert off(root_trajectory(joints, points, camera, fps=FPS), at).mean() < 2
    joints, points, camera, at, _ = filmed(world, pixels=2.0)
    assert off(root_trajectory(joints, points, camera, fps=FPS), at).mean() < 20


def test_unknown_points_wild_points_and_lenses(model):
    joints, points, camera, at, _ = filmed(stroll(model), pixels=0.5)
    points[20:26, :, 2] = 0  # nobody seen for a fifth of a second
    points[:, [7, 8, 10], 2] = 0
    points[5, 3, :2] += 200
    points[40:44, [13, 16], :2] -= 150
    root = root_trajectory(joints, points, camera, fps=FPS)
    assert off(root, at).max() < 60 and off(root, at).mean() < 12
    joints[50] = np.nan
    assert np.isfinite(root_trajectory(joints, points, camera, fps=FPS)).all()
    joints, points, camera, at, _ = filmed(stroll(model))
    bent = replace(camera, dist=np.array([-0.2, 0.05, 0.001, -0.002, 0.0]))
    points[..., :2] = cv2.projectPoints(at.reshape(-1, 3), np.zeros(3), np.zeros(3), bent.K, bent.dist)[
        0
    ].reshape(*at.shape[:2], 2)
    assert off(root_trajectory(joints, points, bent, fps=FPS), at).max() < 5
    assert off(root_trajectory(joints, points, camera, fps=FPS), at).mean() > 20
    one = root_trajectory(joints[:1], points[:1], bent, fps=FPS)
    assert off(one, at[:1]).max() < 5


# -- size and bones ----------------------------------------------------------------------------------


def test_the_size_from_a_height_or_bones(model):
    world = stroll(model)
    tall = float(np.ptp(model.v_template.numpy()[:, 1]))  # 1.75 m bare; the subject of the stroll is near it
    rest = h36m(
        model,
        Body(
            np.zeros(10),
            np.zeros((3, 3)),
            np.zeros((3, 69)),
            np.zeros((3, 3)),
            default_camera(64, 64),
            np.ones(3, bool),
            model.hash,
        ),
    )
    sole = float(rest[0, FEET, 1].mean() - model.v_template[:, 1].min())
    height = float(model.v_template[HEAD_TOP, 1] - model.v_template[:, 1].min())
    assert bones.metric_scale(0.8 * rest, height=height) == pytest.approx(1.25, rel=0.03)
    assert abs(sole / height - 0.039) < 0.01 and tall >= height
    lengths = bone_lengths(world, H36M17_PARENTS)[0]
    assert bones.metric_scale(world / 3, lengths=lengths) == pytest.approx(3.0, rel=1e-3)
    some = np.full(17, np.nan)
    some[2] = lengths[2]
    assert bones.metric_scale(world * 2, lengths=some) == pytest.approx(0.5, rel=1e-3)
    assert bones.metric_scale(world) == 1.0
    joints, points, camera, at, _ = filmed(world)
    placed = place_in_world(joints / 1.3, points, camera, fps=FPS, lengths=lengths)
    assert placed.scale == pytest.approx(1.3, rel=1e-3)
    half = place_in_world(joints, points, camera, fps=FPS, lengths=lengths / 2)
    np.testing.assert_allclose(
        bone_lengths(placed.joints, H36M17_PARENTS), np.tile(lengths, (60, 1)), atol=1e-9
    )
    away = [np.linalg.norm(p.root - camera_centre(p.camera), axis=1).mean() for p in (placed, half)]
    assert away[0] == pytest.approx(2 * away[1], rel=0.02)  # half the size is half as far


def test_bones_of_one_length():
    rng = np.random.default_rng(0)
    joints = rng.normal(0, 0.3, (20, 17, 3))
    fixed = bones.fix_bone_lengths(joints)
    assert bone_length_spread(joints, H36M17_PARENTS) > 10
    assert bone_length_spread(fixed, H36M17_PARENTS) < 1e-9
    np.testing.assert_allclose(fixed[:, 0], joints[:, 0])
    np.testing.assert_allclose(bone_lengths(fixed, H36M17_PARENTS)[3], bones.median_lengths(joints))
    pair = [x - x[:, list(H36M17_PARENTS)] for x in (fixed, joints)]
    assert np.abs(np.cross(*pair))[:, 1:].max() < 1e-12 and (pair[0] * pair[1]).sum(2)[:, 1:].min() > 0
    np.testing.assert_allclose(bones.fix_bone_lengths(fixed), fixed, atol=1e-12)
    known = bones.fix_bone_lengths(joints, lengths=np.arange(17.0))
    np.testing.assert_allclose(bone_lengths(known, H36M17_PARENTS)[0], np.arange(17.0))


# -- feet and floor ----------------------------------------------------------------------------------


def walker(frames=90, *, stride=0.7, pace=25, lift=0.12):
    """Joints (T, 17, 3) with feet that stand exactly, and where they do (T, 2); a root that glides along."""
    t = np.arange(frames)
    joints = np.random.default_rng(0).normal(0, 0.2, (17, 3)) * [1, 1, 1] + np.zeros((frames, 1, 1))
    joints[:, 0] = [0, 0.9, 0]
    joints += (t / pace * stride)[:, None, None] * [1, 0, 0] - [1, 0, 4.0]
    contacts = np.zeros((frames, 2), bool)
    for f, foot in enumerate(FEET):
        phase = (t / pace + 0.5 * f) % 2.0  # stands for one unit, swings for one
        step = np.floor((t / pace + 0.5 * f) / 2.0)
        swing = np.clip(phase - 1, 0, 1)
        contacts[:, f] = phase < 1
        joints[:, foot, 0] = (step + (1 - np.cos(np.pi * swing)) / 2) * 2 * stride - 0.5 * f * stride - 1.4
        joints[:, foot, 1] = 0.07 + lift * np.sin(np.pi * swing)
        joints[:, foot, 2] = -4.0 + 0.2 * f
    return joints, contacts


def test_standing_feet_are_told_from_swinging_ones():
    joints, truth = walker()
    found = foot_contacts(joints[:, FEET], fps=FPS)
    assert (found == truth).mean() > 0.9 and not (found & ~truth)[2:-2].sum() > 12
    high = joints[:, FEET] + [0, 0.5, 0] * (np.arange(2) == 0)[None, :, None]
    assert not foot_contacts(high, fps=FPS)[:, 0].any()  # a raised foot does not stand, however still
    gone = np.where(np.arange(90)[:, None, None] < 30, np.nan, joints[:, FEET])
    assert not foot_contacts(gone, fps=FPS)[:30].any()
    across = np.where(truth, 0.0, 2.0)  # the picture knows better than a noisy pose
    noise = gaussian_filter1d(np.random.default_rng(1).normal(0, 1, (90, 2, 3)), 3, axis=0)
    noisy = joints[:, FEET] + 0.05 * noise / noise.std()
    sure = foot_contacts(noisy, fps=FPS, across=across)
    assert (sure == truth).mean() > (foot_contacts(noisy, fps=FPS) == truth).mean() + 0.05
    assert (
        foot_contacts(noisy, fps=FPS, across=np.full((90, 2), np.nan)) == foot_contacts(noisy, fps=FPS)
    ).all()


@pytest.mark.parametrize("degrees", [0.0, 4.0, 8.0])
def test_the_floor_through_resting_feet(degrees):
    rng = np.random.default_rng(0)
    turn = Rotation.from_euler("xz", [degrees, degrees / 4], degrees=True).as_matrix()
    flat = np.stack([rng.uniform(-2, 2, 200), np.full(200, -1.3), rng.uniform(-6, -2, 200)], 1)
    points = flat @ turn.T + rng.normal(0, 0.01, (200, 3))
    points[:10, 1] += 0.5  # some that did not stand
    floor = fit_floor(points, LEVEL)
    assert np.degrees(np.arccos(np.clip(floor.normal @ turn[:, 1], -1, 1))) < 0.5
    assert floor.offset == pytest.approx(-1.3, abs=0.02)
    level = on_floor(points[10:, None], floor)
    assert np.abs(level[..., 1]).mean() < 0.012
    R, t = floor.back()
    np.testing.assert_allclose(level @ R.T + t, points[10:, None], atol=1e-9)


def test_a_person_on_one_spot_stands_on_a_level_floor():
    points = np.random.default_rng(0).normal(0, 0.02, (100, 3)) + [0.3, -1.2, -4.0]
    floor = fit_floor(points, LEVEL)
    assert floor.normal[1] > np.cos(np.radians(1.0)) and floor.offset == pytest.approx(-1.2, abs=0.06)


def test_the_prior_of_the_floor_flattens_a_slope():
    x, z = (a.ravel() for a in np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5)))
    points = np.stack([x, 0.02 * x + 0.03 * z, z], 1)
    floor = fit_floor(points, LEVEL)
    slopes = -floor.normal[[0, 2]] / floor.normal[1]
    # 25 feet of one clip count as 6: rows / (0.03^2 25/6), against the prior of roll and pitch
    data = (x**2).sum() / 0.03**2 / (25 / 6)
    wanted = [slope * data / (data + np.tan(np.radians(a)) ** -2) for slope, a in ((0.02, 2), (0.03, 8))]
    np.testing.assert_allclose(slopes, wanted, rtol=1e-6)


def test_the_common_floor_lies_under_the_standing_feet():
    rng = np.random.default_rng(0)
    world = rng.normal(0, 1, (2, 40, 17, 3))
    contacts = rng.random((2, 40, 2)) > 0.4
    both = list(zip(world, contacts, (0.05, 0.08), strict=True))
    people = [placing._Loose(w, c, 1.0, ankle, FPS) for w, c, ankle in both]
    soles = np.concatenate([w[:, FEET][c] - [0, ankle, 0] for w, c, ankle in both])
    found, wanted = placing._common_floor(people, LEVEL, H36M17_FEET), fit_floor(soles, LEVEL)
    np.testing.assert_array_equal(found.normal, wanted.normal)
    assert found.offset == wanted.offset
    none = [replace(person, contacts=np.zeros((40, 2), bool)) for person in people]
    assert placing._common_floor(none, LEVEL, H36M17_FEET) is None


def test_feet_are_pinned_alike_in_a_mirror():
    truth, contacts = walker()
    camera = look_at([0, 0.8, 1.5], [0, 0.8, -4.0], default_camera(1280, 720))
    spoilt = truth + 0.06 * np.sin(np.arange(90) / 9.0)[:, None, None] * [0.1, 0.0, 1.0]
    spoilt[30:36] = np.nan  # frames without the person
    mirror = np.array([-1.0, 1.0, 1.0])
    pinned = pin_feet(spoilt, contacts, camera, fps=FPS, above=0.07)
    mirrored = pin_feet(spoilt * mirror, contacts, camera, fps=FPS, above=0.07)
    assert (np.isnan(pinned) == np.isnan(spoilt)).all()
    np.testing.assert_allclose(mirrored * mirror, pinned, atol=1e-9)


def test_pinned_feet_take_a_drift_out_of_the_way():
    truth, contacts = walker()
    camera = look_at([0, 0.8, 1.5], [0, 0.8, -4.0], default_camera(1280, 720))
    drift = 0.06 * np.sin(np.arange(90) / 9.0)[:, None] * [0.1, 0.0, 1.0]  # along the line of sight
    spoilt = truth + drift[:, None]
    pinned = pin_feet(spoilt, contacts, camera, fps=FPS, above=0.07)
    skate = [foot_skate(x, contacts, H36M17_FEET) for x in (truth, spoilt, pinned)]
    assert skate[0] == pytest.approx(0, abs=1e-9) and skate[2] < 0.2 * skate[1]
    assert np.abs(pinned - truth).max() < 0.045 < np.abs(spoilt - truth).max()
    np.testing.assert_allclose(pinned - pinned[:, :1], spoilt - spoilt[:, :1], atol=1e-12)  # moved as a whole
    np.testing.assert_allclose(pin_feet(truth, contacts, camera, fps=FPS, above=0.07), truth, atol=1e-9)
    nothing = pin_feet(spoilt, np.zeros_like(contacts), camera, fps=FPS)
    np.testing.assert_allclose(nothing, spoilt, atol=1e-12)


# -- all of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, metres", [("07_01", 0.0), ("07_01", 0.03), ("06_03", 0.03)])
def test_captured_people_stand_on_the_floor_where_they_are_seen(shared_data, model, name, metres):
    world = captured(shared_data, model, name)
    joints, points, camera, at, up = filmed(world, pixels=2.0, metres=metres)
    placed = place_in_world(joints, points, camera, fps=FPS)
    error = off(to_camera(placed.root, placed.camera), at)
    assert error.mean() < (30 if metres == 0 else 110), f"{error.mean():.0f} mm"
    pixels = np.linalg.norm(project(placed.joints, placed.camera) - points[..., :2], axis=2)
    assert pixels.mean() < (5 if metres == 0 else 13)
    assert np.degrees(np.arccos(placed.floor.normal @ up)) < 4
    truth = foot_contacts(world[:, FEET], fps=FPS)
    assert (placed.contacts == truth).mean() > 0.8
    loose = joints + root_trajectory(joints, points, camera, fps=FPS)[:, None]
    assert foot_skate(placed.joints, truth, H36M17_FEET) < 0.8 * foot_skate(
        loose, truth, H36M17_FEET, up=(0, -1, 0)
    )
    assert bone_length_spread(placed.joints, H36M17_PARENTS) < 1e-9
    standing = placed.joints[:, FEET, 1][placed.contacts]
    assert 0.04 < np.median(standing) < 0.1 and standing.std() < 0.03


def test_two_people_stand_on_one_floor_in_one_world(shared_data, model):
    first = captured(shared_data, model, "07_01")
    both = [
        first,
        first * 0.8 + [1.0, 0, 0.3],
    ]  # the second is smaller, at the first's side, on the same floor
    middle = first[:, 0].mean(0)
    true = look_at(middle + [1.0, 0.5, 5.5], middle, default_camera(1280, 720, focal=1100))
    level = replace(true, R=MONOCULAR_R.copy(), t=np.zeros(3))
    at = [to_camera(w, true) for w in both]
    points = [np.concatenate([project(w, true), np.ones((*w.shape[:2], 1))], 2) for w in both]
    placed = place_people([x - x[:, :1] for x in at], points, level, fps=FPS)
    np.testing.assert_array_equal(placed[0].camera.R, placed[1].camera.R)
    apart = np.linalg.norm(placed[0].root - placed[1].root, axis=1)
    assert np.abs(apart - np.linalg.norm(at[0][:, 0] - at[1][:, 0], axis=1)).mean() < 0.08
    # a height of 1.6 m makes the smaller one larger and puts it farther away
    tall = place_people([x - x[:, :1] for x in at], points, level, fps=FPS, heights=[0.0, 1.6])
    assert tall[0].scale == 1.0 < tall[1].scale and (tall[1].root - placed[1].root)[:, 2].mean() < -0.2


def test_somebody_in_the_air_has_no_floor(model):
    world = stroll(model, frames=20) + 4.0 * (np.arange(20) / FPS)[:, None, None] * [0, 1.0, 0]
    joints, points, camera, at, _ = filmed(world)
    placed = place_in_world(joints, points, camera, fps=FPS)
    assert placed.floor is None and not placed.contacts.any() and placed.camera is camera
    assert off(to_camera(placed.root, placed.camera), at).max() < 5


def test_bad_input_is_named(model):
    joints, points, camera, _, _ = filmed(stroll(model, frames=5))
    calls = {
        r"must both be \(T, J, 3\)": lambda: root_trajectory(joints, points[:, :16], camera, fps=FPS),
        "no frame has two joints": lambda: root_trajectory(joints, points * (1, 1, 0), camera, fps=FPS),
        "must be positive": lambda: bones.metric_scale(joints, height=-1),
        "none of the 17": lambda: bones.metric_scale(joints, lengths=np.full(17, np.nan)),
        "can only be used with Human3.6M": lambda: bones.metric_scale(joints[:, :3], (-1, 0, 1), height=1.7),
        "no frame has all joints": lambda: bones.fix_bone_lengths(np.full((2, 17, 3), np.nan)),
        "do not form trees": lambda: bones.fix_bone_lengths(joints[:, :3], (-1, 2, 1)),
    }
    for message, call in calls.items():
        with pytest.raises(HvrError, match=message):
            call()
