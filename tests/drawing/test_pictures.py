"""Pictures: sheets, overlays, colours, shading; each checked on pixels whose value is known."""

from dataclasses import replace

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model
from hvr_nb.drawing import pictures, plots, shading, skeletons
from hvr_nb.drawing.shading import body_from_sides
from hvr_nb.geometry.camera import default_camera, project
from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.subject import rotating_motion, subject_camera
from hvr_nb.types import BODY25_NAMES, SMPL_JOINT_NAMES, HvrError, Joints3D, Keypoints, Mesh


def cube(half=0.5, z=-3.0):
    """A closed cube around (0, 0, z), metres."""
    corners = np.array([[x, y, w] for x in (-1, 1) for y in (-1, 1) for w in (-1, 1)], float) * half
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    return Mesh(corners + [0, 0, z], faces)


def test_as_rgb_takes_what_people_have():
    grey = np.array([[0, 255]], np.uint8)
    assert pictures.as_rgb(grey).tolist() == [[[0] * 3, [255] * 3]]
    assert pictures.as_rgb(np.array([[0.0, 0.5, 2.0]])).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]
    clear = np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)
    assert pictures.as_rgb(clear).tolist() == [[[255] * 3, [10, 20, 30]]]
    with pytest.raises(HvrError, match="shape"):
        pictures.as_rgb(np.zeros((2, 2, 5)))


def test_contact_sheet_places_tiles_in_rows():
    tiles = [np.full((10, 20, 3), v, np.uint8) for v in (10, 60, 110)]
    sheet = pictures.contact_sheet(tiles, columns=2, tile=20, gap=4)
    assert sheet.shape == (2 * 24 + 4, 2 * 44 + 4, 3)
    assert sheet[14, 24].tolist() == [10] * 3 and sheet[14, 70].tolist() == [60] * 3
    assert sheet[38, 24].tolist() == [110] * 3 and sheet[38, 70].tolist() == [255] * 3
    named = pictures.contact_sheet(tiles, ["a", "b", "c"], tile=20, title="title", row_labels=["row"])
    assert named.shape[0] == 28 + 6 + 20 + 22 + 6
    assert (named[:28] < 128).any() and (named[-24:] < 128).any(), "title and captions are written"
    with pytest.raises(HvrError, match="nothing to show"):
        pictures.contact_sheet([])


def test_skeleton_has_the_colours_of_the_sides_and_fades_with_confidence():
    ground = np.full((200, 200, 3), 255, np.uint8)
    points = np.zeros((25, 3))
    left, right = BODY25_NAMES.index("left_wrist"), BODY25_NAMES.index("right_wrist")
    points[left], points[right] = (50.5, 60.5, 1.0), (150.5, 60.5, 0.5)
    drawn = pictures.draw_skeleton(ground, points)
    assert drawn[60, 50].tolist() == list(pictures.LEFT)
    assert np.abs(drawn[60, 150] - (np.array(pictures.RIGHT) + 255) / 2).max() <= 1
    hollow = pictures.draw_skeleton(ground, points, np.ones(25, bool))
    assert hollow[60, 50].tolist() == [255] * 3 and (hollow[55:66, 45:56] != 255).any()
    assert (ground == 255).all(), "the image given is not drawn on"
    nowhere = np.full((25, 3), np.nan)
    assert (pictures.draw_skeleton(ground, nowhere) == ground).all()


def test_mask_dims_the_background_and_tints_labels():
    image = np.full((64, 64, 3), 200, np.uint8)
    alpha = np.zeros((64, 64), np.uint8)
    alpha[16:48, 16:48] = 255
    labels = np.where(alpha > 0, 5, 0).astype(np.uint8)
    plain = pictures.draw_mask(image, alpha)
    assert plain[32, 32].tolist() == [200] * 3 and plain[2, 2, 0] < 120
    assert plain[16, 30, 0] > 230 and plain[16, 30, 2] < 110, "the edge is drawn in yellow"
    tinted = pictures.draw_mask(image, alpha, labels, label_set="CIHP")
    expected = 0.38 * 200 + 0.62 * np.array(pictures.LABEL_COLOURS["upper clothes"])
    assert np.abs(tinted[32, 32] - expected).max() <= 1
    assert pictures.label_legend(labels, "CIHP", width=300).shape[1] == 300
    for name, labels_of in LABEL_NAMES.items():
        assert pictures.label_palette(name).shape == (len(labels_of), 3)
    with pytest.raises(HvrError, match="label set 'XYZ'"):
        pictures.label_palette("XYZ")


def test_nearest_keeps_labels_whole():
    labels = np.repeat(np.repeat(np.array([[1, 7], [3, 9]], np.uint8), 8, 0), 8, 1)
    assert pictures.nearest(labels, (2, 4)).tolist() == [[1, 1, 7, 7], [3, 3, 9, 9]]


def test_window_looks_at_the_person_only_when_small():
    whole = (slice(0, 100), slice(0, 200))
    assert pictures.window(np.array([10, 5]), np.array([190, 95]), (100, 200, 3)) == whole
    assert pictures.window(np.full(2, np.nan), np.full(2, np.nan), (100, 200, 3)) == whole
    rows, columns = pictures.window(np.array([50, 20]), np.array([90, 80]), (100, 200, 3))
    assert columns.start <= 46 and columns.stop >= 94 and columns.stop - columns.start < 70
    assert rows.start < 20 and rows.stop > 80


