"""Cameras, alignment and distortion against values worked out by hand."""

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.geometry.camera import (
    align_camera,
    camera_centre,
    choose_camera,
    default_camera,
    look_at,
    orbit,
    project,
    resized_images,
    similarity,
    to_camera,
    undistort_images,
)
from hvr_nb.types import Camera, HvrError


def test_a_default_camera_looks_down_minus_z():
    camera = default_camera(640, 480)
    assert camera.K[0, 0] == camera.K[1, 1] == 1.2 * 640 and camera.source == "default"
    np.testing.assert_allclose(project(np.array([0.0, 0, -3]), camera), [320, 240])  # the middle of the image
    x, y = project(np.array([0.5, 0.25, -2.0]), camera)
    assert x == pytest.approx(320 + 768 * 0.25) and y == pytest.approx(240 - 768 * 0.125)  # up is smaller y
    np.testing.assert_allclose(camera_centre(camera), 0)


def test_a_given_focal_and_a_bad_one():
    assert default_camera(10, 20, 33.0).K[0, 0] == 33 and default_camera(10, 20, 33.0).source == "given"
    with pytest.raises(HvrError, match="-5"):
        default_camera(10, 20, -5)


def test_a_scaled_camera_sees_the_same_scene():
    camera = default_camera(640, 480, 500.0)
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3)) - [0, 0, 4]
    np.testing.assert_allclose(project(points, camera.scaled(0.5)), project(points, camera) / 2)
    odd = default_camera(101, 51, 80.0).scaled(0.5)
    assert (odd.width, odd.height) == (50, 26)
    np.testing.assert_allclose(odd.K[:2, 2], [25, 13])


