"""The z-buffer: numba and numpy agree, and both agree with what can be worked out."""

import numpy as np
import pytest

from hvr_nb.body.model import OPEN_BODY, load_body_model
from hvr_nb.geometry import raster
from hvr_nb.geometry.camera import default_camera, project, to_camera
from hvr_nb.geometry.raster import interpolate, rasterize, rasterize_pixels
from hvr_nb.types import Camera

PATHS = [False] + [True] * (raster.numba is not None)


def random_soup(seed, faces=300, size=64):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-10, size + 10, (faces, 1, 2)) + rng.normal(0, 8, (faces, 3, 2))
    return xy.reshape(-1, 2), rng.uniform(0.5, 5, 3 * faces), np.arange(3 * faces).reshape(-1, 3)


@pytest.mark.skipif(raster.numba is None, reason="numba is not installed")
@pytest.mark.parametrize("seed", range(4))
def test_numba_and_numpy_agree(seed):
    xy, z, faces = random_soup(seed)
    fast = rasterize_pixels(xy, z, faces, 48, 64, use_numba=True)
    slow = rasterize_pixels(xy, z, faces, 48, 64, use_numba=False)
    np.testing.assert_array_equal(fast[1], slow[1])
    np.testing.assert_allclose(fast[0], slow[0], rtol=1e-12)
    np.testing.assert_allclose(fast[2], slow[2], atol=1e-6)
    assert 0.5 < (fast[1] >= 0).mean() <= 1


@pytest.mark.skipif(raster.numba is None, reason="numba is not installed")
def test_numba_and_numpy_agree_on_the_body():
    model = load_body_model(OPEN_BODY)
    camera = default_camera(160, 200, 200.0)
    x = to_camera(model.v_template.numpy().astype(float) + [0, 0.2, -2.4], camera)
    xy = (x @ camera.K.T)[:, :2] / x[:, 2:]
    fast = rasterize_pixels(xy, x[:, 2], model.faces, 200, 160, use_numba=True)
    slow = rasterize_pixels(xy, x[:, 2], model.faces, 200, 160, use_numba=False)
    np.testing.assert_array_equal(fast[1], slow[1])
    assert 0.1 < (fast[1] >= 0).mean() < 0.4


