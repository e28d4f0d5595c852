from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.geometry.camera import default_camera
from hvr_nb.render.coverage import coverage_map, coverage_quality, surface_coverage, visible
from hvr_nb.types import Body, Masks, Mesh

RED = (200, 0, 0)


@pytest.fixture(scope="module")
def turning():
    """A body seen from the front, then from behind; its silhouettes; an all-red stand-in avatar."""
    model = load_body_model()
    turn = np.array([[0.0, 0, 0], [0, np.pi, 0]])
    body = Body(
        np.zeros(10),
        turn,
        np.zeros((2, 69)),
        np.tile([0.0, 0.2, -3.0], (2, 1)),
        default_camera(96, 128),
        np.ones(2, bool),
    )
    colours = np.tile(np.uint8(RED), (6890, 1))
    avatar = SimpleNamespace(
        GIVES=frozenset({"surface"}),
        surface=lambda pose: Mesh(posed(model, pose)[0][0], model.faces, colours),
    )
    return model, body, avatar


def test_a_front_view_shows_the_front(turning):
    model, body, avatar = turning
    seen, _ = visible(avatar.surface(body.frame(0)), body.camera, np.ones((128, 96), bool))
    normals_z = posed(model, body.frame(0))[0][0][:, 2]
    assert 0.25 < seen.mean() < 0.5
    assert normals_z[seen].mean() > normals_z[~seen].mean() + 0.05, "what is seen lies nearer the camera"
    behind, _ = visible(avatar.surface(body.frame(1)), body.camera, np.ones((128, 96), bool))
    assert (seen & behind).mean() < 0.02 and (seen | behind).mean() > 0.6


def test_frames_and_residuals_are_counted_on_the_persons_pixels_only(turning):
    _, body, avatar = turning
    frames = np.zeros((2, 128, 96, 3), np.uint8)
    frames[:] = RED
    frames[1, ..., 0] = 140  # 60 of 255 off in one of three channels
    alpha = np.full((2, 128, 96), 255, np.uint8)
    alpha[:, :, :48] = 0
    found = surface_coverage(avatar, body, frames, Masks(alpha))
    assert set(np.unique(found.frames)) <= {0, 1, 2} and np.isnan(found.residual[found.frames == 0]).all()
    values = found.residual[found.frames == 1]
    assert np.isclose(values, 0).any() and np.isclose(values, 60 / 255 / 3).any()
    assert (np.isclose(values, 0) | np.isclose(values, 60 / 255 / 3)).all()
    whole = surface_coverage(avatar, body, frames, Masks(np.full_like(alpha, 255)))
    assert coverage_quality(found)["seen_pct"] < 0.65 * coverage_quality(whole)["seen_pct"]


def test_frames_without_a_person_are_left_out(turning):
    _, body, avatar = turning
    frames, alpha = np.zeros((2, 128, 96, 3), np.uint8), np.full((2, 128, 96), 255, np.uint8)
    found = surface_coverage(avatar, replace(body, valid=np.array([True, False])), frames, Masks(alpha))
    assert found.frames.max() == 1


def test_the_map_paints_the_unseen_grey(turning):
    model, body, avatar = turning
    frames, alpha = np.zeros((2, 128, 96, 3), np.uint8), np.full((2, 128, 96), 255, np.uint8)
    found = surface_coverage(avatar, body, frames, Masks(alpha), which=[0])
    chart = coverage_map(found, avatar.surface(body.frame(0)), body.camera, posed(model, body)[1][0], side=96)
    spread = np.ptp(chart.astype(int), axis=-1)
    tile = 96 + 6
    front, back = (spread[6:102, 6 + k * tile : 6 + k * tile + 96] for k in (0, 2))
    bar = spread[6 + 96 + 22 + 6 : 6 + 96 + 22 + 6 + 66]
    assert (bar > 50).any(0).mean() > 0.8, "a bar of the colours below the row"
    assert (front > 40).sum() > 300 and (back > 40).sum() < 0.1 * (front > 40).sum()
