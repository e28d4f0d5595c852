"""Stage 06 with a stand-in avatar: turntable geometry, kept pictures, resuming, compositing."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.drawing.pictures import over, to_uint8
from hvr_nb.geometry.camera import camera_centre, default_camera, project
from hvr_nb.render.cameras import portrait, turntable, vertical_axis, whole_frame
from hvr_nb.render.pictures import load_pictures, render_pictures
from hvr_nb.types import Body, HvrError


class FlatAvatar:
    """Renders the camera's angle as a grey level; counts its calls and can die on one of them."""

    GIVES = frozenset({"render"})
    fingerprint = "flat"

    def __init__(self, die_at=None):
        self.calls, self.die_at = 0, die_at

    def render(self, camera, pose, frame=None):
        if self.calls == self.die_at:
            raise KeyboardInterrupt
        self.calls += 1
        shape = (camera.height, camera.width)
        grey = np.full((*shape, 3), (camera.R[0, 0] + 1) / 2, np.float32)
        return SimpleNamespace(rgb=grey, alpha=np.ones(shape, np.float32), depth=np.full(shape, 2.5))


@pytest.fixture(scope="module")
def body():
    camera = default_camera(32, 24)
    return Body(
        np.zeros(10),
        np.tile([0.0, 0.4, 0.0], (3, 1)),
        np.zeros((3, 69)),
        np.tile([0.1, 0.0, -3.0], (3, 1)),
        camera,
        np.ones(3, bool),
    )


@pytest.fixture(scope="module")
def joints(body):
    return posed(load_body_model(), body)[1]


def test_turntable_keeps_the_person_in_place(body, joints):
    cameras = turntable(body.camera, joints, views=4)
    centre = joints[0].mean(0)
    pixels = np.stack([project(centre, c) for c in cameras])
    assert np.allclose(pixels, pixels[0], atol=1e-9)
    assert np.allclose(cameras[0].R, body.camera.R)
    # A quarter turn shows a point on the person's left side straight ahead or behind: same column.
    side = centre + np.array([0.2, 0.0, 0.0])
    assert abs(project(side, cameras[1])[0] - pixels[0, 0]) < 0.5
    assert abs(project(side, cameras[0])[0] - pixels[0, 0]) > 1.0


def test_a_portrait_holds_the_person_wherever_it_was_filmed(body, joints):
    camera = replace(
        body.camera, width=640, height=360, K=np.array([[500.0, 0, 320], [0, 500, 180], [0, 0, 1]])
    )
    aside = joints + [2.0, 0, 0]  # at the edge of the picture
    view = portrait(camera, aside[0])
    assert np.allclose(camera_centre(view), camera_centre(camera)) and view.width == view.height >= 256
    points = project(aside[0], view)
    assert (points > 0.02 * view.width).all() and (points < 0.98 * view.width).all()
    assert np.ptp(points[:, 1]) > 0.5 * view.height, "the person fills the picture"
    assert points[15, 1] < points[0, 1] < points[7, 1], "head up"
    assert np.allclose(project(aside[0].mean(0), view), view.width / 2)


def test_the_frame_that_shows_the_whole_person_is_found(body, joints):
    camera = replace(
        body.camera, width=640, height=360, K=np.array([[500.0, 0, 320], [0, 500, 180], [0, 0, 1]])
    )
    body = replace(body, camera=camera)
    moved = joints * 0.5 + np.array([[[2.0, 0, -1]], [[0, 0, -1]], [[0, 0, -1]]])
    assert whole_frame(body, moved) == 1
    assert whole_frame(replace(body, valid=np.array([True, False, True])), moved) == 2


def test_the_axis_is_the_persons_own(joints):
    axis = vertical_axis(joints)
    assert axis[1] > 0.99 and abs(np.linalg.norm(axis) - 1) < 1e-6
    tilt = np.array([[1.0, 0, 0], [0, np.cos(0.3), -np.sin(0.3)], [0, np.sin(0.3), np.cos(0.3)]])
    assert np.allclose(vertical_axis(joints @ tilt.T), tilt @ axis, atol=1e-5)
    lying = joints @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).T
    assert np.array_equal(vertical_axis(lying), [0, 1, 0])


def test_an_interrupted_rendering_goes_on(tmp_path, body, joints):
    cameras = turntable(body.camera, joints, views=10)
    names = [f"{k:02d}" for k in range(10)]
    dying = FlatAvatar(die_at=9)
    with pytest.raises(KeyboardInterrupt):
        render_pictures(dying, body.frame(0), cameras, tmp_path / "t", names=names, fps=10)
    with pytest.raises(HvrError, match="not complete"):
        load_pictures(tmp_path / "t")
    second = FlatAvatar()
    pictures = render_pictures(second, body.frame(0), cameras, tmp_path / "t", names=names, fps=10)
    assert second.calls == 2, "eight were kept"
    again = FlatAvatar()
    same = render_pictures(again, body.frame(0), cameras, tmp_path / "t", names=names, fps=10)
    assert again.calls == 0 and np.array_equal(same.rgb, pictures.rgb)
    assert (tmp_path / "t.mp4").exists()
    assert np.all(pictures.depth == 2500) and pictures.rgb.shape == (10, 24, 32, 3)
    moved = FlatAvatar()
    render_pictures(moved, body.frame(1), cameras[::-1], tmp_path / "t", names=names, fps=10)
    assert moved.calls == 10, "other cameras: nothing may be reused"


