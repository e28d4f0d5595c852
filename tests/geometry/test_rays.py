import numpy as np
import pytest

from hvr_nb.geometry.camera import default_camera, orbit, project
from hvr_nb.geometry.rays import far_depth, fill_bounds, outline_gaps, pixel_rays, shell


def sphere(radius=0.5, centre=(0, 0, -3.0), rings=40):
    """Vertices and outward faces of a sphere."""
    import trimesh

    mesh = trimesh.creation.uv_sphere(radius=radius, count=[rings, 2 * rings])
    return np.asarray(mesh.vertices) + centre, np.asarray(mesh.faces)


@pytest.fixture
def camera():
    return default_camera(64, 48, 60.0)


def test_rays_project_back_to_their_pixel_centres(camera):
    turned = orbit(camera, np.array([0.0, 0, -3]), 0.7)
    pixels = np.array([0, 63, 64 * 47, 64 * 20 + 31])
    origin, direction = pixel_rays(turned, pixels)
    points = origin + 2.5 * direction
    np.testing.assert_allclose(
        project(points, turned), np.stack([pixels % 64, pixels // 64], -1) + 0.5, atol=1e-4
    )
    depth = points @ turned.R.T + turned.t
    np.testing.assert_allclose(depth[:, 2], 2.5, atol=1e-5)


def test_rays_through_other_places_of_a_pixel(camera):
    origin, direction = pixel_rays(camera, np.array([64 * 3 + 5]), offset=(0.25, 0.75))
    np.testing.assert_allclose(project(origin + 2 * direction, camera), [[5.25, 3.75]], atol=1e-4)


def test_shell_bounds_are_those_of_the_inflated_sphere(camera):
    vertices, faces = sphere()
    near, far = np.moveaxis(shell(vertices, faces, camera, margin=0.05, cut=0.03)[..., :2], -1, 0)
    u, v = 32, 24
    assert near[v, u] == pytest.approx(3 - 0.55, abs=2e-3)
    assert far[v, u] == pytest.approx(3 - 0.5 + 0.03, abs=2e-3)  # cut behind the first surface
    hit = np.isfinite(near)
    assert (near[hit] <= far[hit]).all() and np.isneginf(far[~hit]).all()
    bare = np.isfinite(shell(vertices, faces, camera, margin=0.0, cut=0.03)[..., 0])
    assert (hit | ~bare).all() and hit.sum() > bare.sum()


def test_shell_rim_ends_at_the_far_side(camera):
    vertices, faces = sphere()
    near, far = np.moveaxis(shell(vertices, faces, camera, margin=0.05, cut=0.03)[..., :2], -1, 0)
    body = np.isfinite(shell(vertices, faces, camera, margin=0.0, cut=0.0)[..., 0])
    rim = np.isfinite(near) & ~body
    origin, direction = pixel_rays(camera, np.flatnonzero(rim.ravel()))
    # slab test against the analytic sphere of the inflated radius
    centre = np.array([0, 0, -3.0])
    a = (direction**2).sum(1)
    b = direction @ (origin - centre)
    root = np.sqrt(np.maximum(b**2 - a * (((origin - centre) ** 2).sum() - 0.55**2), 0)) / a
    assert np.median(np.abs(near[rim] - (-b / a - root))) < 0.01
    assert np.median(np.abs(far[rim] - (-b / a + root))) < 0.01


def test_far_depth_keeps_the_farthest_of_two_planes():
    xy = np.array([[0, 0], [8, 0], [0, 8], [0, 0], [8, 0], [0, 8]], float)
    z = np.array([1.0, 1, 1, 2, 2, 2])
    far = far_depth(xy, z, np.array([[0, 1, 2], [3, 4, 5]]), 8, 8)
    assert far[1, 1] == pytest.approx(2.0) and np.isneginf(far[7, 7])


def test_beside_an_outline_the_surface_behind_is_passed_too(camera):
    small, faces = sphere(radius=0.1, centre=(0, 0, -2.0))
    large, _ = sphere(radius=0.5, centre=(0, 0, -3.0))
    both = np.concatenate([small, large])
    bounds = shell(both, np.concatenate([faces, faces + len(small)]), camera, margin=0.03, cut=0.03)
    hit = np.isfinite(bounds[..., 0])
    second = np.subtract(bounds[..., 3], bounds[..., 2], where=hit, out=np.zeros(hit.shape))
    assert second[24, 32] == 0  # the middle of the small sphere hides what is behind it
    body = np.isfinite(shell(small, faces, camera, margin=0.0, cut=0.0)[..., 0])
    rim = body & (second > 0)
    assert rim.sum() > 8
    np.testing.assert_allclose(second[rim], 0.06, atol=1e-6)
    assert (bounds[rim][:, 2] > 2.4).all() and (bounds[rim][:, 3] < 2.7).all()


def test_mask_pixels_outside_the_shell_get_their_neighbours_bounds():
    bounds = np.tile([np.inf, -np.inf, np.inf, np.inf], (5, 5, 1))
    bounds[2, 1] = (1.0, 2.0, 2.0, 2.0)
    alpha = np.zeros((5, 5), np.uint8)
    alpha[2, 1:4] = 255
    filled = fill_bounds(bounds, alpha)
    assert (filled[2, 1:4] == [1, 2, 2, 2]).all()
    assert np.isinf(filled[..., 0]).sum() == 22 and np.isinf(bounds[2, 2, 0])


def test_gaps_tell_clothes_from_wrong_poses(camera):
    vertices, faces = sphere()
    larger = sphere(radius=0.7)[0]
    alpha, wide = (
        (255 * np.isfinite(shell(v, faces, camera, margin=0.0, cut=0.0)[..., 0])).astype(np.uint8)
        for v in (vertices, larger)
    )
    assert outline_gaps(vertices, faces, camera, wide) == pytest.approx((0.2, 0.0), abs=0.06)
    assert outline_gaps(larger, faces, camera, alpha) == pytest.approx((0.0, 0.2), abs=0.06)
    assert outline_gaps(vertices, faces, camera, alpha) == (0.0, 0.0)
    assert outline_gaps(vertices, faces, camera, 0 * alpha) == (0.0, 0.0)


def test_a_body_behind_the_camera_meets_no_ray(camera):
    vertices, faces = sphere(centre=(0, 0, 3.0))
    assert np.isinf(shell(vertices, faces, camera, margin=0.05, cut=0.03)[..., 0]).all()
