"""Colours of surface that nobody saw."""

import numpy as np
import trimesh

from hvr_nb.surface.completion import LEAST, completed


def ball():
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=0.3)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def test_an_unseen_side_takes_the_colours_of_the_side_that_was_seen():
    vertices, faces = ball()
    stripes = np.repeat((0.5 + 0.4 * np.sin(12 * vertices[:, 1:2])), 3, 1)
    seen = (vertices[:, 0] > 0.05).astype(float)  # only its left was filmed
    colour = np.where(seen[:, None] > 0, stripes, np.nan)
    out = completed(colour, seen, vertices, faces)
    np.testing.assert_array_equal(out[seen > 0], stripes[seen > 0])
    far = vertices[:, 0] < -0.15
    assert np.abs(out - stripes)[far].max() < 0.05, "stripes go on round the ball"
    between = np.abs(vertices[:, 0]) < 0.05
    assert np.abs(out - stripes)[between].mean() < 0.1


def test_what_neither_side_shows_is_smooth_and_within_the_colours_seen():
    vertices, faces = ball()
    rng = np.random.default_rng(0)
    seen = (vertices[:, 2] > 0).astype(float)
    true = np.repeat(0.4 + 0.3 * vertices[:, :1], 3, 1)
    colour = np.where(seen[:, None] > 0, true, rng.random((len(vertices), 3)))  # noise where nobody looked
    colour[5] = np.nan
    out = completed(colour, seen, vertices, faces)
    back = vertices[:, 2] < 0
    assert np.isfinite(out).all() and out[back].min() > true.min() - 0.01
    assert out[back].max() < true.max() + 0.01
    a, b = faces[back[faces].all(1)][:, :2].T
    assert np.abs(out[a] - out[b]).max() < 0.1


def test_faint_sightings_count_as_none_and_nothing_seen_is_grey():
    vertices, faces = ball()
    colour = np.full((len(vertices), 3), 0.3)
    colour[0] = 1.0
    seen = np.ones(len(vertices))
    seen[0] = 0.9 * LEAST
    out = completed(colour, seen, vertices, faces)
    np.testing.assert_allclose(out, 0.3, atol=1e-3)
    np.testing.assert_array_equal(completed(colour, np.zeros(len(vertices)), vertices, faces), 0.5)
    np.testing.assert_array_equal(completed(colour, np.ones(len(vertices)), vertices, faces), colour)
