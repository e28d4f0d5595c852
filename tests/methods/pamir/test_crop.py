"""The crop goes into the networks' cube and back into the film and into metres."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.geometry.camera import default_camera, project
from hvr_nb.methods.pamir.crop import make_crops, on_white, read_crops, write_crops
from hvr_nb.methods.pamir.point_network import project_cube
from hvr_nb.subject.motion import walking_motion
from hvr_nb.types import HvrError


@pytest.fixture(scope="module")
def walk():
    camera = default_camera(400, 300)
    camera = replace(camera, K=camera.K + [[3.0, 0, 11], [0, 0, -7], [0, 0, 0]])
    body = walking_motion(12, fps=15, seed=2, camera=camera)
    vertices = posed(load_body_model(), body)[0].astype(np.float64)
    return vertices, body.camera


def seen_by_the_cube(points):
    """Where the networks' camera sees points of the cube, -1..1 over the picture, y down."""
    return project_cube(torch.as_tensor(points)).numpy()


def test_there_and_back(walk):
    vertices, camera = walk
    crops = make_crops(vertices, camera)
    for k in (0, 5, 11):
        cube = crops.to_cube(vertices[k], k)
        np.testing.assert_allclose(crops.to_world(cube, k), vertices[k], atol=1e-9)
        uv = seen_by_the_cube(cube)
        pixels = crops.centres[k] + uv * crops.sides[k] / 2
        np.testing.assert_allclose(pixels, project(vertices[k], camera), atol=1e-6)


def test_one_scale_for_all_frames_and_the_person_is_inside(walk):
    vertices, camera = walk
    crops = make_crops(vertices, camera)
    sides_in_metres = crops.sides * crops.depths / camera.K[1, 1]
    np.testing.assert_allclose(sides_in_metres, sides_in_metres[0])
    for k in range(len(vertices)):
        assert np.abs(seen_by_the_cube(crops.to_cube(vertices[k], k))).max() < 0.95
        heights = np.ptp(crops.to_cube(vertices[k], k)[:, 1]), np.ptp(vertices[k][:, 1])
        assert heights[0] / heights[1] == pytest.approx(crops.scale, rel=0.05)


def test_the_way_of_the_crop_is_calm(walk):
    vertices, camera = walk
    shaken = vertices + np.random.default_rng(0).normal(0, 0.02, (len(vertices), 1, 3))
    rough, calm = (make_crops(shaken, camera, calm=c) for c in (0, 3))
    jerk = [np.abs(np.diff(c.centres, 2, axis=0)).mean() for c in (rough, calm)]
    assert jerk[1] < jerk[0] / 4


def test_a_person_off_the_edge_has_a_whole_crop(walk):
    vertices, camera = walk
    crops = make_crops(vertices + [1.2, 0, 0], camera)
    picture = np.full((camera.height, camera.width, 3), 200, np.uint8)
    inside = crops.cut(picture, 0, side=64)
    assert inside[:, 0].min() > 150 and (inside[:, -1] == 0).all(), "beyond the film there is nothing"


def test_the_crop_shows_what_the_film_shows_there(walk):
    vertices, camera = walk
    picture = np.zeros((camera.height, camera.width), np.uint8)
    target = vertices[0, 411]
    x, y = project(target[None], camera)[0]
    cv2.circle(picture, (round(16 * (x - 0.5)), round(16 * (y - 0.5))), 16 * 6, 255, -1, shift=4)
    for side in (64, 512):  # smaller and larger than in the film
        crops = make_crops(vertices, camera)
        cut = crops.cut(picture, 0, side=side).astype(float)
        found = np.array(
            [(cut.sum(0) * (np.arange(side) + 0.5)).sum(), (cut.sum(1) * (np.arange(side) + 0.5)).sum()]
        )
        found /= cut.sum()
        wanted = (seen_by_the_cube(crops.to_cube(target[None], 0))[0] + 1) * side / 2
        assert np.abs(found - wanted).max() < 0.3 * side / crops.sides[0] + 0.1


def test_what_is_not_the_person_is_white():
    picture = np.full((2, 2, 3), 51, np.uint8)
    out = on_white(picture, np.array([[255, 0], [0, 255]], np.uint8))
    np.testing.assert_allclose(out[0, 0], 0.2)
    np.testing.assert_allclose(out[0, 1], 1)


def test_crops_are_kept(walk, tmp_path):
    crops = make_crops(*walk)
    names = [f"{k:06d}" for k in range(12)]
    write_crops(tmp_path / "crops.json", crops, names)
    found = json.loads((tmp_path / "crops.json").read_text())
    assert found["frames"][3]["frame"] == "000003" and found["src_w"] == 400
    back = read_crops(tmp_path / "crops.json", remedy="run 05_train again")
    np.testing.assert_array_equal(back.to_cube(walk[0][2], 2), crops.to_cube(walk[0][2], 2))
    found["frames"][0]["size"] = -3
    (tmp_path / "crops.json").write_text(json.dumps(found))
    with pytest.raises(HvrError, match="crops.json is damaged.*05_train"):
        read_crops(tmp_path / "crops.json", remedy="run 05_train again")


def test_a_body_behind_the_camera_is_named(walk):
    vertices, camera = walk
    with pytest.raises(HvrError, match="behind the camera; run 03_body"):
        make_crops(vertices + [0, 0, 20], camera)
