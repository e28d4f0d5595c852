"""REC-MV data folders: written, read again, and what is wrong in them named."""

import json
import shutil

import numpy as np
import pytest

from hvr_nb.body.model import OPEN_BODY, load_body_model
from hvr_nb.cli.main import main
from hvr_nb.formats.datasets import read_recmv, write_recmv
from hvr_nb.formats.datasets.recmv_export import filled_labels, write_cube_weights
from hvr_nb.formats.datasets.recmv_folder import check_recmv
from hvr_nb.formats.datasets.recmv_lines import (
    CLICKED,
    DENSE,
    FAR,
    along_contours,
    cloth_contours,
    dense_lines,
    guessed_garments,
    read_lines,
    write_lines,
)
from hvr_nb.store.clip import Clip
from hvr_nb.subject import make_subject, render_subject, rotating_motion, subject_camera
from hvr_nb.types import HvrError, Masks

T, SIDE = 4, 96


@pytest.fixture(scope="module")
def take():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hvr_nb.subject.person.TILE", 64)
        camera = subject_camera(SIDE, seed=2)
        subject = make_subject("trousers", seed=2)
        return render_subject(subject, rotating_motion(T, camera=camera, betas=subject.betas, seed=2))


@pytest.fixture(scope="module")
def clip(take, tmp_path_factory):
    made = Clip.create(
        tmp_path_factory.mktemp("clip") / "clip",
        take.frames,
        fps=25,
        names=[f"{k:06d}" for k in range(T)],
        times=np.arange(T) / 25,
        source={},
    )
    made.save("camera", take.camera)
    made.save("masks", Masks(np.where(take.alpha > 127, 255, 0).astype(np.uint8), take.labels, "ATR"))
    from dataclasses import replace

    made.save("body", replace(take.body, model_hash=load_body_model(OPEN_BODY).hash))
    return made


def waist(labels):
    """Ends (2, 2) of the line where a shirt borders on trousers, in pixels."""
    below = np.isin(np.roll(labels, -1, 0), [6]) & (labels == 4)
    row, col = np.nonzero(below)
    left, right = col.argmin(), col.argmax()
    return np.array([[col[left], row[left]], [col[right], row[right]]]) + 0.5


@pytest.fixture
def folder(clip, tmp_path):
    lines = {k: {"upper_bottom": waist(clip.masks.labels[k])} for k in (0, 2)}
    write_recmv(clip, tmp_path / "data", lines=lines)
    shutil.rmtree(tmp_path / "data" / DENSE)
    return tmp_path / "data"


def test_a_folder_comes_back_as_a_clip_with_its_lines(clip, folder, tmp_path):
    assert json.loads((folder / "garments.json").read_text())["garments"] == [
        "long_sleeve_upper",
        "long_pants",
    ]
    again = read_recmv(folder, tmp_path / "again", stride=2)
    np.testing.assert_array_equal(again.masks.labels, clip.masks.labels[::2])
    lines = read_lines(again.folder, DENSE, frames=len(again), size=(SIDE, SIDE))
    assert list(lines) == [0, 1]  # frames 0 and 2 of the folder
    for k, n in enumerate((0, 2)):
        line, (a, b) = lines[k]["upper_bottom"], waist(clip.masks.labels[n])
        np.testing.assert_allclose(line[[0, -1]], [a, b])
        assert len(line) > 5 and np.abs(np.diff(line[1:-1], axis=0)).max() <= 1
        # along the waist, not round the shoulders: every point is beside a pixel of trousers
        x, y = np.clip(line[1:-1].astype(int), 3, SIDE - 4).T
        near = [
            np.isin(6, clip.masks.labels[n][v - 3 : v + 4, u - 3 : u + 4]) for u, v in zip(x, y, strict=True)
        ]
        assert np.mean(near) > 0.9


