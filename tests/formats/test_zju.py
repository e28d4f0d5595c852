"""ZJU-MoCap roots: a clip goes out and comes back; other names, worlds, models and damage."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.formats.datasets.zju_export import label_everywhere, write_zju
from hvr_nb.formats.datasets.zju_mocap import read_zju
from hvr_nb.geometry.camera import project
from hvr_nb.masks.labels import from_atr
from hvr_nb.render.cameras import turntable, vertical_axis
from hvr_nb.store.clip import Clip
from hvr_nb.store.safe_pickle import read_values
from hvr_nb.store.video import read_video
from hvr_nb.subject import load_truth, write_synthetic
from hvr_nb.types import HvrError, Masks


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of four frames of 96 x 96 with true camera, masks, labels and body."""
    root = tmp_path_factory.mktemp("zju")
    folder = write_synthetic(root / "synthetic", frames=4, size=96, hidden_views=0, seed=3)
    movie, truth = read_video(folder / "video.mp4"), load_truth(folder)
    made = Clip.create(
        root / "clip",
        movie.frames,
        fps=30,
        names=[f"{k:06d}" for k in (0, 3, 6, 9)],
        times=movie.times,
        source={"file": "synthetic"},
    )
    made.save("camera", truth.camera)
    made.save("masks", Masks(truth.alpha, labels=truth.labels, label_set="ATR", source="truth"))
    made.save("body", truth.body)
    return made


@pytest.fixture(scope="module")
def written(clip, tmp_path_factory):
    return write_zju(clip, tmp_path_factory.mktemp("written") / "root", grids=False)


@pytest.fixture
def root(written, tmp_path):
    """A copy of what was written, to be changed."""
    return shutil.copytree(written, tmp_path / "root")


def content(path: Path) -> dict:
    return np.load(path, allow_pickle=True).item()  # the tests' own file of a moment ago


def rewrite(path: Path, change) -> None:
    value = content(path)
    change(value)
    np.save(path, value, allow_pickle=True)


def test_a_clip_comes_back(clip, root, tmp_path):
    again = read_zju(root, tmp_path / "again")
    assert again.frame_names == clip.frame_names and np.array_equal(again.frames, clip.frames)
    camera = again.camera
    for name in ("K", "R", "t", "dist"):
        np.testing.assert_allclose(getattr(camera, name), getattr(clip.camera, name), atol=1e-9)
    assert (camera.width, camera.height, camera.source) == (96, 96, "given")
    person = clip.masks.alpha >= 128
    assert np.array_equal(again.masks.alpha, np.where(person, 255, 0))
    known = person & (clip.masks.labels > 0)
    assert again.masks.label_set == "CIHP"
    assert np.array_equal(again.masks.labels[known], from_atr(clip.masks.labels)[known])
    assert np.array_equal(again.masks.labels > 0, person)
    model = load_body_model()
    there, here = posed(model, clip.body)[0], posed(model, again.body)[0]
    assert np.abs(there - here).max() < 1e-5, "metres"
    assert again.body.valid.all() and again.body.camera.K[0, 0] == camera.K[0, 0]
    assert again.info["source"]["body_in_mask"] > 0.9


def test_the_layout_is_the_original_one(clip, root):
    """Names, shapes, units and the rotation about the origin, as docs/formats.md, 6, states them."""
    annots = content(root / "annots.npy")
    cams = {key: np.array(annots["cams"][key][0]) for key in "KRTD"}
    assert [cams[key].shape for key in "KRTD"] == [(3, 3), (3, 3), (3, 1), (1, 5)]
    assert annots["ims"][2]["ims"] == ["images/00/000006.png"] and len(annots["ims"]) == 4
    np.testing.assert_allclose(cams["K"][:2, 2], clip.camera.K[:2, 2] - 0.5)
    row, vertices = content(root / "smpl_params" / "6.npy"), np.load(root / "smpl_vertices" / "6.npy")
    assert [row[k].shape for k in ("Rh", "Th", "poses", "shapes")] == [(1, 3), (1, 3), (1, 72), (1, 10)]
    assert vertices.shape == (6890, 3) and vertices.dtype == np.float32 and not row["poses"][0, :3].any()
    model = load_body_model()
    resting = replace(clip.body.frame(2), global_orient=np.zeros((1, 3)), transl=np.zeros((1, 3)))
    turned = Rotation.from_rotvec(row["Rh"][0]).apply(posed(model, resting)[0][0]) + row["Th"][0]
    np.testing.assert_allclose(vertices, turned, atol=2e-6)
    pixels = (cams["K"] @ (cams["R"] @ vertices.T + cams["T"] / 1000)).T
    np.testing.assert_allclose(pixels[:, :2] / pixels[:, 2:], project(vertices, clip.camera) - 0.5, atol=1e-3)
    joints, big = np.load(root / "smpl_lbs/joints.npy"), np.load(root / "smpl_lbs/bigpose_vertices.npy")
    assert joints.shape == (24, 3) and big.shape == (6890, 3)
    assert np.ptp(big[:, 0]) > 0.9 and big[:, 1].min() > joints[7, 1] - 0.1, (
        "the feet of the big pose are higher"
    )
    assert np.load(root / "smpl-meta/weights.npy").shape == (6890, 24)
    mask = Image.open(root / "schp/00/000006.png")
    assert mask.mode == "P" and mask.getpalette()[15:18] == [128, 0, 128]


