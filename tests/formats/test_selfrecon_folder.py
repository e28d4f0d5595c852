"""SelfRecon and REC-MV data folders, written from the synthetic subject and by hand in their convention."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import OPEN_BODY, load_body_model, posed
from hvr_nb.cli.main import main
from hvr_nb.formats.datasets.selfrecon_camera import (
    camera_from_values,
    normals_from_picture,
    picture_from_normals,
    values_from_camera,
)
from hvr_nb.formats.datasets.selfrecon_export import seen_from_camera, write_selfrecon
from hvr_nb.formats.datasets.selfrecon_folder import _layer, frame_numbers, read_selfrecon, seen_from_ours
from hvr_nb.geometry.camera import project
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image, write_image
from hvr_nb.subject import make_subject, render_subject, rotating_motion, subject_camera
from hvr_nb.types import HvrError, Masks, Normals

T, SIDE = 6, 96


@pytest.fixture(scope="module")
def take():
    camera = subject_camera(SIDE, seed=2)
    subject = make_subject("trousers", seed=2)
    return render_subject(subject, rotating_motion(T, camera=camera, betas=subject.betas, seed=2))


@pytest.fixture
def clip(take, tmp_path):
    """The synthetic person as a clip, with labels, normals and the true body."""
    made = Clip.create(
        tmp_path / "clip",
        take.frames,
        fps=25,
        names=[f"{3 * k:04d}" for k in range(T)],
        times=np.arange(T) / 25,
        source={},
    )
    made.save("camera", take.camera)
    made.save("masks", Masks(np.where(take.alpha > 127, 255, 0).astype(np.uint8), take.labels, "ATR"))
    made.save("normals", Normals(np.rint(127 * take.normals.astype(np.float32)).astype(np.int8)))
    made.save("body", replace(take.body, model_hash=load_body_model(OPEN_BODY).hash))
    return made


@pytest.fixture
def folder(clip, tmp_path):
    return write_selfrecon(clip, tmp_path / "data")


def theirs(points, values):
    """Pixels of world points (N, 3) exactly as docs/formats.md, 7, states it, in SelfRecon's conventions."""
    w, x, y, z = values["quat"] / np.linalg.norm(values["quat"])
    R = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    X = points @ R + values["T"]
    return np.stack(
        [values["cx"] - values["fx"] * X[:, 0] / X[:, 2], values["cy"] - values["fy"] * X[:, 1] / X[:, 2]], 1
    )


