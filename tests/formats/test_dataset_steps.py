"""Steps of the readers of data sets: rows, normals, lines, labels and cameras at their limits."""

import json
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hvr_nb.formats.datasets import (
    pamir_folder,
    pamir_pictures,
    people_snapshot,
    recmv_lines,
    selfrecon_camera,
    selfrecon_folder,
    zju_export,
    zju_mocap,
)
from hvr_nb.geometry.camera import default_camera, project
from hvr_nb.types import HvrError


def test_the_last_row_of_a_dataset(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["x"] = np.arange(4)
    assert people_snapshot._dataset(tmp_path / "a.hdf5", "x", np.array([1, 3])).tolist() == [1, 3]
    assert people_snapshot._dataset(tmp_path / "a.hdf5", "x", None).tolist() == [0, 1, 2, 3]
    with pytest.raises(HvrError, match="has 4 rows of x, but frame 4 of the video is asked"):
        people_snapshot._dataset(tmp_path / "a.hdf5", "x", np.array([1, 4]))


def test_normal_maps_at_their_limits():
    """Vectors of about unit length that do not point away."""
    n = np.array(
        [
            [0.8, 0, 0],
            [0.81, 0, 0],
            [1.19, 0, 0],
            [0, 1.21, 0],
            [0.95, 0.2, -0.29],
            [0.95, 0.1, -0.31],
            [0, 0.6, 0.8],
        ]
    )
    found = selfrecon_camera.normals_from_picture(np.float32(n[None] + 1) * 127.5)[0]
    assert found.any(1).tolist() == [False, True, True, False, True, False, True]
    np.testing.assert_allclose(found[6], [0, -0.6, -0.8], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found[[1, 2, 4]], axis=1), 1, atol=1e-6)
    picture = selfrecon_camera.picture_from_normals(
        np.array([[[0, -0.6, -0.8], [0, 0, 0], [0.3, 0.4, 0.1], [0.5, 0, -0.02]]])
    )
    assert picture[0].tolist() == [[128, 204, 230], [0, 0, 0], [166, 77, 115], [191, 128, 130]]


def test_a_new_film_in_the_frames_is_said_to_the_caller(tmp_path):
    def reader(ends, picked):
        selfrecon_folder._warn_of_cuts(tmp_path, {"vid_seg_indices": ends}, np.array(picked))

    def user(ends, picked):
        reader(ends, picked)

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for ends, picked in (([3, 9], [3, 4]), ([5, 9], [3, 4]), ([9], [0, 9]), ([], [0, 1])):
            user(ends, picked)
        assert not said
        user([4, 9], [3, 4])
    assert "a new film begins at frame 4" in str(said[0].message)
    assert (said[0].filename, said[0].lineno) == (__file__, user.__code__.co_firstlineno + 1)
    assert selfrecon_folder._warn_of_cuts(tmp_path, {}, np.array([0, 1])) is None


def test_lines_on_a_picture_and_beside_it(tmp_path):
    def read_points(points, paired=False, size=(20, 10)):
        recmv_lines.write_json(tmp_path / "0.json", {"shapes": [{"label": "neck", "points": points}]})
        return recmv_lines._lines_of(tmp_path / "0.json", paired, size)["neck"]

    np.testing.assert_allclose(read_points([[-1.5, -1.5], [20.5, 10.5]]), [[-1, -1], [21, 11]])
    for wrong in ([[-1.6, 0], [1, 1]], [[0, -1.6], [1, 1]], [[20.6, 0], [1, 1]], [[0, 10.6], [1, 1]]):
        with pytest.raises(HvrError, match="has a point outside the picture of 20x10"):
            read_points(wrong)
    some = {"1 usable points": [[1, 1]], "2 usable points": [[1, 2], [np.nan, 1]], "no pairs": [1, 2, 3]}
    for words, wrong in some.items():
        with pytest.raises(HvrError, match=words):
            read_points(wrong)
    assert len(read_points([[1, 1]] * 3)) == 3
    with pytest.raises(HvrError, match="3 points, an odd number"):
        read_points([[1, 1]] * 3, paired=True)
    assert len(read_points([[1, 1]] * 4, paired=True)) == 4


@pytest.mark.parametrize(
    "drawn, counts, garments",
    [
        ((), {7: 5, 4: 4}, ["tube"]),
        (("left_cuff",), {7: 5, 4: 4}, ["dress"]),
        (("right_cuff",), {7: 5}, ["dress"]),
        ((), {7: 5, 4: 5}, ["long_sleeve_upper"]),
        (("neck",), {}, ["long_sleeve_upper"]),
        (("neck", "bottom_curve"), {}, ["no_sleeve_upper"]),
        (("neck", "bottom_curve"), {5: 1}, ["long_sleeve_upper", "skirt"]),
        (("left_pant",), {5: 9}, ["long_pants"]),
        ((), {6: 2, 5: 1}, ["long_pants"]),
        ((), {6: 2, 5: 2}, ["skirt"]),
        ((), {}, []),
    ],
)
def test_garments_that_lines_and_labels_speak_of(drawn, counts, garments):
    labels = np.concatenate([np.zeros(1, np.uint8), *(np.full(n, k, np.uint8) for k, n in counts.items())])
    assert recmv_lines.guessed_garments({0: dict.fromkeys(drawn)}, labels) == garments