@pytest.mark.parametrize("eye", [(0, 0, 0), (1, 2, 3), (-4, 0.5, 1), (0, 5, -2), (0, -5, -2)])
def test_look_at_points_at_the_target_the_right_way_up(eye):
    target, camera = np.array([0.0, 0.5, -2]), default_camera(200, 100)
    moved = look_at(eye, target, camera)
    np.testing.assert_allclose(moved.R @ moved.R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(moved.R) == pytest.approx(1)
    np.testing.assert_allclose(camera_centre(moved), eye, atol=1e-12)
    np.testing.assert_allclose(project(target, moved), [100, 50], atol=1e-9)
    distance = to_camera(target, moved)[2]
    assert distance == pytest.approx(np.linalg.norm(target - eye))
    if eye[0] or eye[2] + 2:
        assert project(target + [0, 0.1, 0], moved)[1] <= 50 + 1e-9


def test_look_at_along_z_is_the_monocular_camera():
    np.testing.assert_allclose(look_at([0, 0, 0], [0, 0, -1], default_camera(4, 4)).R, np.diag([1, -1, -1]))


@pytest.mark.parametrize("height", [3.0, -3.0])
def test_look_at_straight_up_and_down(height):
    moved = look_at([0, height, 0], [0, 0, 0], default_camera(20, 20))
    down = np.sign(height)
    np.testing.assert_allclose(moved.R, [[down, 0, 0], [0, 0, 1], [0, -down, 0]], atol=1e-12)  # top: -Z
    with pytest.raises(HvrError, match="move one"):
        look_at([1, 2, 3], [1, 2, 3], default_camera(20, 20))


def test_orbit_is_the_person_turning_the_other_way():
    camera = default_camera(300, 400)
    centre, angle = np.array([0.2, 1.0, -3.0]), 0.7
    points = np.random.default_rng(1).normal(size=(30, 3)) * 0.5 + centre
    turned = (points - centre) @ Rotation.from_rotvec([0, -angle, 0]).as_matrix().T + centre
    np.testing.assert_allclose(project(points, orbit(camera, centre, angle)), project(turned, camera))
    there = orbit(orbit(camera, centre, angle), centre, -angle)
    np.testing.assert_allclose(there.t, camera.t, atol=1e-12)


@pytest.mark.parametrize("scale", [True, False])
def test_similarity_finds_what_was_applied(scale):
    rng = np.random.default_rng(2)
    source = rng.normal(size=(12, 3))
    R, t, s = Rotation.random(rng=3).as_matrix(), rng.normal(size=3), 1.7 if scale else 1.0
    got_s, got_R, got_t = similarity(source, s * source @ R.T + t, scale=scale)
    assert got_s == pytest.approx(s)
    np.testing.assert_allclose(got_R, R, atol=1e-12)
    np.testing.assert_allclose(got_t, t, atol=1e-12)


def test_similarity_never_mirrors_and_minimises():
    rng = np.random.default_rng(4)
    source = rng.normal(size=(30, 3))
    s, R, t = similarity(source, source * [-1, 1, 1])
    assert np.linalg.det(R) == pytest.approx(1)
    target = source + 0.3 * rng.normal(size=source.shape)
    s, R, t = similarity(source, target)

    def loss(s, R, t):
        return ((s * source @ R.T + t - target) ** 2).sum()

    for k in range(20):
        nudge = Rotation.from_rotvec(1e-3 * rng.normal(size=3)).as_matrix()
        assert loss(s, R, t) <= loss(
            s * (1 + 1e-3 * rng.normal()), nudge @ R, t + 1e-3 * rng.normal(size=3)
        ), k


def test_similarity_of_one_place():
    with pytest.raises(HvrError, match="one place"):
        similarity(np.ones((5, 3)), np.random.default_rng(0).normal(size=(5, 3)))


def test_undistorted_images_follow_the_model():
    """A dot drawn where the lens puts a point comes to where the pinhole camera puts it."""
    size, dist = 201, np.array([-0.25, 0.05, 0.002, -0.001, 0.0])
    camera = Camera(K=default_camera(size, size, 150.0).K, width=size, height=size, dist=dist)
    for point in np.array([[0.9, 0.8, -3], [-1.2, 0.3, -3], [0.2, -1.0, -3]]):
        lens, _ = cv2.projectPoints(to_camera(point, camera), np.zeros(3), np.zeros(3), camera.K, dist)
        y, x = np.mgrid[:size, :size] + 0.5
        dot = 255 * np.exp(-((x - lens[0, 0, 0]) ** 2 + (y - lens[0, 0, 1]) ** 2) / 8)
        image, clean = undistort_images(np.repeat(dot.astype(np.uint8)[None, ..., None], 3, -1), camera)
        weight = image[0, ..., 0].astype(float)
        centre = [(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()]
        np.testing.assert_allclose(centre, project(point, clean), atol=0.06)
        assert clean.dist.tolist() == [0] * 5


def test_images_without_distortion_are_left_alone():
    images, camera = np.zeros((2, 4, 4, 3), np.uint8), default_camera(4, 4)
    assert undistort_images(images, camera)[0] is images


def test_the_best_known_camera_is_chosen(tmp_path):
    assert choose_camera(64, 48).source == "default"
    assert choose_camera(64, 48, metadata_focal=70).K[0, 0] == 70
    given = choose_camera(64, 48, focal=80, metadata_focal=70, distortion=[0.1, 0.2])
    assert (given.K[0, 0], given.source) == (80, "given") and given.dist.tolist() == [0.1, 0.2, 0, 0, 0]
    np.savez(tmp_path / "c.npz", K=np.diag([90.0, 91, 1]))
    assert choose_camera(64, 48, focal=80, camera_file=tmp_path / "c.npz").K[1, 1] == 91
    with pytest.raises(HvrError, match="8 coefficients"):
        choose_camera(64, 48, distortion=range(8))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"K = 3", None])
def test_a_camera_file_that_is_none(tmp_path, content):
    path = tmp_path / "c.npz"
    if content is None:
        with open(path, "wb") as file:
            np.save(file, np.eye(3))
    else:
        path.write_bytes(content)
    with pytest.raises(HvrError, match="c.npz"):
        choose_camera(64, 48, camera_file=path)


def test_an_aligned_camera_sees_the_aligned_points():
    points, R = np.random.default_rng(5).normal(size=(9, 3)), Rotation.random(rng=6).as_matrix()
    camera, s, t = default_camera(64, 48), 1.3, np.array([0.1, 0.2, -9.0])
    np.testing.assert_allclose(
        project(points, align_camera(camera, s, R, t)), project(s * points @ R.T + t, camera)
    )


def test_a_camera_is_shrunk_to_a_side_and_never_enlarged():
    camera = default_camera(640, 480)
    small = camera.at_most(320)
    assert (small.width, small.height, small.K[0, 0]) == (320, 240, camera.K[0, 0] / 2)
    assert camera.at_most(0) is camera and camera.at_most(1000).width == 640


def test_images_are_resized_by_area_and_labels_by_the_nearest_pixel():
    images = np.array([[[0, 4, 8, 8], [0, 4, 8, 0]]], np.uint8)
    small = default_camera(2, 1)
    assert resized_images(images, small).tolist() == [[[2, 6]]]
    assert set(resized_images(images, small, nearest=True).ravel().tolist()) <= {0, 4, 8}
    assert resized_images(images, default_camera(4, 2)) is images
