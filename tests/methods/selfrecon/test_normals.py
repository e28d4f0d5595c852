"""Normal maps give a surface the detail that no outline shows, and leave its place alone."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from hvr_nb.body.model import load_body_model
from hvr_nb.geometry.camera import default_camera
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.methods import selfrecon
from hvr_nb.metrics.surfaces import surface_quality
from hvr_nb.store.clip import Clip
from hvr_nb.subject import make_subject, pose_subject, render_subject, rotating_motion, subject_camera
from hvr_nb.surface.normal_maps import as_picture, detailed, directions
from hvr_nb.types import MONOCULAR_R, Masks, Mesh, Normals


def wavy(radius=0.3, depth=0.0):
    """A sphere 3 m ahead with waves of ``depth`` metres."""
    ball = trimesh.creation.icosphere(subdivisions=5, radius=1.0)
    v = np.asarray(ball.vertices)
    return v * (radius + depth * np.sin(20 * v[:, :1]) * np.sin(20 * v[:, 1:2])) + [0, 0, -3.0], np.asarray(
        ball.faces
    )


def height(vertices):
    return np.linalg.norm(vertices - [0, 0, -3.0], axis=1)


def test_a_smooth_surface_takes_the_waves_of_its_normals():
    (true, faces), (smooth, _) = wavy(depth=0.004), wavy()
    moved = detailed(smooth, faces, vertex_normals(true, faces), np.ones(len(smooth)))
    moved = detailed(moved, faces, vertex_normals(true, faces), np.ones(len(smooth)))
    before, after = (np.abs(height(x) - height(true)).mean() for x in (smooth, moved))
    assert after < 0.35 * before, (before, after)
    angle = np.degrees(
        np.arccos((vertex_normals(moved, faces) * vertex_normals(true, faces)).sum(1).clip(-1, 1))
    )
    assert angle.mean() < 2.5


def test_it_stays_where_nothing_is_known_or_nothing_is_wrong():
    vertices, faces = wavy(depth=0.004)
    own = vertex_normals(vertices, faces)
    assert np.abs(detailed(vertices, faces, own, np.zeros(len(own))) - vertices).max() < 1e-9
    still = np.linalg.norm(detailed(vertices, faces, own, np.ones(len(own))) - vertices, axis=1)
    assert still.mean() < 3e-4 and still.max() < 1e-3, "against waves of 8 mm"
    half = (vertices[:, 2] > -3.0).astype(float)
    smooth, _ = wavy()
    moved = np.linalg.norm(detailed(smooth, faces, own, half) - smooth, axis=1)
    assert moved[vertices[:, 2] > -2.9].mean() > 10 * moved[vertices[:, 2] < -3.1].mean()


def test_outlines_hold_their_places():
    (true, faces), (smooth, _) = wavy(depth=0.004), wavy()
    wanted, sure = vertex_normals(true, faces), np.ones(len(smooth))
    held = np.where(np.abs(smooth[:, 0]) < 0.03, 4.0, 0.0)
    free, kept = (detailed(smooth, faces, wanted, sure, held=h) for h in (None, held))
    gaps = [np.linalg.norm(x - smooth, axis=1)[held > 0].mean() for x in (free, kept)]
    assert gaps[1] < 0.6 * gaps[0], gaps
    assert np.array_equal(detailed(smooth, faces, wanted, sure, held=0 * held), free)


def test_directions_come_from_the_maps_of_turned_frames():
    """Two frames: the body as it lies in the big pose, and turned by half about the vertical."""
    (true, faces), (smooth, _) = wavy(depth=0.004), wavy()
    camera = default_camera(240, 240, focal=900)
    turn = np.diag([-1.0, 1.0, -1.0])
    rest = np.zeros((24, 3, 4))
    rest[:, :, :3] = np.eye(3)
    weights = np.zeros((len(true), 24))
    weights[:, 0] = 1
    views = []
    for R in (np.eye(3), turn):
        world = rest.copy()
        world[:, :, :3], world[:, :, 3] = R, np.array([0, 0, -3.0]) - R @ [0, 0, -3.0]
        x, shown = (v @ R.T + world[0, :, 3] for v in (smooth, true))
        _, face, bary = rasterize(shown, faces, camera)
        n = interpolate(vertex_normals(shown, faces) @ camera.R.T, faces, face, bary)
        n /= np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-9)
        distance = np.where(face >= 0, -5.0, 5.0).astype(np.float32)
        views.append(
            (x, vertex_normals(x, faces), world, as_picture(np.rint(127 * n).astype(np.int8)), distance)
        )
    wanted, trust = directions(views, smooth, faces, weights, rest, camera)
    np.testing.assert_array_equal(camera.R, MONOCULAR_R)
    ahead = np.abs(smooth[:, 2] + 3) > 0.2  # both caps, seen from ahead in one frame or the other
    assert (trust[ahead] > 0.9).all() and trust[np.abs(smooth[:, 2] + 3) < 0.02].max() < 0.3
    angle = np.degrees(np.arccos((wanted * vertex_normals(true, faces)).sum(1).clip(-1, 1)))[ahead]
    plain = np.degrees(
        np.arccos((vertex_normals(smooth, faces) * vertex_normals(true, faces)).sum(1).clip(-1, 1))
    )[ahead]
    assert angle.mean() < 0.25 * plain.mean() and angle.mean() < 2
    away = [(x, n, w, 254 - picture, d) for x, n, w, picture, d in views]
    assert directions(away, smooth, faces, weights, rest, camera)[1].max() == 0, "another surface's"
    black = [(x, n, w, as_picture(0 * picture.astype(np.int8)), d) for x, n, w, picture, d in views]
    assert directions(black, smooth, faces, weights, rest, camera)[1].max() == 0, "unknown says nothing"


@pytest.mark.slow
def test_a_clip_with_normal_maps_gives_better_normals(tmp_path):
    """The synthetic person at 128 pixels, with the true maps and without."""
    model, camera, subject = load_body_model(), subject_camera(128, seed=1), make_subject("shorts", seed=1)
    take = render_subject(subject, rotating_motion(10, camera=camera, betas=subject.betas, seed=1))
    clip = Clip.create(
        tmp_path / "clip",
        take.frames,
        fps=5,
        names=[f"{k:06d}" for k in range(10)],
        times=np.arange(10) / 5,
        source={},
    )
    clip.save("camera", camera)
    clip.save("masks", Masks(take.alpha))
    clip.save("body", replace(take.body, model_hash=model.hash))
    clip.save("normals", Normals(np.rint(127 * take.normals.astype(np.float32)).astype(np.int8)))
    true = Mesh(pose_subject(subject, take.body.frame(1))[0], subject.faces)
    made = (
        selfrecon.reconstruct(clip, selfrecon.Options(cell=0.02, normals=weight)) for weight in (1.0, 0.0)
    )
    with_maps, without = (surface_quality(avatar.mesh(1), true, samples=20_000) for avatar in made)
    assert with_maps["normal_deg"] < without["normal_deg"] - 1, (with_maps, without)
    assert with_maps["chamfer_mm"] < 1.1 * without["chamfer_mm"], (with_maps, without)