@pytest.mark.parametrize("use_numba", PATHS)
def test_a_tilted_plane_has_its_exact_depth(use_numba):
    """Depth, barycentrics and interpolated positions where rays meet the plane."""
    camera = default_camera(40, 30, 35.0)
    corners = np.array([[-1.0, -1.0, -2.0], [1.5, -0.8, -3.0], [0.2, 1.2, -4.0]])
    x = to_camera(corners, camera)
    xy = project(corners, camera)
    faces = np.array([[0, 1, 2]])
    depth, face, bary = rasterize_pixels(xy, x[:, 2], faces, 30, 40, use_numba=use_numba)
    hit = face == 0
    v, u = np.nonzero(hit)
    rays = np.stack([u + 0.5, v + 0.5, np.ones(len(u))], 1) @ np.linalg.inv(camera.K).T
    normal = np.cross(x[1] - x[0], x[2] - x[0])
    exact = (normal @ x[0]) / (rays @ normal)
    np.testing.assert_allclose(depth[hit], exact, rtol=1e-9)
    np.testing.assert_allclose(bary[hit].sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(bary[hit] @ x, rays * exact[:, None], atol=1e-5)
    np.testing.assert_allclose(interpolate(x, faces, face, bary)[hit], rays * exact[:, None], atol=1e-5)
    assert np.isinf(depth[~hit]).all() and not bary[~hit].any() and hit.sum() > 100


@pytest.mark.parametrize("use_numba", PATHS)
def test_pixel_centres_lie_at_a_half(use_numba):
    """A square from 2 to 6 covers the pixels 2..5; one from 2.4 to 5.4 the pixels 2..4."""
    for lo, hi, first, last in ((2, 6, 2, 5), (2.4, 5.4, 2, 4), (2.6, 5.6, 3, 5)):
        xy = np.array([[lo, lo], [hi, lo], [hi, hi], [lo, hi]], float)
        _, face, _ = rasterize_pixels(
            xy, np.ones(4), np.array([[0, 1, 2], [0, 2, 3]]), 9, 9, use_numba=use_numba
        )
        want = np.zeros((9, 9), bool)
        want[first : last + 1, first : last + 1] = True
        np.testing.assert_array_equal(face >= 0, want)


@pytest.mark.parametrize("use_numba", PATHS)
def test_the_area_is_right_to_the_outline(use_numba):
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    xy = np.concatenate([[[64.3, 60.7]], 50 * np.stack([np.cos(angle), np.sin(angle)], 1) + [64.3, 60.7]])
    ring = np.arange(200)
    faces = np.stack([np.zeros(200, int), 1 + ring, 1 + (ring + 1) % 200], 1)
    _, face, _ = rasterize_pixels(xy, np.ones(201), faces, 128, 128, use_numba=use_numba)
    assert (face >= 0).sum() == pytest.approx(np.pi * 2500, rel=0.005)


@pytest.mark.parametrize("use_numba", PATHS)
def test_shared_edges_leave_no_cracks(use_numba):
    """Triangles whose edges run exactly through pixel centres, at awkward coordinates too."""
    for shift in (0.5, 1 / 3, 0.1):
        n, grid = 12, np.arange(12) * 3 + shift
        xy = np.stack(np.meshgrid(grid, grid, indexing="xy"), -1).reshape(-1, 2)
        a = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
        faces = np.concatenate([np.stack([a, a + 1, a + n + 1], 1), np.stack([a, a + n + 1, a + n], 1)])
        _, face, _ = rasterize_pixels(xy, np.ones(n * n), faces, 36, 36, use_numba=use_numba)
        first, last = int(np.ceil(grid[0] - 0.5)), int(np.floor(grid[-1] - 0.5))
        assert (face[first : last + 1, first : last + 1] >= 0).all()


@pytest.mark.parametrize("use_numba", PATHS)
def test_the_nearest_wins_and_ties_go_to_the_first(use_numba):
    xy = np.tile([[0, 0], [20, 0], [0, 20]], (3, 1)).astype(float)
    faces = np.arange(9).reshape(3, 3)
    z = np.repeat([2.0, 1.0, 3.0], 3)
    assert rasterize_pixels(xy, z, faces, 5, 5, use_numba=use_numba)[1].tolist() == [[1] * 5] * 5
    assert rasterize_pixels(xy, np.ones(9), faces, 5, 5, use_numba=use_numba)[1].max() == 0
    large_first = np.array(
        [[0, 0], [20, 0], [0, 20], [1, 1], [4, 1], [1, 4]], float
    )  # numpy draws small ones first
    assert rasterize_pixels(large_first, np.ones(6), faces[:2], 5, 5, use_numba=use_numba)[1].max() == 0


@pytest.mark.parametrize("use_numba", PATHS)
def test_flat_near_and_undefined_triangles_are_not_drawn(use_numba):
    xy = np.array([[0, 0], [9, 9], [4.5, 4.5], [0, 9], [9, 0], [np.nan, 3]], float)
    z = np.array([1, 1, 1, 0, -1, 1.0])
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4], [0, 3, 5]])  # flat, near, behind, not a number
    _, face, _ = rasterize_pixels(xy[:5], z[:5], faces[:3], 9, 9, use_numba=use_numba)
    assert (face == -1).all()
    with np.errstate(invalid="ignore"):
        _, face, _ = rasterize_pixels(xy, np.ones(6), faces[3:], 9, 9, use_numba=use_numba)
    assert (face == -1).all()
    _, face, _ = rasterize_pixels(xy, z, faces[:0], 9, 9, use_numba=use_numba)
    assert (face == -1).all()
    _, face, _ = rasterize_pixels(xy[:3] + 100, z[:3], faces[:1], 9, 9, use_numba=use_numba)
    assert (face == -1).all()


def test_rasterize_sees_the_world_through_the_camera():
    """A square 2 m away, half a metre wide, covers focal / 4 pixels; things behind are not seen."""
    K = np.array([[80.0, 0, 20], [0, 80.0, 30], [0, 0, 1]])
    camera = Camera(K=K, width=40, height=60)
    square = np.array([[-0.25, -0.25, -2], [0.25, -0.25, -2], [0.25, 0.25, -2], [-0.25, 0.25, -2.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    depth, face, _ = rasterize(square, faces, camera)
    ys, xs = np.nonzero(face >= 0)
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (10, 29, 20, 39)
    np.testing.assert_allclose(depth[face >= 0], 2.0)
    assert (rasterize(square * [1, 1, -1], faces, camera)[1] == -1).all()
