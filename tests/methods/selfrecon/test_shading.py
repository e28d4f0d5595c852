"""Shading gives normals that no outline shows, where a person turns under a light that stays."""

import numpy as np
import pytest
import trimesh

from hvr_nb.geometry.mesh import face_normals, vertex_normals
from hvr_nb.surface.clothed.fit import Fit
from hvr_nb.surface.clothed.options import ShapeOptions as Options
from hvr_nb.surface.light import LAMPS, lobes
from hvr_nb.surface.shading_normals import shaded_directions

FRAMES = 24


def turned(angle):
    return np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])


@pytest.fixture(scope="module")
def ball():
    """A smooth sphere, the normals of a wavy one, painted unevenly, and a light from one side."""
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=0.3)
    v, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    wavy = v * (1 + 0.04 * np.sin(25 * v[:, :1]) * np.sin(25 * v[:, 1:2]))
    albedo = np.stack([0.5 + 0.2 * np.sign(v[:, 1]), np.full(len(v), 0.4), np.full(len(v), 0.3)], 1)
    light = np.full(LAMPS, 1 / LAMPS, np.float32)
    light[[3, 10]] += np.float32(0.5)
    return v, faces, vertex_normals(v, faces), vertex_normals(wavy, faces), albedo, light


def film(ball, normals, *, spoilt=()):
    """What frames show of the sphere if its normals are these; ``spoilt`` frames show something white."""
    _, _, own, _, albedo, light = ball
    for k in range(FRAMES):
        R = turned(2 * np.pi * k / FRAMES)
        shade = lobes((normals @ R.T).astype(np.float32)) @ light
        rgb = np.clip(255 * albedo * shade[:, None], 0, 255) if k not in spoilt else np.full_like(own, 255.0)
        facing = own @ R.T @ [0, 0, 1.0]
        weight = np.where((facing > 0.3) & (own[:, 1] < 0.8), facing**2, 0).astype(
            np.float32
        )  # never from above
        yield (
            (rgb + 0.5).astype(np.uint8),
            weight,
            own @ R.T,
            np.broadcast_to(R, (len(own), 3, 3)).astype(np.float32),
        )


def angle(a, b):
    return np.degrees(np.arccos((a * b).sum(1).clip(-1, 1)))


def directions(ball, normals, **options):
    v, faces, _, _, albedo, light = ball
    return shaded_directions(film(ball, normals, **options), v, faces, albedo, light)


@pytest.mark.parametrize("spoilt", [(), (2, 9)])
def test_waves_are_seen_in_their_shading(ball, spoilt):
    own, wavy = ball[2:4]
    found, trust = directions(ball, wavy, spoilt=spoilt)
    seen = np.abs(own[:, 1]) < 0.7
    assert trust[seen].min() > 0.4
    before, after = angle(own, wavy)[seen].mean(), angle(found, wavy)[seen].mean()
    assert before > 8 and after < 0.6 * before, (before, after)


def test_what_is_right_stays_and_what_is_not_seen_is_not_known(ball):
    own = ball[2]
    found, trust = directions(ball, own)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    assert angle(found, own).max() < 0.7
    assert trust[own[:, 1] > 0.85].max() < 1e-9
    np.testing.assert_allclose(
        directions(ball, ball[3])[0][own[:, 1] > 0.95], own[own[:, 1] > 0.95], atol=1e-6
    )


def test_a_wrong_albedo_is_not_taken_for_shape(ball):
    v, faces, own, _, albedo, light = ball
    found, _ = shaded_directions(film(ball, own), v, faces, 0.9 * albedo, light)
    assert angle(found, own)[np.abs(own[:, 1]) < 0.7].mean() < 3


def test_black_cloth_says_nothing(ball):
    v, faces, own, wavy, albedo, light = ball
    views = list(film((*ball[:4], 0.004 * albedo, light), wavy))
    assert shaded_directions(views, v, faces, 0.004 * albedo, light)[1].max() < 0.05


def test_what_following_normals_folds_is_smoothed(ball, monkeypatch):
    v, faces, own = ball[:3]
    fit = Fit.__new__(Fit)
    fit.vertices, fit.faces, fit.options = v, faces, Options()
    fit._rims = lambda _skin: ([], [], None)
    crumpled = v.copy()
    crumpled[100] = (
        v[100] + 1.5 * (v[faces[(faces == 100).any(1)][0]].mean(0) - v[100]) * 2
    )  # beyond its neighbours
    assert folded(v, crumpled, faces) > 0
    monkeypatch.setattr("hvr_nb.surface.clothed.fit.detailed", lambda *_args, **_options: crumpled)
    fit._follow(None, own, np.ones(len(v)), 1.0)
    assert folded(v, fit.vertices, faces) == 0
    assert np.abs(fit.vertices - v).max() < 0.02


def folded(before, after, faces):
    return ((face_normals(before, faces) * face_normals(after, faces)).sum(1) < 0).sum()