def test_depth_colours():
    depth = np.array([[1.0, 2.0, np.inf, 0.0]])
    colours = pictures.colour_depth(depth)
    assert colours[0, 2].tolist() == [255] * 3 == colours[0, 3].tolist()
    assert colours[0, 0].sum() > colours[0, 1].sum(), "near is brighter"
    assert (pictures.colour_depth(np.full((2, 2), np.inf)) == 255).all()


def test_mesh_is_drawn_where_the_camera_sees_it_and_lit_from_above():
    camera, mesh = default_camera(96, 64, focal=60), cube()
    frame = np.full((64, 96, 3), 40, np.uint8)
    drawn = shading.draw_mesh(frame, mesh, camera, opacity=1.0)
    lo, hi = project(mesh.vertices, camera).min(0), project(mesh.vertices, camera).max(0)
    changed = np.argwhere((drawn != frame).any(-1))
    assert (
        np.abs(changed.min(0)[::-1] - lo).max() <= 1.5 and np.abs(changed.max(0)[::-1] + 1 - hi).max() <= 1.5
    )
    half = shading.draw_mesh(frame, mesh, camera, opacity=0.5)
    middle = (32, 48)
    assert np.abs(half[middle] - (drawn[middle].astype(float) + 40) / 2).max() <= 1
    small = shading.draw_mesh(frame[::2, ::2], mesh, camera)
    assert small.shape == (32, 48, 3) and (small[16, 24] != 40).any(), "the camera follows the image's size"
    normals = np.array([[0, -1, -0.5], [0, 1, -0.5]]) / np.hypot(1, 0.5)
    up, down = shading._light(normals)
    assert up > down


def test_colours_and_texture_are_used():
    camera, plain = default_camera(64, 64, focal=60), cube()
    red = Mesh(plain.vertices, plain.faces, colors=np.tile(np.uint8([255, 0, 0]), (8, 1)))
    pixel = shading.shade(red, camera)[32, 32]
    assert pixel[0] > 100 and pixel[1] < 30 and pixel[3] == 1
    texture = np.zeros((8, 8, 3), np.uint8)
    texture[:4, :, 1] = 255  # upper half of the picture = v above 0.5
    uv = np.array([[0.5, 0.9], [0.5, 0.1]])
    for v, green in ((0, True), (1, False)):
        mesh = Mesh(
            plain.vertices, plain.faces, uv=uv, uv_faces=np.full_like(plain.faces, v), texture=texture
        )
        assert (shading.shade(mesh, camera)[32, 32, 1] > 60) == green


def test_views_see_the_whole_mesh():
    for image in shading.views(cube(), height=80):
        inked = np.argwhere((image < 250).any(-1))
        assert image.shape[0] == 80
        assert inked.min() > 0 and (inked.max(0) < np.array(image.shape[:2]) - 1).all(), "nothing is cut off"


def test_bones_are_found_by_name():
    assert len(skeletons.bones(SMPL_JOINT_NAMES)) == 23
    names = ("pelvis", "left_hip", "left_knee", "tail")
    assert skeletons.bones(names) == [(0, 1), (1, 2)]
    assert skeletons.sides(("left_hip", "right_hip", "neck")).tolist() == [-1, 1, 0]


def test_draw_joints():
    rng = np.random.default_rng(0)
    joints = Joints3D(rng.normal(size=(3, 24, 3)), np.array([True, True, False]))
    image = skeletons.draw_joints(joints, 0)
    assert image.shape[0] == 420 and (image != 255).any()
    assert (skeletons.draw_joints(joints, 2)[6:20, 6:90, 0] > 150).all(), "an unobserved frame says so in red"


def test_joints_that_are_never_measured_have_no_row(monkeypatch):
    points = np.ones((5, 25, 3))
    points[:, [20, 23], 2] = 0  # BlazePose has no small toes
    points[:4, 7, 2] = 0
    monkeypatch.setattr(plots, "_pixels", lambda figure: figure)
    for some, count in ((points, 23), (np.zeros_like(points), 25)):
        keypoints = Keypoints(some, np.zeros((5, 25), bool), np.ones(5, bool), np.zeros((5, 4)))
        axes = plots.plot_confidence(keypoints).axes[0]
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert len(names) == axes.images[0].get_array().shape[0] == count
        assert ("left small toe" in axes.get_xlabel()) == ("left small toe" not in names)


def test_plots_have_the_size_asked_for():
    keypoints = Keypoints(np.ones((5, 25, 3)), np.zeros((5, 25), bool), np.ones(5, bool), np.zeros((5, 4)))
    assert plots.plot_confidence(keypoints, width=600, height=200).shape == (200, 600, 3)
    assert plots.plot_series({"iou": np.arange(4.0), "a_px": np.arange(4.0)}, width=500).shape == (
        350,
        500,
        3,
    )


def test_a_body_from_four_sides_shows_its_depth_from_the_side():
    model = load_body_model()
    body = rotating_motion(3, fps=30.0, seed=2, camera=subject_camera(64))
    front = replace(body, global_orient=np.zeros((3, 3)), body_pose=np.zeros((3, 69)))
    sheet = body_from_sides(front, model, height=120)
    ink = np.flatnonzero(np.diff(np.r_[0, (sheet < 250).any((0, 2)), 0].astype(int)))
    widths = ink[1::2] - ink[::2]
    assert sheet.shape[0] == 120 and sheet.dtype == np.uint8 and len(widths) == 4
    assert widths[0] > 3 * widths[1] and widths[2] > 3 * widths[3], (
        "T-pose: wide from the front, narrow from aside"
    )