def test_ways_along_a_contour_between_clicks():
    square = [(x, 0) for x in range(40)] + [(40, y) for y in range(40)]
    square += [(x, 40) for x in range(40, 0, -1)] + [(0, y) for y in range(40, 0, -1)]
    contour = np.array(square, float)
    way = recmv_lines._shorter_way(np.array([2.0, 1]), np.array([8.0, -1]), [contour])
    assert way.tolist() == [[x, 0] for x in range(2, 9)]
    back = recmv_lines._shorter_way(np.array([8.0, 1]), np.array([2.0, -1]), [contour])
    assert back.tolist() == way[::-1].tolist()
    over = recmv_lines._shorter_way(np.array([0.0, 3]), np.array([3.0, 0]), [contour])  # past the beginning
    assert over.tolist() == [[0, 3], [0, 2], [0, 1], [0, 0], [1, 0], [2, 0], [3, 0]]
    reach = 1000**0.5
    for away, found in ((reach - 0.01, True), (reach + 0.01, False)):
        assert (
            bool(len(recmv_lines._shorter_way(np.array([5.0, -away]), np.array([9.0, 0]), [contour])))
            == found
        )
    assert not len(recmv_lines._shorter_way(np.array([5.0, 0]), np.array([9.0, 0]), []))
    ends = np.array([[2.0, 0], [6, 0], [6, 10], [6, 0]])  # ten pixels from the end before: joined straight
    assert len(recmv_lines.along_contours(ends, [contour])) == 5 + 2 + 2
    ends[2, 1] = 10.1
    assert len(recmv_lines.along_contours(ends, [contour])) > 9


def test_thin_parts_of_cloth_have_no_contour():
    cloth = np.zeros((60, 60), bool)
    cloth[10:40, 10:30] = True
    cloth[20, 30:50] = cloth[50:55, 50:55] = True
    (contour,) = recmv_lines.cloth_contours(cloth)
    assert contour.min(0).tolist() == [10.5, 10.5] and contour.max(0).tolist() == [29.5, 39.5]
    cloth[45:54, 5:14] = True  # nine pixels survive, eight do not
    assert len(recmv_lines.cloth_contours(cloth)) == 2
    cloth[45:54, 13] = False
    assert len(recmv_lines.cloth_contours(cloth)) == 1


def test_masks_of_instant_nvr_have_a_label_everywhere():
    labels, inside = np.zeros((3, 5), np.uint8), np.ones((3, 5), bool)
    labels[1, 1], labels[1, 4], labels[0, 0], inside[0, 0] = 3, 7, 9, False
    found = zju_export.label_everywhere(labels, inside)
    assert found[1].tolist() == [3, 3, 3, 7, 7] and found[0, 0] == 0
    assert (zju_export.label_everywhere(labels * 0, inside) == np.where(inside, 5, 0)).all()
    assert zju_export._indices(["7", "000009"]) == [7, 9]
    assert zju_export._indices(["7", "007"]) == zju_export._indices(["7", "a"]) == [0, 1]
    camera = default_camera(64, 48)
    found = zju_export._cameras(replace(camera, t=np.array([0.1, 0.2, 3.0])))
    np.testing.assert_allclose(found["T"][0][:, 0], [100, 200, 3000])
    np.testing.assert_allclose(found["K"][0][:2, 2], camera.K[:2, 2] - 0.5)


@pytest.mark.parametrize("share, warned", [(0.71, False), (0.69, True)])
def test_bodies_beside_their_masks_are_warned_of(monkeypatch, share, warned):
    count = 1000
    vertices = np.zeros((3, count, 3))
    camera = default_camera(1000, 20)
    vertices[..., 2] = -3
    vertices[..., 0] = np.linspace(-0.5, 0.5, count)
    alpha = np.zeros((3, 20, 1000), np.uint8)
    column = np.floor(project(vertices[0], camera)[:, 0]).astype(int)
    alpha[:, :, : column[round(share * count)]] = 128
    alpha[2] = 127
    monkeypatch.setattr(zju_mocap, "posed", lambda model, body: (vertices, None))
    body = type("B", (), {"camera": camera, "frame": lambda self, some: None, "__len__": lambda self: 3})()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = zju_mocap._check_place(body, SimpleNamespace(alpha=alpha), None)
    assert found == pytest.approx(share, abs=0.004) and bool(said) == warned


def test_pamirs_camera_and_views():
    camera = pamir_pictures.cube_camera(512, 0.5)
    assert (camera.width, camera.height) == (512, 512) and camera.t[2] == pytest.approx(
        2 * pamir_pictures.UNITS_AWAY
    )
    points = np.array([[1.0, 2, 0], [0, 0, 3.0]])
    np.testing.assert_allclose(pamir_folder.turn_to_view(points, 90), [[0, 2, 1], [-3, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(pamir_folder.turn_to_view(points, 0), points)


def test_json_of_lines_is_labelmes(tmp_path):
    recmv_lines.write_lines(
        tmp_path, recmv_lines.DENSE, {15: {"neck": np.array([[1.5, 2.5], [3.5, 4.5]])}}, size=(20, 10)
    )
    value = json.loads((tmp_path / "mask2fl" / "000015.json").read_text())
    assert value["shapes"][0]["points"] == [[1, 2], [3, 4]] and value["imagePath"] == "../imgs/000015.png"
    assert (value["imageWidth"], value["imageHeight"], value["version"]) == (20, 10, "5.0.1")
    read_back = recmv_lines.read_lines(tmp_path, recmv_lines.DENSE, frames=16, size=(20, 10))
    np.testing.assert_allclose(read_back[15]["neck"], [[1.5, 2.5], [3.5, 4.5]])
    with pytest.raises(HvrError, match="belongs to no picture; .* 000000.json to 000014.json"):
        recmv_lines.read_lines(tmp_path, recmv_lines.DENSE, frames=15, size=(20, 10))
