"""Loops, pieces and genus of meshes whose topology is known."""

import numpy as np
import pytest

from hvr_nb.geometry.open_mesh import boundary_loops, topology


def grid(nx, ny, *, wrap_x=False, wrap_y=False):
    """Faces of a grid of nx x ny vertices, wrapped into a tube or a torus."""
    i, j = np.meshgrid(np.arange(nx - (not wrap_x)), np.arange(ny - (not wrap_y)), indexing="ij")
    a, b = (i * ny + j).ravel(), ((i + 1) % nx * ny + j).ravel()
    c, d = ((i + 1) % nx * ny + (j + 1) % ny).ravel(), (i * ny + (j + 1) % ny).ravel()
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


@pytest.mark.parametrize(
    "wraps, loops, genus",
    [((False, False), 1, 0), ((True, False), 2, 0), ((True, True), 0, 1)],
)
def test_sheet_tube_and_torus(wraps, loops, genus):
    t = topology(grid(5, 7, wrap_x=wraps[0], wrap_y=wraps[1]))
    assert t.sound and (t.pieces, t.loops, t.genus) == (1, loops, genus)
    assert t.euler == 2 - 2 * genus - loops


def test_loops_are_ordered_with_the_surface_on_the_left():
    faces = grid(4, 3)
    (loop,) = boundary_loops(faces)
    x = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0), indexing="ij"), -1).reshape(-1, 2)
    assert len(loop) == len(set(loop)) == 10
    step = np.roll(x[loop], -1, 0) - x[loop]
    assert (np.abs(step).sum(1) == 1).all()
    area = (
        0.5 * (x[loop][:, 0] * np.roll(x[loop][:, 1], -1) - x[loop][:, 1] * np.roll(x[loop][:, 0], -1)).sum()
    )
    assert area == 6  # counter-clockwise as the faces are


def test_a_hole_is_a_loop_of_its_own_and_the_longest_comes_first():
    faces = grid(6, 6)
    faces = faces[~(faces == 14).any(1)]
    outer, inner = boundary_loops(faces)
    assert len(outer) == 20 and len(inner) == 6 and 14 not in set(np.r_[outer, inner])
    assert topology(faces).loops == 2


def test_sheets_that_touch_in_a_corner_keep_their_loops():
    faces = np.array([[0, 1, 2], [2, 3, 4]])
    loops = boundary_loops(faces)
    assert sorted(map(sorted, (loop.tolist() for loop in loops))) == [[0, 1, 2], [2, 3, 4]]
    t = topology(faces)
    assert t.bad_vertices == 1 and t.bad_edges == 0 and not t.sound


def test_faults_are_counted():
    assert topology(np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]])).bad_edges >= 1  # three at one edge
    assert topology(np.array([[0, 1, 2], [0, 1, 3]])).bad_edges == 1  # turned against each other
    assert topology(np.array([[0, 1, 2], [7, 8, 9]])).pieces == 2
    assert topology(np.zeros((0, 3), int)).pieces == 0