def test_lines_shrink_with_the_pictures(folder, tmp_path):
    small = read_recmv(folder, tmp_path / "small", max_side=SIDE // 2)
    large = check_recmv(folder)[0][CLICKED]
    lines = read_lines(small.folder, CLICKED, frames=T, size=(SIDE // 2, SIDE // 2))
    np.testing.assert_allclose(lines[0]["upper_bottom"], large[0]["upper_bottom"] / 2)


def test_pairs_are_followed_along_the_shorter_arc():
    cloth = np.zeros((80, 80), bool)
    cloth[10:60, 20:70] = True
    contours = cloth_contours(cloth)
    for ends in ([[25.5, 12.0], [65.5, 12.0]], [[65.5, 12.0], [25.5, 12.0]]):  # either order
        line = along_contours(np.array(ends), contours)
        assert np.array_equal(line[[0, -1]], ends) and np.allclose(line[1:-1, 1], 10.5) and len(line) > 35
        assert (np.diff(line[1:-1, 0]) * (ends[1][0] - ends[0][0]) > 0).all()
    corner = along_contours(np.array([[20.0, 15.0], [25.0, 10.0]]), contours)
    assert len(corner) < 15  # round one corner, not round the other three


def test_far_clicks_and_joined_pairs_stay_straight():
    cloth = np.zeros((120, 120), bool)
    cloth[40:80, 40:80] = True
    contours = cloth_contours(cloth)
    for off, count in ((FAR - 1, 43), (FAR + 1, 2)):
        ends = np.array([[40.5, 40.5 - off], [79.5, 40.5 - off]])
        assert abs(len(along_contours(ends, contours)) - count) <= 2
    pairs = np.array([[40.5, 40.5], [60.5, 40.5], [65.5, 40.5], [79.5, 40.5]])
    line = along_contours(pairs, contours)
    assert len(line) < 27 and np.array_equal(line[-2:], pairs[2:])  # the second pair is straight
    assert np.array_equal(along_contours(pairs[:2], []), pairs[:2])


def test_of_two_contours_the_larger_is_taken():
    cloth = np.zeros((100, 100), bool)
    cloth[10:40, 10:90] = True
    cloth[48:58, 70:90] = True
    line = along_contours(np.array([[15.0, 42.0], [80.0, 45.5]]), cloth_contours(cloth))
    assert np.allclose(line[1:-1, 1], 39.5)


def test_who_owns_a_line(clip):
    labels = np.zeros((64, 64), np.uint8)
    labels[5:30, 10:50], labels[30:60, 10:50] = 4, 5
    ends = np.array([[10.5, 29.5], [49.5, 29.5]])
    line = dense_lines({"upper_bottom": ends}, labels, ["skirt", "long_sleeve_upper"])["upper_bottom"]
    assert np.allclose(line[1:-1, 1], 29.5)  # of the upper garment, not of the skirt below it
    with pytest.raises(HvrError, match="left_pant"):
        dense_lines({"left_pant": ends}, labels, ["skirt"])
    lines = {0: {"upper_bottom": ends}}
    assert guessed_garments(lines, labels[None]) == ["long_sleeve_upper", "skirt"]
    dress = np.where(labels == 4, 7, 0).astype(np.uint8)
    assert guessed_garments({0: {"bottom_curve": ends}}, dress[None]) == ["tube"]
    assert guessed_garments({0: {"left_cuff": ends}}, dress[None]) == ["dress"]


def change_lines(folder, change):
    path = folder / CLICKED / "000000.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def shape_of(value):
    return value["shapes"][0]


WRONG = {
    "odd": (
        lambda f: change_lines(f, lambda v: shape_of(v)["points"].append([1, 2])),
        "000000.json.*3 points",
    ),
    "twice": (lambda f: change_lines(f, lambda v: v["shapes"].append(shape_of(v))), "two lines upper_bottom"),
    "unknown": (lambda f: change_lines(f, lambda v: shape_of(v).update(label="waist")), "'waist'"),
    "outside": (
        lambda f: change_lines(f, lambda v: shape_of(v).update(points=[[1, 2], [900, 3]])),
        "outside",
    ),
    "numbers": (lambda f: change_lines(f, lambda v: shape_of(v).update(points=["a", "b"])), "no pairs"),
    "nan": (lambda f: change_lines(f, lambda v: shape_of(v).update(points=[[1, None], [2, 3]])), "usable"),
    "size": (lambda f: change_lines(f, lambda v: v.update(imageWidth=640)), "640x96"),
    "shapes": (lambda f: change_lines(f, lambda v: v.pop("shapes")), "no list of shapes"),
    "json": (lambda f: (f / CLICKED / "000000.json").write_text("{"), "damaged"),
    "no picture": (lambda f: (f / CLICKED / "000000.json").rename(f / CLICKED / "000077.json"), "no picture"),
    "no labels": (lambda f: shutil.rmtree(f / "parsing_SCH_ATR"), "parsing_SCH_ATR is missing"),
    "one label map": (lambda f: (f / "parsing_SCH_ATR/000002.npy").unlink(), "000002.npy is missing"),
    "other map": (lambda f: np.save(f / "parsing_SCH_ATR/000002.npy", np.zeros((9, 9), int)), "9x9"),
    "filled map": (
        lambda f: np.save(f / "parsing_SCH_ATR/mask_parsing_000001.npy", np.zeros((9, 9), int)),
        "9x9",
    ),
    "weights": (lambda f: np.save(f / "diffused_skinning_weights.npy", np.zeros((3, 2))), r"\(3, 2\)"),
    "garment": (lambda f: (f / "garments.json").write_text('{"garments": ["toga"]}'), "toga"),
    "same garment": (lambda f: (f / "garments.json").write_text('{"garments": ["skirt", "skirt"]}'), "twice"),
    "no image": (lambda f: (f / "imgs/000001.png").unlink(), "000001"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_named(folder, fault):
    make, match = WRONG[fault]
    make(folder)
    with pytest.raises(HvrError, match=match):
        check_recmv(folder)


def test_lines_survive_the_file(tmp_path):
    lines = {3: {"neck": np.array([[1.5, 2.5], [3.25, 4.0], [9.0, 8.0]])}}
    write_lines(tmp_path, DENSE, lines, size=(20, 10))
    value = json.loads((tmp_path / DENSE / "000003.json").read_text())
    assert value["version"] == "5.0.1" and value["shapes"][0]["points"][0] == [
        1.0,
        2.0,
    ]  # centres at integers
    again = read_lines(tmp_path, DENSE, frames=4, size=(20, 10))
    assert np.array_equal(again[3]["neck"], lines[3]["neck"])


def test_labels_fill_the_mask():
    labels = np.zeros((4, 6), np.uint8)
    labels[1, 1], labels[1, 4] = 4, 6
    person = np.ones((4, 6), bool)
    person[3] = False
    filled = filled_labels(labels, person)
    assert (filled[:3, :3] == 4).all() and (filled[:3, 3:] == 6).all() and not filled[3].any()
    assert not filled_labels(np.zeros((4, 6), np.uint8), person).any()


def test_weights_of_the_cube(tmp_path):
    model = load_body_model(OPEN_BODY)
    write_cube_weights(tmp_path / "w.npy", model, np.zeros(10), cube=24)
    field = np.load(tmp_path / "w.npy")
    assert field.shape == (24, 24, 24, 24) and field.dtype == np.float32
    np.testing.assert_allclose(field.sum(0), 1, atol=1e-5)
    thighs = field[:, 12, 6:9]  # joint, y, x: before the body's middle, below the hips
    left, right = thighs[[1, 4], :, 13:], thighs[[2, 5], :, :11]  # left at positive x
    assert left.sum(0).max() > 0.7 and np.allclose(left, right[..., ::-1], atol=0.05)
    assert field[[0, 3, 6, 9], 12, 14, 12].sum() > 0.8  # and the trunk in the middle


def test_the_command_line_reads_and_writes(folder, clip, tmp_path, capsys):
    assert main(["import", "recmv", str(folder), str(tmp_path / "cli")]) == 0
    assert main(["export", "recmv", str(clip.folder), str(tmp_path / "out"), "--garments", "dress"]) == 0
    assert json.loads((tmp_path / "out/garments.json").read_text())["feature_lines"][-1] == "bottom_curve"
    assert main(["export", "recmv", str(clip.folder), str(tmp_path / "no"), "--garments", "toga"]) != 0
    assert "toga" in capsys.readouterr().err
