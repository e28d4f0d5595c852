"""Colours of frames' meshes: own pixels, what others saw of the same skin, and marks of guesses."""

import numpy as np
import pytest
import trimesh

from hvr_nb.geometry.camera import default_camera, look_at
from hvr_nb.geometry.nearest import on_surface
from hvr_nb.methods.pamir.texture import GUESSED, OTHER_FRAME, OWN_FRAME, Seen, SkinColours, look, paint
from hvr_nb.surface.remesh import subdivision


@pytest.fixture(scope="module")
def ball():
    mesh = trimesh.creation.icosphere(3, 0.5)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def test_a_point_has_the_same_place_on_the_subdivided_skin(ball):
    vertices, faces = ball
    skin = SkinColours(faces, len(vertices))
    rng = np.random.default_rng(0)
    face, bary = rng.integers(0, len(faces), 300), rng.dirichlet(np.ones(3), 300)
    points = on_surface(vertices, faces, face, bary)
    places = skin.places(points, vertices, faces)
    a, b = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0).T
    flat = np.concatenate([vertices, (vertices[a] + vertices[b]) / 2])  # subdivided without smoothing
    assert skin.count == len(flat) == subdivision(faces, len(vertices))[0].shape[0]
    np.testing.assert_allclose(on_surface(flat, skin.faces, places.face, places.bary), points, atol=1e-5)
    assert (places.weight == 1).all()


def camera(angle):
    eye = 3 * np.array([np.sin(angle), 0, np.cos(angle)])
    return look_at(eye, np.zeros(3), default_camera(96, 96))


def film(view, colour):
    frame = np.zeros((96, 96, 3), np.uint8)
    frame[:] = colour
    return frame, np.full((96, 96), 255, np.uint8)


def test_what_a_frame_does_not_see_is_taken_from_another(ball):
    """Two frames from front and back: red and blue; the sides, which both see flatly, are told by nobody."""
    vertices, faces = ball
    skin = SkinColours(faces, len(vertices))
    places = skin.places(vertices, vertices, faces)
    front, back = (
        look(vertices, faces, camera(a), *film(camera(a), c), places)
        for a, c in ((0, (200, 30, 30)), (np.pi, (30, 30, 200)))
    )
    colours, known = skin.mean([front, back])
    painted, marks = paint(front, skin, colours, known)
    z = vertices[:, 2]
    assert (marks[z > 0.3] == OWN_FRAME).all() and (marks[z < -0.3] == OTHER_FRAME).all()
    assert (marks[np.abs(z) < 0.02] == GUESSED).all()
    assert (np.abs(painted[z > 0.3].astype(int) - [200, 30, 30]) <= 1).all()
    assert (np.abs(painted[z < -0.3].astype(int) - [30, 30, 200]) <= 1).all()


def test_a_frame_that_disagrees_counts_little(ball):
    vertices, faces = ball
    skin = SkinColours(faces, len(vertices))
    places = skin.places(vertices, vertices, faces)
    every = np.ones(len(vertices), np.float32)
    frames = [Seen(np.full((len(vertices), 3), c, np.uint8), every, places) for c in (100, 102, 98, 101, 255)]
    colours, known = skin.mean(frames)
    assert known.all() and np.abs(255 * colours - 100).max() < 8


def test_far_from_the_skin_nothing_is_told_about_it(ball):
    vertices, faces = ball
    skin = SkinColours(faces, len(vertices))
    places = skin.places(vertices * 1.4, vertices, faces)
    assert (places.weight == 0).all()


def test_pixels_at_outlines_tell_nothing_about_the_skin(ball):
    """What is seen at a flat angle is mixed with the background, and must not be continued over the back."""
    vertices, faces = ball
    skin = SkinColours(faces, len(vertices))
    flat = vertices[:, 2] < 0.18  # seen at 69 degrees and more
    colors = np.where(flat[:, None], (0, 250, 0), (200, 30, 30)).astype(np.uint8)
    weight = np.where(vertices[:, 2] > 0, (2 * vertices[:, 2]) ** 2, 0).astype(np.float32)
    colours, _ = skin.mean([Seen(colors, weight, skin.places(vertices, vertices, faces))])
    back = 255 * colours[: len(vertices)][vertices[:, 2] < -0.3]
    assert np.abs(back - [200, 30, 30]).max() < 3