def test_their_projection_is_ours_half_a_pixel_on():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.5, (50, 3)) + [0, 0, 4]
    usual = {
        "fx": 700.0,
        "fy": 690.0,
        "cx": 250.0,
        "cy": 260.0,
        "quat": np.array([0, 0, 0, 1.0]),
        "T": np.zeros(3),
    }
    np.testing.assert_allclose(theirs(points, usual), points[:, :2] / points[:, 2:] * [700, 690] + [250, 260])
    turned = usual | {"quat": np.array([0.1, 0.05, -0.02, 0.98]) * 3, "T": np.array([0.2, -0.1, 0.4])}
    for values in (usual, turned):
        camera = camera_from_values(values, "camera.npz", width=512, height=512)
        np.testing.assert_allclose(project(points, camera), theirs(points, values) + 0.5, atol=1e-9)
        np.testing.assert_allclose(camera.R @ camera.R.T, np.eye(3), atol=1e-12)
        back = values_from_camera(camera)
        np.testing.assert_allclose(theirs(points, back), theirs(points, values), atol=1e-9)
    np.testing.assert_allclose(camera_from_values(usual, "", width=1, height=1).R, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(
        values_from_camera(replace(camera, R=np.eye(3)))["quat"], [0, 0, 0, 1], atol=1e-12
    )


def test_normal_maps_both_ways():
    rng = np.random.default_rng(1)
    n = rng.normal(size=(20, 30, 3))
    n[..., 2] = -np.abs(n[..., 2])  # towards us in OpenCV axes
    n /= np.linalg.norm(n, axis=-1, keepdims=True)
    n[0] = 0
    picture = picture_from_normals(n)
    assert (picture[0] == 0).all() and (picture[1:, :, 2] >= 127).all(), "blue: towards the camera"
    back = normals_from_picture(picture)
    assert (back[0] == 0).all() and np.degrees(np.arccos((back[1:] * n[1:]).sum(-1).clip(-1, 1))).max() < 0.6
    up = normals_from_picture(np.uint8([[[128, 255, 128]]]))[0, 0]
    np.testing.assert_allclose(up, [0, -1, 0], atol=0.01)  # their y is up, OpenCV's down


def test_a_clip_goes_out_and_comes_back_the_same(clip, folder, tmp_path):
    back, model = read_selfrecon(folder, tmp_path / "back", fps=25), load_body_model(OPEN_BODY)
    assert np.array_equal(back.frames, clip.frames) and back.frame_names[2] == "000002" and back.fps == 25
    assert np.array_equal(back.masks.alpha, clip.masks.alpha)
    assert np.array_equal(back.masks.labels, clip.masks.labels) and back.masks.label_set == "ATR"
    before, after = (posed(model, c.body)[0].astype(np.float64) for c in (clip, back))
    assert np.abs(before - after).max() < 2e-6, "metres"
    for a, b in zip(before, after, strict=True):
        assert np.abs(project(a, clip.body.camera) - project(b, back.body.camera)).max() < 1e-3, "pixels"
    np.testing.assert_allclose(back.body.betas, clip.body.betas)
    known = (clip.normals.vectors != 0).any(-1)
    assert ((back.normals.vectors != 0).any(-1) == known).mean() > 0.999
    apart = np.abs(back.normals.vectors.astype(int) - clip.normals.vectors)[
        known & (back.normals.vectors != 0).any(-1)
    ]
    assert np.percentile(apart, 99) <= 2
    Clip.open(tmp_path / "back").require("frames", "camera", "masks", "normals", "body")


def test_what_they_read_projects_onto_the_masks(clip, folder):
    """The written numbers in their own formulas, none of our reader's."""
    with np.load(folder / "smpl_rec.npz", allow_pickle=False) as file:
        values = dict(file)
    with np.load(folder / "camera.npz", allow_pickle=False) as file:
        camera = dict(file)
    assert (
        values["poses"].shape == (T, 24, 3)
        and values["trans"].shape == (T, 3)
        and values["shape"].shape == (10,)
    )
    np.testing.assert_allclose(camera["quat"], [0, 0, 0, 1], atol=1e-12)
    assert not camera["T"].any() and (values["trans"][:, 2] > 1).all(), "z forward"
    body = replace(clip.body, global_orient=values["poses"][:, 0], transl=values["trans"])
    vertices = posed(load_body_model(OPEN_BODY), body)[0]
    for k in range(T):
        assert vertices[k, 411, 1] < vertices[k, 3387, 1], "y down: the crown is above the heel"
        u, v = np.rint(theirs(vertices[k], camera)).astype(int).T
        mask = read_image(folder / f"masks/{k:06d}.png", remedy="")
        assert (cv2.dilate(mask, np.ones((3, 3), np.uint8))[v, u] > 0).mean() > 0.995
        x, y, w, h = map(int, (folder / f"imgs/{k:06d}_rect.txt").read_text().split())
        rows, cols = np.nonzero(mask)
        assert w == h and x <= cols.min() and x + w > cols.max() and y <= rows.min() and y + h > rows.max()


def test_worlds_turn_both_ways(clip):
    model = load_body_model(OPEN_BODY)
    moved = replace(
        clip.body.camera,
        R=Rotation.from_euler("xyz", [0.3, 0.5, -0.2]).as_matrix(),
        t=np.array([0.1, -0.3, 5.0]),
    )
    body = replace(clip.body, camera=moved)
    pixels = [project(v, moved) for v in posed(model, body)[0]]
    for change in (seen_from_camera, seen_from_ours):
        other = change(body, model)
        for v, wanted in zip(posed(model, other)[0], pixels, strict=True):
            np.testing.assert_allclose(project(v, other.camera), wanted, atol=2e-3)
    np.testing.assert_array_equal(other.camera.R, np.diag([1, -1, -1]))
    assert not other.camera.t.any()


def test_a_moved_camera_gives_the_same_clip(folder, clip, tmp_path):
    """Another world with another quat and T is the same film."""
    turn, shift = Rotation.from_euler("xyz", [0.4, -1.1, 0.3]), np.array([0.5, 1.0, -2.0])
    smpl = dict(np.load(folder / "smpl_rec.npz", allow_pickle=False))
    model = load_body_model(OPEN_BODY)
    pelvis = model.shaped(model.v_template.new_tensor(smpl["shape"]))[1][0].double().numpy()
    smpl["poses"][:, 0] = (turn * Rotation.from_rotvec(smpl["poses"][:, 0])).as_rotvec()
    smpl["trans"] = turn.apply(smpl["trans"] + pelvis) - pelvis + shift
    np.savez(folder / "smpl_rec.npz", **{**smpl, "poses": smpl["poses"].reshape(T, 72)})
    camera = dict(np.load(folder / "camera.npz", allow_pickle=False))
    # X R + T must stay what it was for x' = turn x + shift
    R = turn.as_matrix() @ Rotation.from_quat([0, 0, 1, 0]).as_matrix()
    camera["quat"], camera["T"] = np.roll(Rotation.from_matrix(R).as_quat(), 1), -shift @ R
    np.savez(folder / "camera.npz", **camera)
    back = read_selfrecon(folder, tmp_path / "back")
    gap = posed(model, back.body)[0] - posed(model, clip.body)[0]
    assert np.abs(gap).max() < 1e-5 and not back.body.camera.t.any()


def test_frames_can_be_picked_and_shrunk(folder, clip, tmp_path):
    back = read_selfrecon(folder, tmp_path / "back", start=1, stride=2, max_side=SIDE // 2)
    assert back.frame_names == ["000001", "000003", "000005"] and back.frames.shape[1:3] == (SIDE // 2,) * 2
    np.testing.assert_allclose(back.body.body_pose, clip.body.body_pose[1::2], atol=1e-12)
    np.testing.assert_allclose(back.camera.K[:2], clip.body.camera.K[:2] / 2)
    assert back.normals.vectors.shape == (3, SIDE // 2, SIDE // 2, 3) == (*back.masks.labels.shape, 3)


def test_minimal_folders_and_masks_of_any_channel(folder, clip, tmp_path):
    (folder / "normals").rename(folder / "unused"), (folder / "parsing_SCH_ATR").rename(folder / "unused2")
    grey = read_image(folder / "masks/000000.png", remedy="")
    write_image(
        folder / "masks/000000.png", np.stack([0 * grey, 0 * grey, grey // 64], -1)
    )  # 3 of 255, in blue
    cv2.imwrite(str(folder / "imgs/000001.jpg"), clip.frames[1][..., ::-1])
    (folder / "imgs/000001.png").unlink()
    smpl = dict(np.load(folder / "smpl_rec.npz", allow_pickle=False))
    smpl = {k: v for k, v in smpl.items() if k != "gender"}
    np.savez(folder / "smpl_rec.npz", **smpl | {"trans": np.concatenate([smpl["trans"], smpl["trans"]])})
    back = read_selfrecon(folder, tmp_path / "back")
    assert np.array_equal(back.masks.alpha, clip.masks.alpha) and back.masks.labels is None
    assert not back.has("normals") and back.info["source"]["gender"] == "neutral"
    assert np.abs(back.frames[1].astype(int) - clip.frames[1]).mean() < 12


def test_the_open_body_takes_the_height_of_the_masks(folder, clip, tmp_path):
    smpl = dict(np.load(folder / "smpl_rec.npz", allow_pickle=False))
    del smpl["model_hash"]
    np.savez(
        folder / "smpl_rec.npz",
        **smpl | {"shape": np.linspace(-3, 3, 10), "gender": np.array("male", object)},
    )
    with pytest.warns(UserWarning, match="height of the masks"):
        back = read_selfrecon(folder, tmp_path / "back")
    model = load_body_model(OPEN_BODY)
    ours, true = (posed(model, c.body)[0] for c in (back, clip))
    assert np.abs(np.ptp(ours[..., 1], axis=1) - np.ptp(true[..., 1], axis=1)).max() < 0.06
    assert np.abs(ours.mean(1) - true.mean(1)).max() < 0.06 and back.info["source"]["gender"] == "male"
    np.savez(folder / "smpl_rec.npz", **smpl | {"trans": 3 * smpl["trans"], "gender": "male"})
    with pytest.warns(UserWarning, match="mean shape"):
        assert not read_selfrecon(folder, tmp_path / "far").body.betas.any()


def test_a_licensed_model_keeps_the_shape(folder, clip, tmp_path):
    smpl = dict(np.load(folder / "smpl_rec.npz", allow_pickle=False))
    del smpl["model_hash"]
    np.savez(folder / "smpl_rec.npz", **smpl)
    model = replace(load_body_model(OPEN_BODY), name="SMPL_NEUTRAL.pkl")
    np.testing.assert_allclose(
        read_selfrecon(folder, tmp_path / "b", model=model).body.betas, clip.body.betas
    )


def test_a_second_film_is_told(folder, tmp_path):
    smpl = dict(np.load(folder / "smpl_rec.npz", allow_pickle=False))
    np.savez(folder / "smpl_rec.npz", **smpl, vid_seg_indices=np.array([4, 6]))
    with pytest.warns(UserWarning, match="new film begins at frame 4"):
        read_selfrecon(folder, tmp_path / "back")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_selfrecon(folder, tmp_path / "first", stop=4)


def _edit(folder, name, **values):
    old = dict(np.load(folder / name, allow_pickle=False))
    np.savez(folder / name, **{k: v for k, v in (old | values).items() if v is not None})


FAULTS = {
    "frame lost": (lambda f: (f / "imgs/000002.png").unlink(), "1 of 6 frames are missing .000002"),
    "frames from 1": (lambda f: (f / "imgs/000000.png").unlink(), "missing .000000"),
    "odd name": (lambda f: write_image(f / "imgs/cover.png", np.zeros((2, 2, 3), np.uint8)), "cover"),
    "no pictures": (lambda f: (f / "imgs").rename(f / "images"), "no pictures"),
    "mask lost": (lambda f: (f / "masks/000003.png").unlink(), "masks/000003.png is missing"),
    "no masks": (lambda f: (f / "masks").rename(f / "mask"), "masks is missing"),
    "mask of another size": (
        lambda f: write_image(f / "masks/000001.png", np.ones((50, 60), np.uint8)),
        "masks/000001.png is 60x50",
    ),
    "damaged mask": (
        lambda f: (f / "masks/000001.png").write_bytes(b"no"),
        "000001.png is missing or damaged",
    ),
    "normals of a few": (lambda f: (f / "normals/000001.png").unlink(), "normals/000001.png is missing"),
    "no camera": (lambda f: (f / "camera.npz").unlink(), "camera.npz is missing"),
    "camera without fx": (lambda f: _edit(f, "camera.npz", fx=None), "has no fx"),
    "quat of zeros": (lambda f: _edit(f, "camera.npz", quat=np.zeros(4)), "not a camera"),
    "quat of three": (lambda f: _edit(f, "camera.npz", quat=np.zeros(3)), "quat four"),
    "negative focal": (lambda f: _edit(f, "camera.npz", fx=-700.0), "not a camera"),
    "few poses": (
        lambda f: _edit(f, "smpl_rec.npz", poses=np.zeros((4, 72))),
        "4 poses and 6 translations for 6",
    ),
    "SMPL-X poses": (lambda f: _edit(f, "smpl_rec.npz", poses=np.zeros((6, 165))), r"poses \(6, 165\)"),
    "no poses": (lambda f: _edit(f, "smpl_rec.npz", poses=None), "lacks poses"),
    "not a number": (lambda f: _edit(f, "smpl_rec.npz", trans=np.full((6, 3), np.nan)), "not finite"),
    "no npz": (lambda f: (f / "smpl_rec.npz").write_bytes(b"PK"), "smpl_rec.npz"),
    "labels too big": (
        lambda f: np.save(f / "parsing_SCH_ATR/000000.npy", np.full((SIDE, SIDE), 18)),
        "ATR labels",
    ),
    "labels pickled": (
        lambda f: np.save(f / "parsing_SCH_ATR/000000.npy", np.array([{}], object)),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(folder, tmp_path, fault):
    break_it, message = FAULTS[fault]
    break_it(folder)
    with pytest.raises(HvrError, match=message):
        read_selfrecon(folder, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_hostile_file_runs_nothing(folder, tmp_path):
    class Bad:
        def __reduce__(self):
            return print, ("ran",)

    np.savez(folder / "smpl_rec.npz", poses=np.array([Bad()], object))
    with pytest.raises(HvrError, match="refused|cannot be read"):
        read_selfrecon(folder, tmp_path / "back")


def test_nobodys_files_are_replaced(clip, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(HvrError, match="mine.txt"):
        write_selfrecon(clip, tmp_path / "full")
    wrong = replace(clip.body, model_hash="0" * 64)
    clip.save("body", wrong)
    with pytest.raises(HvrError, match="the body was made with body model 00000000"):
        write_selfrecon(clip, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_line_exports_and_imports(clip, tmp_path, capsys):
    assert main(["export", "selfrecon", str(clip.folder), str(tmp_path / "d")]) == 0
    assert (
        main(["import", "selfrecon", str(tmp_path / "d"), str(tmp_path / "c"), "--stop", "4", "--fps", "25"])
        == 0
    )
    out = capsys.readouterr().out
    assert "--from 04" in out and len(Clip.open(tmp_path / "c").frames) == 4
    assert main(["export", "selfrecon", str(clip.folder), str(tmp_path / "d")]) == 1
    assert main(["import", "selfrecon", str(tmp_path / "d"), str(tmp_path / "c")]) == 1


def test_pictures_of_16_bits_are_read_as_8(tmp_path):
    folder = tmp_path / "imgs"
    folder.mkdir()
    picture = np.arange(48, dtype=np.uint16).reshape(4, 4, 3) * 1300
    cv2.imwrite(str(folder / "000007.png"), picture[..., ::-1])
    path, found = _layer(folder, 7)
    assert path.name == "000007.png" and found.dtype == np.uint8
    np.testing.assert_array_equal(found, picture // 256)


@pytest.mark.parametrize("lost, end", [(5, "000004"), (6, "000004 ...")])
def test_five_lost_frames_are_named(tmp_path, lost, end):
    (tmp_path / "imgs").mkdir()
    (tmp_path / "imgs" / f"{lost:06d}.png").write_bytes(b"")
    with pytest.raises(HvrError) as error:
        frame_numbers(tmp_path)
    assert f"{lost} of {lost + 1} frames are missing (000000, 000001, 000002, 000003, {end});" in str(
        error.value
    )


@pytest.mark.parametrize("name", ["fx", "fy"])
def test_focal_lengths_above_zero_are_cameras(name):
    values = {"fx": 700.0, "fy": 690.0, "cx": 250.0, "cy": 260.0, "quat": np.eye(4)[3], "T": np.zeros(3)}
    camera_from_values(values | {name: 0.5}, "camera.npz", width=512, height=512)
    for wrong in (0.0, -700.0, np.nan):
        with pytest.raises(HvrError, match="camera.npz"):
            camera_from_values(values | {name: wrong}, "camera.npz", width=512, height=512)
