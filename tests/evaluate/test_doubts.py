"""Checks that are kept as doubts: when they speak, what they say, and that strict ends the stage."""

from dataclasses import replace

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model
from hvr_nb.evaluate.cross_view import bend
from hvr_nb.evaluate.doubts import body_doubts, doubt_unless
from hvr_nb.subject import rotating_motion, subject_camera
from hvr_nb.types import HvrError, Keypoints, Masks


class FilmedPerson:
    """The part of a clip that the doubts read: a silhouette in the middle of the picture."""

    def __init__(self, count: int, *, height: int = 200, at_edge: bool = False):
        alpha = np.zeros((count, 256, 128), np.uint8)
        top = 0 if at_edge else 20
        alpha[:, top : top + height, 40:80] = 255
        found = np.ones(count, bool)
        points = np.ones((count, 25, 3))
        self.masks = Masks(alpha)
        self.keypoints = Keypoints(points, np.zeros((count, 25), bool), found, np.zeros((count, 4)))


@pytest.fixture
def body():
    return rotating_motion(4, fps=30.0, seed=1, camera=subject_camera(128))


def test_a_check_says_what_it_checked_and_one_that_fails_is_kept(capsys):
    assert doubt_unless(True, "never seen") == [] and capsys.readouterr().out == ""
    assert doubt_unless(True, "never seen", passed="the mask is full") == []
    assert capsys.readouterr().out == "checked: the mask is full\n"
    assert doubt_unless(False, "the mask is empty") == ["the mask is empty"]
    assert capsys.readouterr().out == "DOUBT: the mask is empty\n"
    with pytest.raises(HvrError, match="the mask is empty"):
        doubt_unless(False, "the mask is empty", strict=True)


def test_the_angle_of_a_bend():
    a, b = np.zeros(3), np.array([0.0, -1.0, 0.0])
    assert bend(a, b, np.array([0.0, -2.0, 0.0])) == pytest.approx(0)
    assert bend(a, b, np.array([1.0, -1.0, 0.0])) == pytest.approx(90)
    turned = np.array([np.sin(np.radians(20)), -1 - np.cos(np.radians(20)), 0])
    assert bend(a, b, turned) == pytest.approx(20)


def test_somebody_upright_and_wholly_filmed_is_not_doubted(body, capsys):
    assert body_doubts(FilmedPerson(4), body, load_body_model()) == []
    checked = capsys.readouterr().out.splitlines()
    assert len(checked) == 4 and all(line.startswith("checked: ") for line in checked)
    assert "200 pixels tall" in checked[2]


@pytest.mark.parametrize(
    ("change", "film", "words"),
    [
        ({"betas": np.array([0, -6.0, 0, 0, 0, 0, 0, 0, 0, 0])}, {}, "hardly anybody has .a beta of 6.0."),
        ({"global_orient": np.tile([np.radians(40), 0, 0], (4, 1))}, {}, "degrees off upright"),
        ({}, {"height": 90}, "only 90 pixels tall"),
        ({}, {"at_edge": True}, "cuts the person in 100% of the frames"),
    ],
)
def test_what_is_unlikely_is_said(body, change, film, words):
    unlikely = replace(body, **change)
    assert len(body_doubts(FilmedPerson(4, **film), unlikely, load_body_model())) == 1
    with pytest.raises(HvrError, match=words):
        body_doubts(FilmedPerson(4, **film), unlikely, load_body_model(), strict=True)


def test_knees_more_bent_than_the_detector_sees_them(body):
    film, world = FilmedPerson(4), np.zeros((4, 33, 3))
    for points in ((23, 25, 27), (24, 26, 28)):
        world[:, points, 1] = [0.0, 0.4, 0.8]  # straight legs
    film.keypoints = replace(film.keypoints, world=world, landmarks=np.zeros((4, 33, 5)))
    straight = replace(body, body_pose=np.zeros_like(body.body_pose))
    assert body_doubts(film, straight, load_body_model()) == []
    bent = straight.body_pose.copy()
    bent[:, 9] = np.radians(30)  # left knee
    (found,) = body_doubts(film, replace(body, body_pose=bent), load_body_model())
    assert "more bent than the detector sees it" in found
