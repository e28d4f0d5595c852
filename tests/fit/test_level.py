"""A world laid level by a person who turns round."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body.headings import headings
from hvr_nb.body.model import load_body_model, posed
from hvr_nb.body.worlds import rest_pelvis, turned
from hvr_nb.fit.level import level_body, tilt
from hvr_nb.geometry.camera import project
from hvr_nb.subject.motion import rotating_motion, subject_camera


@pytest.fixture(scope="module")
def upright():
    """Somebody turning round on level ground before a level camera."""
    return rotating_motion(36, camera=subject_camera(128))


def slanted(body, pitch, roll):
    """The body leans and the camera is believed to be level, as a fit believes."""
    turn = Rotation.from_euler("xz", [pitch, roll], degrees=True).as_matrix()
    return replace(turned(body, turn, rest_pelvis(load_body_model(), body.betas)), camera=body.camera)


def degrees(R):
    return np.degrees(Rotation.from_matrix(R).magnitude())


@pytest.mark.parametrize("pitch, roll", [(12.0, 0.0), (-9.0, 0.0), (6.0, 1.5)])
def test_a_turning_person_tells_how_the_camera_is_held(upright, pitch, roll):
    model = load_body_model()
    off = slanted(upright, pitch, roll)
    way = Rotation.from_matrix(tilt(off, model)).as_rotvec(degrees=True)
    # weighed against level cameras: some 85 % of the pitch and 75 % of the roll are believed
    assert way[0] == pytest.approx(-0.87 * pitch, abs=0.6) and way[2] == pytest.approx(-0.8 * roll, abs=0.6)


def test_the_pictures_stay_as_they_are(upright):
    model = load_body_model()
    off = slanted(upright, 15.0, 0.0)
    level = level_body(off, model)
    before, after = (project(posed(model, b)[0], b.camera) for b in (off, level))
    np.testing.assert_allclose(before, after, atol=2e-3)
    assert not np.allclose(off.camera.R, level.camera.R)
    spines = [np.diff(posed(model, b)[1][:, [0, 12]], axis=1)[:, 0] for b in (level, off)]
    slope = [np.degrees(np.arccos(v[:, 1] / np.linalg.norm(v, axis=1))).mean() for v in spines]
    assert slope[0] < slope[1] - 8


def test_a_level_world_stays(upright):
    assert degrees(tilt(upright, load_body_model())) < 0.5


def test_frames_without_the_person_and_long_looks_do_not_count(upright):
    model, off = load_body_model(), slanted(upright, 10.0, 0.0)
    valid = np.ones(len(off), bool)
    valid[3:6] = False
    broken = replace(off, valid=valid, global_orient=np.where(valid[:, None], off.global_orient, 2.0))
    assert degrees(tilt(broken, model) @ tilt(off, model).T) < 0.5
    looks = np.r_[np.zeros(40, int), np.arange(len(off))]  # faces the camera most of the clip
    assert degrees(tilt(off.frame(looks), model) @ tilt(off, model).T) < 0.5


def test_views_from_in_front_count_as_much_as_any(upright):
    """Of twelve looks all around two are from in front; a slant in these two is a sixth of one in all."""
    model, middles = load_body_model(), np.arange(-165, 180, 30)
    round_ = upright.frame(np.abs(headings(upright)[:, None] - middles).argmin(0))
    lean, ahead = slanted(round_, 12.0, 0.0), (np.abs(headings(round_)) < 25)[:, None]
    assert ahead.sum() == 2
    part = replace(
        round_,
        global_orient=np.where(ahead, lean.global_orient, round_.global_orient),
        transl=np.where(ahead, lean.transl, round_.transl),
    )
    off = [degrees(tilt(body, model) @ tilt(round_, model).T) for body in (part, lean)]
    assert off[0] / off[1] == pytest.approx(1 / 6, abs=0.02)


def test_who_does_not_turn_says_nothing(upright):
    half = upright.frame(slice(0, 18))
    assert tilt(half, load_body_model()) is None and level_body(half, load_body_model()) is half
    nobody = replace(upright, valid=np.zeros(len(upright), bool))
    assert level_body(nobody, load_body_model()) is nobody