def test_grids_hold_distances_and_weights_in_boxes_around_the_body(clip, tmp_path):
    """Distances and weights at known places, boxes 5 cm wider than the body, 2.5 cm apart."""
    root, model = write_zju(clip, tmp_path / "root"), load_body_model()
    row, vertices = content(root / "smpl_params/3.npy"), np.load(root / "smpl_vertices/3.npy").astype(float)
    pose_space = (vertices - row["Th"]) @ Rotation.from_rotvec(row["Rh"][0]).as_matrix()
    big = np.load(root / "smpl_lbs/bigpose_vertices.npy")
    for grid, body in (
        (np.load(root / "smpl_lbs/bweights/3.npy"), pose_space),
        (np.load(root / "smpl_lbs/bigpose_bw.npy"), big),
    ):
        size = np.ptp(body, axis=0) + 0.1
        assert grid.dtype == np.float32 and grid.shape[3] == 25
        assert ((np.array(grid.shape[:3]) - 1) * 0.025 >= size - 1e-6).all()
        assert ((np.array(grid.shape[:3]) - 3) * 0.025 < size).all()
        np.testing.assert_allclose(grid[..., :24].sum(-1), 1, atol=1e-4)
        corner = np.linalg.norm(body - (body.min(0) - 0.05), axis=1)
        assert abs(grid[0, 0, 0, 24] - corner.min()) < 0.01
        node = np.rint((body[2445] - body.min(0) + 0.05) / 0.025).astype(int)  # a finger of the left hand
        nearest = grid[tuple(node)]
        assert nearest[24] < 0.023 and nearest[[20, 22]].sum() > 0.9
    uv = np.load(root / "bigpose_uv.npy")
    assert uv.shape[:3] == np.load(root / "smpl_lbs/bigpose_bw.npy").shape[:3] and uv.shape[3] == 2
    corner = model.uv_faces[(model.faces == 2445).any(1)].ravel()
    node = np.rint((big[2445] - big.min(0) + 0.05) / 0.025).astype(int)
    assert np.abs(uv[tuple(node)] - model.uv[corner]).max(1).min() < 0.05


def test_the_older_names_and_masks_of_one_channel(clip, root, tmp_path):
    for old, new in (("smpl_params", "new_params"), ("smpl_vertices", "new_vertices"), ("smpl_lbs", "lbs")):
        (root / old).rename(root / new)
    shutil.rmtree(root / "schp")
    (root / "images" / "00").rename(root / "Camera_B1")
    rewrite(
        root / "annots.npy",
        lambda a: a.update(
            ims=[{"ims": np.array([row["ims"][0].replace("images/00", "Camera_B1")])} for row in a["ims"]]
        ),
    )
    person = clip.masks.alpha >= 128
    (root / "mask_cihp" / "Camera_B1").mkdir(parents=True)
    for name, mask in zip(clip.frame_names, person, strict=True):
        Image.fromarray(mask.astype(np.uint8)).save(root / "mask_cihp" / "Camera_B1" / f"{name}.png")
    again = read_zju(root, tmp_path / "again", start=1, stride=2, fps=10)
    assert again.frame_names == ["000003", "000009"] and again.fps == 10
    assert np.array_equal(again.masks.alpha, np.where(person[1::2], 255, 0)) and again.masks.labels is None
    np.testing.assert_allclose(again.body.transl, clip.body.transl[1::2], atol=1e-6)


