"""Winding numbers of closed surfaces, and the cones that close open ones."""

import numpy as np
import pytest
import trimesh

from hvr_nb.geometry.winding import close_with_cones, filled_grid, winding_numbers


def sphere(radius=1.0, at=(0, 0, 0)):
    mesh = trimesh.creation.icosphere(3, radius)
    return np.asarray(mesh.vertices) + at, np.asarray(mesh.faces)


def test_a_sphere_and_two_that_overlap():
    rng = np.random.default_rng(0)
    p = rng.uniform(-1.5, 1.5, (4000, 3))
    v, f = sphere()
    r = np.linalg.norm(p, axis=1)
    clear = np.abs(r - 1) > 0.01
    assert (winding_numbers(p, v, f) == (r < 1))[clear].all()
    w, g = sphere(0.8, (0.5, 0.2, 0))
    both = winding_numbers(p, np.concatenate([v, w]), np.concatenate([f, g + len(v)]))
    assert (both == winding_numbers(p, v, f) + winding_numbers(p, w, g)).all() and both.max() == 2
    assert (winding_numbers(p, v, f[:, ::-1]) == -winding_numbers(p, v, f)).all()


def test_rays_through_vertices_and_edges():
    """A cube whose corners, edges and diagonals lie exactly under the points."""
    box = trimesh.creation.box((2, 2, 2))
    axis = np.linspace(-1.5, 1.5, 7)
    p = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    size = np.abs(p).max(1)
    found = winding_numbers(p, np.asarray(box.vertices), np.asarray(box.faces))
    assert (found[size < 0.9] == 1).all() and (found[size > 1.1] == 0).all()


def test_a_grid_equals_its_points():
    v, f = sphere(0.7)
    axes = np.linspace(-1, 1, 9), np.linspace(-0.9, 1, 11), np.linspace(-1, 0.8, 13)
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    assert (filled_grid(v, f, axes).ravel() == (winding_numbers(nodes.reshape(-1, 3), v, f) > 0)).all()


@pytest.mark.parametrize("cut", [lambda z: z > -0.5, lambda z: np.abs(z) < 0.5])
def test_an_open_sphere_is_closed_flat(cut):
    v, f = sphere()
    kept = f[cut(v[f].mean(1)[:, 2])]
    closed, tips = close_with_cones(kept, len(v))
    whole = np.concatenate([v, tips @ v])
    assert len(tips @ v) == (1 if cut(0.9) else 2)
    edges = np.concatenate([closed[:, [0, 1]], closed[:, [1, 2]], closed[:, [2, 0]]])
    assert sorted(map(tuple, edges)) == sorted(map(tuple, edges[:, ::-1]))  # every edge is used both ways
    p = np.random.default_rng(1).uniform(-1.2, 1.2, (3000, 3))
    r, clear = np.linalg.norm(p, axis=1), np.abs(np.abs(p[:, 2]) - 0.5) > 0.12
    clear &= np.abs(r - 1) > 0.01
    assert (winding_numbers(p, whole, closed) == ((r < 1) & cut(p[:, 2])))[clear].all()


def test_a_closed_surface_needs_no_cone():
    v, f = sphere()
    closed, tips = close_with_cones(f, len(v))
    assert closed is f and tips.shape == (0, len(v))
