"""The teaching picture: distances of a sphere are exact, and places keep their colour."""

import numpy as np
import trimesh

from hvr_nb.geometry.camera import default_camera
from hvr_nb.render.slices import RANGE, _even_signs, distance_slice, distance_slices
from hvr_nb.types import Mesh


def sphere(radius=0.4, at=(0, 0, 0)):
    ball = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return Mesh(np.asarray(ball.vertices) + at, np.asarray(ball.faces))


def test_blue_inside_orange_outside_black_between():
    picture = distance_slice(sphere(), side=200).astype(int)
    assert picture.shape[:2] == (200, 200)
    red, green, blue = picture.transpose(2, 0, 1)
    x, y = np.meshgrid(np.arange(200) - 99.5, np.arange(200) - 99.5)
    gap = np.hypot(x, y) * (0.8 + 0.24) / 200 - 0.4
    assert (red + green + blue)[np.abs(gap) < 0.002].max() < 120, "the surface is black"
    inside, outside = (gap < -0.05) & (gap > -RANGE), (gap > 0.05) & (gap < RANGE)
    assert (blue > red)[inside].all() and (red > blue)[outside].all()
    assert (np.diff(blue[100, 105:160]) != 0).any() and picture[0, 0].sum() < picture[30, 100].sum()


def test_a_wrong_sign_among_right_ones_is_mended():
    distance = np.fromfunction(lambda i, j: np.hypot(i - 20, j - 20) - 10, (41, 41))
    wrong = distance.copy()
    wrong[18:22, 18:22] *= -1
    wrong[2, 3] *= -1
    np.testing.assert_array_equal(
        _even_signs(wrong, 1.0)[np.abs(distance) > 1], distance[np.abs(distance) > 1]
    )


def test_a_moved_surface_keeps_its_colours():
    rest, posed = sphere(), sphere(at=(0.5, 1.0, -4.0))
    picture = distance_slices(rest, posed, default_camera(64, 64), side=120)
    middle = picture[6 + 60]  # row through the middle of the tiles
    coloured = np.abs(middle.astype(int) - 255).sum(1) > 30
    assert picture.shape[0] > 120 and coloured.sum() > 200
    thirds = [part[(np.abs(part.astype(int) - 255).sum(1) > 30)] for part in np.array_split(middle, 4)]
    np.testing.assert_allclose(np.median(thirds[1], 0), np.median(thirds[2], 0), atol=12)
