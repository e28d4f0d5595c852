"""Values are checked when they are read from files and before they are written: kind, shape, finiteness."""

from dataclasses import replace

import numpy as np
import pytest
from small_clips import H, T, W, a_body, a_camera, make, some_keypoints, some_masks, whole

from hvr_nb.store.arrays import write_npz
from hvr_nb.store.checks import check_value
from hvr_nb.types import Camera, Canonical, HvrError, Joints3D, Normals


def with_value(value, where, number):
    array = np.array(value)
    array[where] = number
    return array


BODY, CAMERA, POINTS = a_body(), a_camera(), some_keypoints()
BROKEN = [
    (
        "camera",
        replace(CAMERA, K=with_value(CAMERA.K, (0, 0), np.inf)),
        "K holds numbers that are not finite",
    ),
    ("camera", replace(CAMERA, K=with_value(CAMERA.K, (0, 0), -5.0)), "focal lengths"),
    ("camera", replace(CAMERA, K=np.eye(4)), "K has shape"),
    ("camera", replace(CAMERA, dist=np.full(5, np.nan)), "dist holds numbers"),
    ("camera", replace(CAMERA, width=0), "picture is 0x"),
    ("camera", replace(CAMERA, width=2 * W), "picture is 64x24, the frames are 32x24"),
    ("keypoints", replace(POINTS, points=POINTS.points[:3]), "T"),
    ("keypoints", replace(POINTS, found=POINTS.found[:3]), "found has shape"),
    ("keypoints", replace(POINTS, found=POINTS.found.astype(float)), "found is of type float64, not bool"),
    ("keypoints", replace(POINTS, points=POINTS.points * np.nan), "points holds numbers"),
    ("keypoints", replace(POINTS, points=POINTS.points.astype(complex)), "points is of type complex128"),
    ("body", replace(BODY, transl=BODY.transl * np.nan), "transl holds numbers"),
    ("body", replace(BODY, betas=np.zeros(300)), "betas has shape"),
    ("body", replace(BODY, body_pose=BODY.body_pose[:, :63]), "body_pose has shape"),
    ("body", replace(BODY, camera=replace(CAMERA, K=CAMERA.K * np.nan)), "K holds numbers"),
    ("joints3d", Joints3D(np.full((T, 24, 3), np.inf), np.ones(T, bool)), "valid frames are not finite"),
    ("joints3d", Joints3D(np.zeros((T, 23, 3)), np.ones(T, bool)), "24 names for 23 joints"),
    ("normals", Normals(np.zeros((T, H, W + 1, 3), np.int8)), "vectors has shape"),
    ("normals", Normals(np.zeros((T, H, W, 3), np.int16)), "vectors is of type int16, not int8"),
]


@pytest.mark.parametrize(("artefact", "value", "message"), BROKEN, ids=[row[2] for row in BROKEN])
def test_values_that_cannot_be_are_refused_when_read_and_when_saved(tmp_path, artefact, value, message):
    clip = whole(tmp_path)
    with pytest.raises(HvrError, match=f"{artefact} of .* cannot be saved: .*{message}"):
        clip.save(artefact, value)
    write_npz(clip.path(artefact), value, {"inputs": {}})
    with pytest.raises(HvrError, match=f"{artefact}.npz is damaged .*{message}.*; (run|import)"):
        getattr(clip, artefact)


def test_what_may_be_unknown_may_be_nan(tmp_path):
    clip = make(tmp_path)
    boxes = np.where(POINTS.found[:, None], POINTS.boxes, np.nan)
    clip.save("keypoints", replace(POINTS, boxes=boxes))
    np.testing.assert_array_equal(clip.keypoints.boxes, boxes)
    points = np.where(POINTS.found[:, None, None], np.ones((T, 24, 3)), np.nan)
    clip.save("joints3d", Joints3D(points, POINTS.found))
    np.testing.assert_array_equal(clip.joints3d.points, points)


def test_masks_of_another_kind_are_not_saved(tmp_path):
    clip = make(tmp_path)
    for masks, message in (
        (replace(some_masks(), alpha=np.zeros((T, H, W), bool)), "alpha is of type bool, not uint8"),
        (replace(some_masks(), labels=np.zeros((T, W, H), np.uint8)), "labels has shape"),
    ):
        with pytest.raises(HvrError, match=message):
            clip.save("masks", masks)