def test_an_old_video_does_not_outlive_its_pictures(tmp_path, body, joints):
    names, folder = ["a", "b"], tmp_path / "t"
    cameras = turntable(body.camera, joints, views=4)
    render_pictures(FlatAvatar(), body.frame(0), cameras[:2], folder, names=names, fps=5)
    assert folder.with_suffix(".mp4").exists()
    with pytest.raises(KeyboardInterrupt):
        render_pictures(FlatAvatar(die_at=1), body.frame(0), cameras[2:], folder, names=names, fps=5)
    assert not folder.with_suffix(".mp4").exists(), "it shows other views"


@pytest.mark.parametrize("damage", [b"", b"\x89PNG cut"])
def test_damaged_pictures_and_films_are_made_again(tmp_path, body, joints, damage):
    cameras, folder = turntable(body.camera, joints, views=4), tmp_path / "t"
    call = {"names": ["a", "b", "c", "d"], "fps": 5}
    first = render_pictures(FlatAvatar(), body.frame(0), cameras, folder, **call)
    film = folder.with_suffix(".mp4").read_bytes()
    for layer, name in (("rgb", "b"), ("depth", "d")):
        (folder / layer / f"{name}.png").write_bytes(damage)
    with pytest.raises(HvrError, match="b.png is missing or damaged; run 06_render again"):
        load_pictures(folder)
    folder.with_suffix(".mp4").write_bytes(film[:300])
    second = FlatAvatar()
    again = render_pictures(second, body.frame(0), cameras, folder, **call)
    assert (
        second.calls == 2
        and np.array_equal(again.rgb, first.rgb)
        and np.array_equal(again.depth, first.depth)
    )
    assert folder.with_suffix(".mp4").read_bytes() == film
    folder.with_suffix(".mp4").write_bytes(film[:300])  # the film alone
    render_pictures(second, body.frame(0), cameras, folder, **call)
    assert second.calls == 2 and folder.with_suffix(".mp4").read_bytes() == film


@pytest.mark.parametrize("text", ["", "{}", '{"names": 3}', "[" * 100_000], ids=len)
def test_a_damaged_manifest_means_that_all_is_rendered_again(tmp_path, body, joints, text):
    cameras, folder = turntable(body.camera, joints, views=2), tmp_path / "t"
    render_pictures(FlatAvatar(), body.frame(0), cameras, folder, names=["a", "b"], fps=5)
    (folder / "manifest.json").write_text(text)
    second = FlatAvatar()
    render_pictures(second, body.frame(0), cameras, folder, names=["a", "b"], fps=5)
    assert second.calls == 2 and load_pictures(folder).rgb.shape[0] == 2


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/b", ".a"])
def test_pictures_have_plain_names(tmp_path, body, joints, name):
    cameras, folder = turntable(body.camera, joints, views=2), tmp_path / "in" / "t"
    with pytest.raises(HvrError, match="cannot be the name of a frame"):
        render_pictures(FlatAvatar(), body.frame(0), cameras, folder, names=["a", name], fps=5)
    assert not list(tmp_path.rglob("*.png"))
    render_pictures(FlatAvatar(), body.frame(0), cameras, folder, names=["a", "b"], fps=5)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"names": ["a", name]}))
    with pytest.raises(HvrError, match="cannot be the name of a frame; run 06_render again"):
        load_pictures(folder)


def test_as_many_cameras_as_names_are_needed(tmp_path, body):
    with pytest.raises(HvrError, match="2 cameras, 3 names"):
        render_pictures(FlatAvatar(), body, [body.camera] * 2, tmp_path, names=["a", "b", "c"], fps=1)


def test_one_camera_serves_for_all_poses(tmp_path, body):
    names = ["a", "b", "c"]
    many = render_pictures(FlatAvatar(), body, [body.camera] * 3, tmp_path / "m", names=names, fps=5)
    one = render_pictures(FlatAvatar(), body, body.camera, tmp_path / "o", names=names, fps=5)
    assert np.array_equal(one.rgb, many.rgb) and len(one.rgb) == 3
    same_pose = {"names": names, "frames": [0, 1, 2], "fps": 5}
    assert (
        len(render_pictures(FlatAvatar(), body.frame(0), body.camera, tmp_path / "p", **same_pose).rgb) == 3
    )
    with pytest.raises(HvrError, match="2 names, 2 frames and 3 poses"):
        render_pictures(FlatAvatar(), body, body.camera, tmp_path / "q", names=["a", "b"], fps=5)


def test_an_avatar_without_pictures_is_refused(tmp_path, body):
    blind = SimpleNamespace(GIVES=frozenset({"surface"}))
    with pytest.raises(HvrError, match="render_pictures needs render, .*it gives surface"):
        render_pictures(blind, body, body.camera, tmp_path / "t", names=["a"], fps=5)
    assert not list(tmp_path.iterdir())


def test_over_mixes_by_alpha():
    rgb = np.array([[[100, 0, 0]]], np.uint8)
    assert np.array_equal(over(rgb, np.array([[51]], np.uint8)), [[[255, 204, 204]]])
    assert np.array_equal(over(rgb, np.array([[255]], np.uint8)), rgb)
    assert np.array_equal(to_uint8(np.array([-1.0, 0.5, 2.0])), [0, 128, 255])
