"""A skirt in the big pose carried to walking legs and back."""

import numpy as np
import pytest

from hvr_nb import loose
from hvr_nb.binding import bind
from hvr_nb.body_model import load_body_model
from hvr_nb.canonical import make_canonical
from hvr_nb.methods.nvr import baked
from hvr_nb.nearest import nearest_surface
from hvr_nb.subject.motion import walking_motion
from hvr_nb.types import Mesh
from hvr_nb.warp import pose_bank, warp_rays


@pytest.fixture(scope="module")
def scene():
    """Body, one stride, and a cone about the big-pose thighs: (rows x columns) vertices and faces."""
    model = load_body_model()
    body = walking_motion(24)
    canonical = make_canonical(body, model)
    banks = [
        pose_bank(model, canonical, body.betas, body.poses[6:7], body.transl[6:7], cloth=c)
        for c in (True, False)
    ]
    joints = loose.apply(canonical.A_big, canonical.rest_joints)
    top, bottom = joints[[1, 2], 1].mean() - 0.05, joints[[4, 5], 1].mean() + 0.05
    rows, columns = 24, 96
    t, angle = np.meshgrid(
        np.linspace(0, 1, rows), np.linspace(0, 2 * np.pi, columns, endpoint=False), indexing="ij"
    )
    points = np.stack(
        [(0.24 + 0.26 * t) * np.cos(angle), top + t * (bottom - top), 0.03 + 0.18 * np.sin(angle)], -1
    )
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b = index[:-1], np.roll(index, -1, 1)[:-1]
    c, d = index[1:], np.roll(index, -1, 1)[1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    return canonical, *banks, points.reshape(-1, 3).astype(np.float32), faces


def stretch(before, after, faces):
    """Longest to expect: 99.9th percentile of the ratio of edge lengths."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    ratio = [np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1) for v in (before, after)]
    return np.percentile(ratio[1] / ratio[0], 99.9)


def test_a_skirt_does_not_tear_between_the_legs(scene):
    canonical, cloth_bank, skin_bank, points, faces = scene
    mesh = Mesh(points, faces)
    torn = baked.posed_vertices(bind(mesh.vertices, canonical, cloth=False), canonical.faces, skin_bank)
    whole = baked.posed_vertices(bind(mesh.vertices, canonical, cloth=True), canonical.faces, cloth_bank)
    assert stretch(points, torn, faces) > 4, "the nearest skin jumps from leg to leg"
    assert stretch(points, whole, faces) < 2


def test_the_way_back_finds_the_place_in_the_big_pose(scene):
    canonical, bank, _, points, _ = scene
    _, _, off = nearest_surface(points, canonical.vertices, canonical.faces)
    far = points[off > loose.FAR + 0.01]
    posed = loose.apply(loose.blend(loose.weights_at(far, canonical), bank.world[0]),
                        loose.undo(loose.blend(loose.weights_at(far, canonical), canonical.A_big), far))  # fmt: skip
    big, distance, _, _ = warp_rays(posed[:, None], np.zeros(len(posed), np.int64), bank, canonical)
    _, _, posed_off = nearest_surface(posed, bank.vertices[0], canonical.faces)
    still_far = posed_off > loose.FAR
    error = np.linalg.norm(big[:, 0] - far, axis=1)[still_far]
    assert still_far.mean() > 0.5
    there = nearest_surface(far, canonical.vertices, canonical.faces)[2]
    assert np.median(np.abs(distance[:, 0] - there)[still_far]) < 5e-3, "the distance is the big pose's"
    assert np.median(error) < 1e-3 and np.percentile(error, 90) < 2e-2


def test_near_the_skin_nothing_changes(scene):
    canonical, cloth_bank, skin_bank, _, _ = scene
    near = cloth_bank.vertices[0][::7, None] + np.float32(0.01)
    frame = np.zeros(len(near), np.int64)
    for a, b in zip(
        *(warp_rays(near, frame, bank, canonical) for bank in (cloth_bank, skin_bank)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_without_numba_the_map_is_the_same(scene, monkeypatch):
    if loose.numba is None:
        pytest.skip("numba is not installed: there is only one way")
    canonical, bank, _, points, _ = scene
    rays = points[::20, None]
    frame = np.zeros(len(rays), np.int64)
    distance = np.linspace(0, 0.1, len(rays), dtype=np.float32)[:, None]
    results = []
    for _ in range(2):
        big = rays.copy()
        off = distance.copy()
        loose.move(rays + np.float32(bank.world[0, 0, :, 3]), frame, off, big, canonical, bank.world)
        results.append(np.concatenate([big, off[..., None]], -1))
        monkeypatch.setattr(loose, "numba", None)
    assert np.abs(results[0][..., :3] - rays).max() > 0.01
    np.testing.assert_allclose(*results, atol=1e-4)


def test_looseness_rises_from_two_to_five_centimetres():
    np.testing.assert_allclose(
        loose.looseness(np.array([-0.1, 0.0, 0.02, 0.035, 0.05, 0.2])), [0, 0, 0, 0.5, 1, 1]
    )
