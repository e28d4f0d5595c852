"""The surface of an occupancy: coarse to fine equals dense, and nothing is shifted."""

import numpy as np
import pytest
import trimesh

from hvr_nb.body.model import load_body_model
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.methods.pamir.logits import SURE, cut_logits, sigmoid
from hvr_nb.methods.pamir.octree import sample_band, surface_mesh

BOX = np.array([-0.5, -0.5, -0.5]), np.array([0.5, 0.5, 0.5])


def sphere(radius, centre=(0, 0, 0), soft=0.02):
    def logits(points):
        away = np.linalg.norm(points - np.asarray(centre), axis=1) - radius
        return cut_logits(-away / soft)

    return logits


def ball(radius, centre=(0, 0, 0)):
    return lambda points: np.linalg.norm(points - np.asarray(centre), axis=1) - radius


def dense(logits, distance, cell, band):
    nodes = np.indices((int(round(1 / cell)) + 1,) * 3)
    points = BOX[0] + cell * nodes.reshape(3, -1).T
    away, out = distance(points), logits(points)
    out = np.where(np.abs(away) > band, np.where(away < 0, SURE, -SURE), out)
    return out.reshape(nodes.shape[1:]).astype(np.float32)


@pytest.mark.parametrize("resolution", [32, 64])
def test_a_sphere_is_where_it_is(resolution):
    """Bias under a tenth of a cell, in size and in place."""
    centre, cell = np.array([0.013, -0.021, 0.008]), 1 / resolution
    grid = sample_band(sphere(0.3, centre, soft=2 * cell), ball(0.28, centre), *BOX, cell=cell, band=0.1)
    vertices, faces = surface_mesh(grid)
    away = np.linalg.norm(vertices - centre, axis=1) - 0.3
    assert abs(away.mean()) < 0.1 * cell and np.abs(away).max() < 0.25 * cell
    assert np.abs((vertices.min(0) + vertices.max(0)) / 2 - centre).max() < 0.1 * cell
    mesh = trimesh.Trimesh(vertices, faces)
    assert mesh.is_watertight and mesh.volume == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=0.01)


def clothed(points):
    """A body with a skirt and noise: what a network tells."""
    waves = 0.02 * np.sin(40 * points).sum(1)
    away = np.minimum(
        ball(0.2, (0, 0.1, 0))(points), np.abs(points[:, 1] + 0.15) + ball(0.1)(points * [1, 0, 1]) - 0.1
    )
    return cut_logits(-(away + waves) / 0.02)


def test_coarse_to_fine_equals_dense():
    body = ball(0.2, (0, 0.1, 0))
    grid = sample_band(clothed, body, *BOX, cell=1 / 64, band=0.3)
    whole = dense(clothed, body, 1 / 64, 0.3 + 4 / 64)
    assert grid.values.shape == whole.shape and grid.asked < 0.3 * whole.size
    np.testing.assert_allclose(sigmoid(grid.values), sigmoid(whole), atol=0.15)  # off the surface: linear
    same = [surface_mesh(type(grid)(v, grid.low, grid.cell, 0)) for v in (grid.values, whole)]
    assert len(same[0][1]) == len(same[1][1])
    np.testing.assert_allclose(same[0][0], same[1][0], atol=1e-6)


def test_thin_things_on_the_body_are_found():
    """A rod thinner than a coarse cell, of which no coarse node knows."""
    rod = (0.512, 0.49)

    def away(points):
        return np.hypot(points[:, 0] - rod[0] / 64, points[:, 2] - rod[1] / 64) - 0.012

    def inside(points):
        return np.where(away(points) < 0, SURE, -SURE)

    grid = sample_band(inside, away, *BOX, cell=1 / 64, band=0.1)
    middle = grid.values[:, 10:-10].max((0, 2))
    assert (middle == SURE).all()


def test_only_the_largest_piece_stays_and_the_box_closes_it():
    def logits(points):
        return np.maximum(sphere(0.2)(points), sphere(0.08, (0.4, 0, 0))(points))

    grid = sample_band(logits, ball(0.2), *BOX, cell=1 / 32, band=0.5)
    vertices, _ = surface_mesh(grid)
    assert vertices[:, 0].max() < 0.25
    cut = sample_band(sphere(0.4), ball(0.4), [-0.5, -0.2, -0.5], [0.5, 0.5, 0.5], cell=1 / 32, band=0.2)
    assert trimesh.Trimesh(*surface_mesh(cut)).is_watertight


def test_nothing_occupied_is_an_empty_mesh():
    grid = sample_band(
        lambda p: np.full(len(p), -SURE), lambda p: np.full(len(p), 1.0), *BOX, cell=1 / 8, band=0.1
    )
    assert grid.asked == 0 and len(surface_mesh(grid)[1]) == 0


def test_the_occupancy_is_asked_near_the_body_only():
    model = load_body_model()
    vertices = model.v_template.numpy() * 0.45
    vertices -= (vertices.min(0) + vertices.max(0)) / 2
    asked = []

    def distance(points):
        return nearest_surface(points, vertices, model.faces)[2]

    def logits(points):
        asked.append(points)
        return cut_logits(-100 * distance(points))

    grid = sample_band(
        logits, distance, vertices.min(0) - 0.05, vertices.max(0) + 0.05, cell=1 / 128, band=0.04
    )
    points = np.concatenate(asked)
    assert grid.asked == len(points) == len(np.unique(points, axis=0)) < 0.05 * 128**3
    assert np.abs(distance(points)).max() < 0.04 + 4 / 128 + 0.01
