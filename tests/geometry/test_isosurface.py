"""Marching cubes: place, size, side of the faces; pieces that touch at corners."""

import numpy as np
import pytest
import trimesh

from hvr_nb.geometry.isosurface import floaters, level_surface


def test_a_ball_is_found_where_it_is_with_its_faces_outwards():
    low, cell, centre = np.array([-0.3, 0.2, 1.0]), 0.02, np.array([0.1, 0.5, 1.4])
    grid = np.stack(
        np.meshgrid(*(low[k] + cell * np.arange(n) for k, n in enumerate((40, 32, 41))), indexing="ij"), -1
    )
    vertices, faces = level_surface(np.linalg.norm(grid - centre, axis=-1) - 0.2, low, cell)
    np.testing.assert_allclose(np.linalg.norm(vertices - centre, axis=1), 0.2, atol=1e-3)
    ball = trimesh.Trimesh(vertices, faces, process=False)
    assert ball.is_watertight and ball.volume == pytest.approx(4 / 3 * np.pi * 0.2**3, rel=0.01)
    assert faces.dtype == np.int64 and faces.flags.c_contiguous


def test_a_piece_that_touches_at_a_corner_floats_or_not():
    inside = np.zeros((6, 6, 6), bool)
    inside[:3, :3, :3] = inside[3, 3, 3] = inside[5, 0, 0] = True
    for corners, expected in ((True, [[5, 0, 0]]), (False, [[3, 3, 3], [5, 0, 0]])):
        assert np.argwhere(floaters(inside, corners=corners)).tolist() == expected
    assert not floaters(np.zeros((2, 2, 2), bool), corners=True).any()