@pytest.mark.parametrize("angle", [("x", 90), ("x", -90), ("x", 180), ("z", 90)])
def test_other_worlds_are_turned_upright(clip, root, tmp_path, angle):
    """A root with z up, z down, y down (monocular) or x up: the same pictures, a turntable that works."""
    turn = Rotation.from_euler(*angle, degrees=True)
    rewrite(root / "annots.npy", lambda a: a["cams"].update(R=[a["cams"]["R"][0] @ turn.as_matrix().T]))
    for k in (0, 3, 6, 9):
        rewrite(
            root / "smpl_params" / f"{k}.npy",
            lambda row: row.update(
                Rh=(turn * Rotation.from_rotvec(row["Rh"])).as_rotvec(), Th=turn.apply(row["Th"])
            ),
        )
        np.save(root / "smpl_vertices" / f"{k}.npy", turn.apply(np.load(root / "smpl_vertices" / f"{k}.npy")))
    again, model = read_zju(root, tmp_path / "again"), load_body_model()
    vertices, joints = posed(model, again.body)
    np.testing.assert_allclose(vertices, posed(model, clip.body)[0], atol=1e-5)
    np.testing.assert_allclose(again.camera.R, clip.camera.R, atol=1e-9)
    kept = read_zju(root, tmp_path / "kept", upright=False)
    pixels = project(posed(model, kept.body)[0], kept.camera)
    np.testing.assert_allclose(pixels, project(vertices, again.camera), atol=1e-2)
    np.testing.assert_allclose(kept.camera.R, clip.camera.R @ turn.as_matrix().T, atol=1e-9)
    assert vertical_axis(joints)[1] > 0.95
    for camera in turntable(again.camera, joints, views=4):
        shown = project(joints[0], camera)
        assert shown[15, 1] < shown[[7, 8], 1].min() - 30, "head above feet all the way round"


def test_distortion_is_taken_out_and_pictures_shrink(clip, root, tmp_path):
    rewrite(root / "annots.npy", lambda a: a["cams"].update(D=[np.array([[-0.2], [0.05], [0], [0]])]))
    again = read_zju(root, tmp_path / "again", max_side=48)
    assert again.frames.shape == (4, 48, 48, 3) and not again.camera.dist.any()
    assert again.masks.labels.shape == again.masks.alpha.shape == (4, 48, 48)
    np.testing.assert_allclose(again.camera.K[:2], clip.camera.K[:2] / 2, atol=1e-9)
    plain = np.stack([np.asarray(Image.fromarray(f).resize((48, 48), Image.BOX)) for f in clip.frames])
    assert np.abs(again.frames.astype(int) - plain).mean() > 1, "the pictures were bent"


def test_masks_of_half_the_size(root, clip, tmp_path):
    for path in (root / "schp" / "00").iterdir():
        with Image.open(path) as image:
            half = image.resize((48, 48), Image.NEAREST)
        half.save(path)
    again = read_zju(root, tmp_path / "again")
    agree = (again.masks.alpha > 0) == (clip.masks.alpha >= 128)
    assert again.masks.alpha.shape == (4, 96, 96) and agree.mean() > 0.97


def test_a_foreign_model_is_fitted_to_the_skeleton(clip, root, tmp_path):
    """Betas and vertices that mean nothing to the model: the pelvis stays, the skeleton is met."""
    model, true = load_body_model(), posed(load_body_model(), clip.body)[1]
    shift = np.array([0.0, -0.09, 0.02])  # another origin of the model
    joints = np.load(root / "smpl_lbs" / "joints.npy") + shift
    np.save(root / "smpl_lbs" / "joints.npy", joints)
    for k in (0, 3, 6, 9):
        np.save(root / "smpl_vertices" / f"{k}.npy", np.zeros((6890, 3), np.float32))
        rewrite(
            root / "smpl_params" / f"{k}.npy",
            lambda row: row.update(
                shapes=np.full((1, 10), 2.0), Th=row["Th"] - Rotation.from_rotvec(row["Rh"]).apply(shift)
            ),
        )
    with pytest.warns(UserWarning, match="fitted to the skeleton"):
        again = read_zju(root, tmp_path / "again")
    assert np.abs(posed(model, again.body)[1] - true).max() < 0.01
    shutil.rmtree(root / "smpl_lbs")
    with pytest.warns(UserWarning, match="mean shape"), pytest.warns(UserWarning, match="lies on"):
        assert not read_zju(root, tmp_path / "mean").body.betas.any()


