"""Figures of a body that need no truth: views that agree, skin that is filled, knees in degrees."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.evaluate.cross_view import (
    APART,
    EVERY,
    avatar_figures,
    cross_view_iou,
    crossed,
    knee_bends,
    skin_iou,
    view_figures,
)
from hvr_nb.fit.outlines import body_silhouettes
from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.subject import rotating_motion, subject_camera
from hvr_nb.types import Masks, Mesh

FRAMES = 24


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def turn(model):
    """Somebody who turns right round in one pose, and the silhouettes of exactly that body."""
    body = rotating_motion(FRAMES, fps=12.0, seed=4, camera=subject_camera(96))
    body = replace(body, body_pose=np.tile(body.body_pose[:1], (FRAMES, 1)))
    return body, Masks((255 * body_silhouettes(body, model)).astype(np.uint8))


def test_pairs_of_frames_look_from_different_sides(turn):
    turned, frames = crossed(turn[0])
    assert len(turned) == len(frames) > 60
    ahead = turned.global_orient[:, 1] - turn[0].global_orient[frames, 1]
    assert np.isfinite(ahead).all() and APART == 45


def test_one_pose_fills_the_masks_of_all_views(turn, model):
    assert cross_view_iou(*turn, model) > 0.97


def test_a_view_that_bends_the_body_its_own_way_is_found_by_the_others(turn, model):
    body, masks = turn
    pose = body.body_pose.copy()
    pose[:12, [45, 48]] += 0.6  # both shoulders forward in half of the turn
    assert cross_view_iou(replace(body, body_pose=pose), masks, model) < cross_view_iou(*turn, model) - 0.02


def test_without_a_turn_there_is_no_figure(turn, model):
    body, masks = turn
    facing = replace(body, global_orient=np.tile(body.global_orient[:1], (FRAMES, 1)))
    assert np.isnan(cross_view_iou(facing, masks, model))
    assert "cross_view_iou" not in view_figures(facing, masks, model)


def test_skin_is_compared_and_cloth_is_not(turn, model):
    body, masks = turn
    names = LABEL_NAMES[masks.label_set]
    labels = np.where(masks.alpha > 0, names.index("upper clothes"), 0).astype(np.uint8)
    assert np.isnan(skin_iou(body, replace(masks, labels=labels), model)), "nothing is labelled skin"
    lower = masks.alpha.copy()
    lower[:, :48] = 0
    labels[lower > 0] = names.index("left leg")
    assert skin_iou(body, replace(masks, labels=labels), model) > 0.95
    wide = masks.alpha.copy()
    wide[:, :40] = np.maximum(wide[:, :40], np.roll(wide[:, :40], 4, axis=2))  # a coat
    assert skin_iou(body, replace(masks, alpha=wide, labels=labels), model) > 0.93


def test_knees_are_measured_against_straight_legs(turn, model):
    pose = np.zeros((2, 69))
    pose[1, 9] = np.radians(30)  # the left knee of the second frame
    two = replace(turn[0].frame(slice(0, 2)), body_pose=pose)
    bends = knee_bends(two, model)
    assert bends[0] == pytest.approx([0, 0], abs=0.1)
    assert abs(bends[1, 0]) > 20 and bends[1, 1] == pytest.approx(0, abs=0.1)


def test_an_avatars_surface_is_asked_like_the_body(turn, model):
    """The bare body as an avatar has the body's own figures; a larger one fills the masks less well."""
    body, masks = turn

    def avatar(size, gives=("surface",)):
        def surface(pose):
            vertices = posed(model, pose)[0][0]
            return Mesh(vertices.mean(0) + size * (vertices - vertices.mean(0)), model.faces)

        return SimpleNamespace(GIVES=set(gives), body=body, model=model, surface=surface)

    same, larger = (avatar_figures(avatar(size), masks, masks.alpha) for size in (1.0, 1.1))
    bare = cross_view_iou(body, masks, model, every=EVERY)
    assert same == {"render_iou": 1.0, "cross_view_avatar_iou": pytest.approx(bare)}
    assert larger["cross_view_avatar_iou"] < same["cross_view_avatar_iou"] - 0.05
    half = masks.alpha * (np.arange(FRAMES) % 2 == 0)[:, None, None].astype(np.uint8)
    assert avatar_figures(avatar(1.0, gives=()), masks, half) == {"render_iou": pytest.approx(0.5)}
