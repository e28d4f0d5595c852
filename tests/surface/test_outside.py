"""Cloth inside a body, on spheres where the share is known."""

import numpy as np
import pytest
import trimesh

from hvr_nb.geometry.mesh import face_normals
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.surface.garments.outside import penetration, pushed_out


@pytest.fixture(scope="module")
def ball():
    mesh = trimesh.creation.icosphere(4, radius=0.3)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


@pytest.fixture(scope="module")
def sheet():
    """A flat square of 0.4 m, 1 cm a step."""
    x = np.stack(np.meshgrid(np.linspace(-0.2, 0.2, 41), np.linspace(-0.2, 0.2, 41), indexing="ij"), -1)
    i, j = np.meshgrid(np.arange(40), np.arange(40), indexing="ij")
    a, b, c, d = (((i + p) * 41 + j + q).ravel() for p, q in ((0, 0), (1, 0), (1, 1), (0, 1)))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return np.c_[x.reshape(-1, 2), np.zeros(41 * 41)], faces


@pytest.mark.parametrize(
    "height, inside", [(0.28, np.pi * (0.3**2 - 0.28**2) / 0.16), (0.31, 0.0), (0.0, 1.0)]
)
def test_the_share_is_that_of_the_area(ball, sheet, height, inside):
    share = penetration(sheet[0] + [0, 0, height], sheet[1], *ball)
    assert abs(share - inside) < 0.01


def test_faces_count_not_only_corners(ball):
    """A large triangle whose corners are outside but whose middle is inside."""
    corners = np.array([[0.5, 0, 0.25], [-0.25, 0.43, 0.25], [-0.25, -0.43, 0.25]])
    faces = np.array([[0, 1, 2]])
    assert (nearest_surface(corners, *ball)[2] > 0).all()
    assert penetration(corners, faces, *ball) == 0.25
    assert penetration(pushed_out(corners, faces, *ball), faces, *ball) == 0


@pytest.mark.parametrize("depth", [0.005, 0.03])
def test_pushed_out_is_outside_smooth_and_still_where_it_was_right(ball, sheet, depth):
    before = sheet[0] + [0, 0, 0.3 - depth]
    after = pushed_out(before, sheet[1], *ball, margin=0.003)
    assert penetration(after, sheet[1], *ball) == 0
    assert nearest_surface(after, *ball)[2].min() > 0.002
    move = np.linalg.norm(after - before, axis=1)
    assert move.max() < 2 * depth + 0.01
    corner = np.abs(before[:, :2]).min(1) > 0.19
    assert move[corner].max() < 1e-3
    old, new = (face_normals(x, sheet[1]) for x in (before, after))
    turn = (old * new).sum(1) / np.linalg.norm(old, axis=1) / np.linalg.norm(new, axis=1)
    assert turn.min() > 0.6  # no fold


def test_what_is_outside_does_not_move(ball, sheet):
    before = sheet[0] + [0, 0, 0.35]
    assert np.array_equal(pushed_out(before, sheet[1], *ball), before)


def test_only_chosen_vertices_are_pushed(ball, sheet):
    before = sheet[0] + [0, 0, 0.29]
    left = np.flatnonzero(before[:, 0] < 0)
    after = pushed_out(before, sheet[1], *ball, which=left)
    far = before[:, 0] > 0.08  # beyond where pushes fade
    assert np.abs(after - before)[far].max() < 1e-3
    assert nearest_surface(after[before[:, 0] < -0.01], *ball)[2].min() > 0.0015


def test_cloth_deep_in_another_limb_is_left_alone(ball, sheet):
    small = sheet[0] * 0.2
    assert np.array_equal(pushed_out(small, sheet[1], *ball), small)
    assert penetration(small, sheet[1], *ball) == 1