def test_translations_are_millimetres_and_metres_are_noticed(clip, root, tmp_path):
    shift = np.array([0.0, 0.0, 3.0])
    for k in (0, 3, 6, 9):
        rewrite(root / "smpl_params" / f"{k}.npy", lambda row: row.update(Th=row["Th"] + shift))
        np.save(root / "smpl_vertices" / f"{k}.npy", np.load(root / "smpl_vertices" / f"{k}.npy") + shift)
    rewrite(root / "annots.npy", lambda a: a["cams"].update(T=[np.array([[0], [0], [3000.0]])]))
    again = read_zju(root, tmp_path / "again")
    np.testing.assert_allclose(again.camera.t, [0, 0, 3], atol=1e-9)
    assert again.info["source"]["body_in_mask"] > 0.9
    rewrite(root / "annots.npy", lambda a: a["cams"].update(T=[np.array([[0], [0], [3.0]])]))
    with pytest.warns(UserWarning, match="millimetres"):
        read_zju(root, tmp_path / "wrong")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda r: (r / "annots.npy").unlink(), "annots.npy is missing"),
        (lambda r: (r / "annots.npy").write_bytes(b"\x93NUMPY"), "annots.npy cannot be read"),
        (lambda r: rewrite(r / "annots.npy", lambda a: a.pop("cams")), "not laid out"),
        (
            lambda r: rewrite(r / "annots.npy", lambda a: a["cams"].update(R=[np.ones((3, 3))])),
            "not a rotation",
        ),
        (
            lambda r: rewrite(r / "annots.npy", lambda a: a["ims"][0].update(ims=["images/00/a b.png"])),
            "frame number",
        ),
        (lambda r: (r / "images/00/000003.png").unlink(), "000003.png is missing"),
        (lambda r: shutil.rmtree(r / "schp"), "no mask of images/00/000000.png"),
        (lambda r: shutil.rmtree(r / "smpl_params"), "new_params"),
        (lambda r: (r / "schp/00/000000.png").write_bytes(b"x"), "schp/00/000000.png is missing or damaged"),
        (lambda r: (r / "smpl_params/3.npy").unlink(), "3.npy is missing"),
        (lambda r: np.save(r / "smpl_params/3.npy", np.zeros(3)), "3.npy holds no Rh"),
        (lambda r: np.save(r / "smpl_vertices/0.npy", np.zeros(3)), "vertices/0.npy has shape"),
        (lambda r: rewrite(r / "smpl_params/3.npy", lambda p: p.update(Th=np.zeros(2))), "3.npy: Rh, Th"),
        (
            lambda r: rewrite(r / "smpl_params/3.npy", lambda p: p.update(Th=np.full(3, np.nan))),
            "3.npy: Rh, Th",
        ),
    ],
)
def test_damage_is_named(root, tmp_path, spoil, words):
    spoil(root)
    with pytest.raises(HvrError, match=words):
        read_zju(root, tmp_path / "again")
    assert not (tmp_path / "again").exists()


class Attack:
    def __init__(self, trap):
        self.trap = trap

    def __reduce__(self):
        return os.mkdir, (str(self.trap),)


def test_a_hostile_root_runs_nothing(root, tmp_path):
    trap = tmp_path / "trap"
    np.save(root / "annots.npy", {"cams": Attack(trap), "ims": []}, allow_pickle=True)
    with pytest.raises(HvrError, match="mkdir"):
        read_zju(root, tmp_path / "again")
    assert not trap.exists()


def test_values_come_out_of_object_arrays(tmp_path, monkeypatch):
    value = {
        "a": [1, (2.5, "x")],
        "b": np.arange(6.0).reshape(2, 3),
        "c": np.array(["p", "q"]),
        "d": np.array([{"e": np.float32(2)}, None], object),
    }
    np.save(tmp_path / "v.npy", value, allow_pickle=True)
    got = read_values(tmp_path / "v.npy")
    assert got["a"] == [1, [2.5, "x"]] and got["d"] == [{"e": 2.0}, None] and got["c"].tolist() == ["p", "q"]
    np.testing.assert_array_equal(got["b"], value["b"])
    monkeypatch.setattr("hvr_nb.store.safe_pickle.MAX_ITEMS", 10_000)
    bomb = ["x"]
    for _ in range(28):
        bomb = [bomb, bomb]
    np.save(tmp_path / "bomb.npy", {"a": bomb}, allow_pickle=True)
    with pytest.raises(HvrError, match="too many"):
        read_values(tmp_path / "bomb.npy")


def test_export_refuses_what_would_be_lost_or_is_missing(clip, root, tmp_path):
    with pytest.raises(HvrError, match="not empty"):
        write_zju(clip, root)
    bare = Clip.create(
        tmp_path / "bare", clip.frames, fps=1, names=clip.frame_names, times=clip.times, source={}
    )
    with pytest.raises(HvrError, match="02_masks"):
        write_zju(bare, tmp_path / "out")
    with pytest.raises(HvrError, match="cameras 0 to 0"):
        read_zju(root, tmp_path / "none", camera=1)
    with pytest.raises(HvrError, match="choose other frames"):
        read_zju(root, tmp_path / "none", start=7)


def test_every_person_pixel_gets_a_label():
    labels = np.zeros((6, 6), np.uint8)
    labels[0, 0], labels[5, 5], labels[0, 5] = 13, 9, 3
    person = np.ones((6, 6), bool)
    person[0, 5] = False
    full = label_everywhere(labels, person)
    assert full[0, 5] == 0 and (full[person] > 0).all() and full[1, 1] == 13 and full[4, 4] == 9
    assert 3 not in full, "labels outside the person are not spread"
    assert np.array_equal(label_everywhere(np.zeros_like(labels), person), np.where(person, 5, 0))