def test_an_artefact_of_another_kind_is_not_saved(tmp_path):
    with pytest.raises(HvrError, match="body is a Body, not a Keypoints"):
        make(tmp_path).save("body", POINTS)


def a_canonical(**changed) -> Canonical:
    rng, v, grid = np.random.default_rng(0), 5, (2, 3, 4)
    values = {
        "rest_vertices": rng.normal(size=(v, 3)),
        "rest_joints": np.zeros((24, 3)),
        "vertices": rng.normal(size=(v, 3)),
        "A_big": np.zeros((24, 3, 4)),
        "weights": np.full((v, 24), 1 / 24),
        "faces": np.array([[0, 1, 2], [2, 3, 4]]),
        "parts": np.zeros(v, np.uint8),
        "bounds": np.array([[0.0] * 3, [1.0] * 3]),
        "origin": np.zeros(3),
        "spacing": 0.025,
        "field_weights": np.full((*grid, 24), 1 / 24),
        "field_distance": np.zeros(grid),
        "parents": np.array([-1, *range(23)]),
    }
    return Canonical(**(values | changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"faces": np.array([[0, 1, 5]])}, "faces points outside 0 to 4"),
        ({"faces": np.array([[0, 1, -1]])}, "faces points outside 0 to 4"),
        ({"parts": np.full(5, 9, np.uint8)}, "parts point at names"),
        ({"parents": np.arange(24)}, "do not form a tree"),
        ({"spacing": float("nan")}, "spacing is nan"),
        ({"spacing": 0.0}, "spacing is 0"),
        ({"field_distance": np.zeros((2, 3, 5))}, "field_distance has shape"),
    ],
)
def test_a_canonical_body_that_contradicts_itself(changed, message):
    check_value(a_canonical())
    with pytest.raises(ValueError, match=message):
        check_value(a_canonical(**changed))


def test_a_camera_of_whole_numbers_is_a_camera():
    check_value(Camera(K=np.array([[50, 0, 16], [0, 50, 12], [0, 0, 1]]), width=32, height=24))


def test_a_body_of_one_part_is_no_contradiction():
    one = a_canonical()
    check_value(replace(one, parts=np.zeros_like(one.parts), part_names=("body",)))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"parents": np.array([0, *range(23)])}, "tree"),
        ({"parents": np.array([-1, 1, *range(1, 23)])}, "tree"),  # its own parent
        ({"parents": np.array([-1, 0, -1, *range(2, 23)])}, "tree"),  # a second root
        ({"parts": np.ones(5, np.uint8), "part_names": ("body",)}, "parts point at names"),
    ],
)
def test_trees_and_parts_at_their_limits(change, message):
    with pytest.raises(ValueError, match=message):
        check_value(a_canonical(**change))
    check_value(a_canonical(parents=np.array([-1, *[0] * 23])))
    check_value(a_canonical(spacing=0.5))


@pytest.mark.parametrize("row, column", [(0, 0), (1, 1)])
def test_both_focal_lengths_are_positive(row, column):
    camera = a_camera()
    K = camera.K.copy()
    for focal, fine in ((0.5, True), (0.0, False), (-50.0, False)):
        K[row, column] = focal
        changed = replace(camera, K=K.copy())
        if fine:
            check_value(changed, {"W": W, "H": H})
        else:
            with pytest.raises(ValueError, match="focal lengths"):
                check_value(changed, {"W": W, "H": H})


def test_a_camera_of_another_size_says_by_what_to_multiply():
    with pytest.raises(ValueError, match="multiply fx, cx by 2 and fy, cy by 3"):
        check_value(a_camera(), {"W": 2 * W, "H": 3 * H})
    for size in ({"W": W, "H": H + 1}, {"W": W + 1, "H": H}):
        with pytest.raises(ValueError, match="multiply"):
            check_value(a_camera(), size)
    with pytest.raises(ValueError, match="picture is 0x24"):
        check_value(replace(a_camera(), width=0), {})
    check_value(replace(a_camera(), width=1, height=1), {})


def test_joints_have_a_name_each():
    joints = Joints3D(np.zeros((2, 3, 3)), np.ones(2, bool), ("a", "b", "c"))
    check_value(joints)
    with pytest.raises(ValueError, match="2 names for 3 joints"):
        check_value(replace(joints, names=("a", "b")))
