"""Frames brought together in the big pose: the way there and back, averages, and less flicker."""

from dataclasses import replace

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.canonical.binding import pose_skin
from hvr_nb.geometry.camera import default_camera
from hvr_nb.methods.pamir import fuse, logits
from hvr_nb.subject.motion import walking_motion


@pytest.fixture(scope="module")
def walk():
    model = load_body_model()
    body = walking_motion(6, fps=12, seed=4, camera=default_camera(64, 64))
    canonical = make_canonical(replace(body, model_hash=model.hash), model)
    return canonical, pose_skin(model, body.betas, body.poses, body.transl)


@pytest.fixture(scope="module")
def band(walk):
    return fuse.canonical_band(walk[0], cell=0.03, reach=0.06)


def nodes(band):
    return band.low + band.cell * np.stack(np.unravel_index(band.which, band.shape), 1)


def test_points_of_the_band_go_into_a_frame_and_back(walk, band):
    canonical, skin = walk
    points, own, near = fuse.carry_band(band, canonical.faces, skin.vertices[3], skin.world[3])
    assert 0.7 < own.mean() < 1, "under the arms and between the legs other skin is nearer"
    near = tuple(x[own] for x in near)
    back = fuse.to_canonical(points[own], near, canonical, skin.vertices[3], skin.world[3])
    off = np.linalg.norm(back - nodes(band)[own], axis=1)
    assert np.median(off) < 0.002 and np.percentile(off, 90) < 0.02
    assert np.abs(near[2] - band.binding.distance[own]).mean() < 0.004


def test_a_hand_at_the_thigh_does_not_speak_for_the_thigh(walk, band):
    """Points carried into another limb are not the frame's to tell."""
    canonical, skin = walk
    lowered = skin.vertices[0].copy()
    arm = canonical.weights[:, [16, 18, 20, 22]].sum(1) > 0.5
    lowered[arm] += lowered[~arm].mean(0) - lowered[arm].mean(0)  # the arm stands inside the trunk
    _, own, _ = fuse.carry_band(band, canonical.faces, lowered, skin.world[0])
    bound_to_arm = arm[canonical.faces[band.binding.face]].all(1)
    off_skin = np.abs(band.binding.distance) > 0.02
    assert own[bound_to_arm & off_skin].mean() < 0.7 < own[~bound_to_arm & off_skin].mean() - 0.15


def test_logits_of_a_known_surface():
    away = np.array([-0.1, -0.01, 0, 0.005])
    assert logits.logits_off(away) == pytest.approx([logits.SURE, 1, 0, -0.5])
    assert logits.sigmoid(np.array([0.0, 50])) == pytest.approx([0.5, 1])


def test_what_is_between_sure_nodes_is_not_asked(band):
    """Every second node is asked first; between those that say the same, a node is as sure as they are."""
    coarse = fuse.on_every_second_node(band)
    assert 0.08 < coarse.mean() < 0.2
    at = nodes(band)
    values = np.where(coarse, 3 + at[:, 0], 0)
    between = fuse.between_coarse(band, values)
    np.testing.assert_allclose(between[coarse], values[coarse], atol=1e-5)
    inner = np.abs(band.binding.distance) < 0.01
    some = ~coarse & inner
    assert np.median(np.abs(between[some] - 3 - at[some, 0])) < 1e-5


def test_who_is_averaged():
    used = np.array([0, 1, 2, 4, 5, 6])
    assert fuse.neighbour_weights(7, 2, used, 0.0) == {2: 1.0}
    near = fuse.neighbour_weights(7, 2, used, 1.0)
    assert set(near) == {0, 1, 2, 4} and near[2] > near[1] > near[4] == near[0]
    held = fuse.neighbour_weights(7, 3, used, 0.0)
    assert 3 not in held and {2, 4} <= set(held), "a frame that is kept out takes its neighbours"
    far = fuse.neighbour_weights(40, 20, np.array([0, 39]), 1.0)
    assert list(far) == [39], "the nearest there is"


def test_the_correction_makes_a_frame_the_mean_of_its_neighbours(band):
    n = len(band.which)
    frames = {0: np.full(n, 1.0), 1: np.full(n, 4.0), 2: np.full(n, -2.0)}
    frames[2][0] = frames[1][1] = np.nan
    grid = fuse.logit_correction(band, frames[1], frames, {0: 1.0, 1: 2.0, 2: 1.0})
    flat = grid.ravel()[band.which]
    assert flat[5] == pytest.approx((1 + 8 - 2) / 4 - 4)
    assert flat[0] == pytest.approx((1 + 8) / 3 - 4), "who does not know is left out"
    assert flat[1] == 0, "where the frame itself does not tell, nothing is corrected"
    some = nodes(band)[[5, 9]]
    np.testing.assert_allclose(fuse.corrected(some, grid, band), flat[[5, 9]], atol=1e-5)


def test_the_mean_surface_of_the_bare_body_is_the_bare_body(walk):
    from hvr_nb.geometry.nearest import nearest_surface
    from hvr_nb.methods.pamir.shape import mean_surface

    canonical, _ = walk
    band = fuse.canonical_band(canonical, cell=0.02, reach=0.06)
    told = logits.logits_off(band.binding.distance)
    told[::7] = np.nan
    vertices, faces = mean_surface(band, [told, np.full(len(told), np.nan)])
    away = nearest_surface(vertices, canonical.vertices, canonical.faces)[2]
    assert np.abs(away).mean() < 0.003
