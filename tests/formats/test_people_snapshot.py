"""People-Snapshot sequences, written here from the synthetic subject in that layout."""

import pickle
import shutil
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import OPEN_BODY, load_body_model, posed
from hvr_nb.formats.datasets import people_snapshot
from hvr_nb.formats.datasets.people_snapshot import read_people_snapshot
from hvr_nb.store.clip import Clip
from hvr_nb.store.video import read_video
from hvr_nb.subject import load_truth, write_synthetic
from hvr_nb.types import HvrError

TO_THEM = np.diag([1.0, -1.0, -1.0])  # our monocular world in theirs
COCO18_FROM_BODY25 = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    folder = write_synthetic(tmp_path_factory.mktemp("film"), frames=6, size=96, hidden_views=0, seed=4)
    return folder / "video.mp4", load_truth(folder)


@pytest.fixture
def subject(film, tmp_path):
    """The synthetic clip as `female-9-test`; the body's parameters are turned into y down, z forward."""
    video, truth = film
    folder, body, camera = tmp_path / "female-9-test", truth.body, truth.camera
    folder.mkdir()
    shutil.copy(video, folder / "female-9-test.mp4")
    rest, joints = (
        a.double().numpy()
        for a in load_body_model(OPEN_BODY).shaped(load_body_model().v_template.new_tensor(body.betas))
    )
    poses, pelvis = body.poses.copy(), joints[0]
    poses[:, :3] = (Rotation.from_matrix(TO_THEM) * Rotation.from_rotvec(body.global_orient)).as_rotvec()
    trans = (body.transl + pelvis) @ TO_THEM.T - pelvis
    points = np.concatenate([truth.points25 - 0.5, np.full((6, 25, 1), 0.9)], 2)[:, COCO18_FROM_BODY25]
    points[4] = 0
    with h5py.File(folder / "masks.hdf5", "w") as file:
        file["masks"] = (truth.alpha >= 128).astype(np.int8)
    with h5py.File(folder / "keypoints.hdf5", "w") as file:
        file["keypoints"] = points.reshape(6, 54).astype(np.float32)
    with h5py.File(folder / "reconstructed_poses.hdf5", "w") as file:
        file["pose"], file["trans"], file["betas"] = poses, trans, body.betas
    write_camera(folder, camera)
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in rest]
    (folder / "consensus.obj").write_text("\n".join(["# person", *lines, "vt 0 0", "f 1 2 3"]))
    return folder


def write_camera(folder, camera, k=(0, 0, 0, 0, 0)):
    content = {
        "camera_t": np.zeros(3),
        "camera_rt": np.zeros(3),
        "camera_f": camera.K[[0, 1], [0, 1]],
        "camera_c": camera.K[:2, 2] - 0.5,
        "camera_k": np.array(k, float),
        "width": 96,
        "height": 96,
    }
    (folder / "camera.pkl").write_bytes(pickle.dumps(content, protocol=2))


def with_smpl(monkeypatch):
    """The open body passes for the data set's own model."""
    model = replace(load_body_model(OPEN_BODY), name="SMPL_NEUTRAL.pkl")
    monkeypatch.setattr(people_snapshot, "load_body_model", lambda: model)
    return model


def test_a_sequence_becomes_a_clip(subject, film, tmp_path, monkeypatch):
    model, (video, truth) = with_smpl(monkeypatch), film
    clip = read_people_snapshot(subject, tmp_path / "clip", start=1, stride=2)
    pick = [1, 3, 5]
    assert np.array_equal(clip.frames, read_video(video).frames[pick]) and clip.fps == 15
    assert np.array_equal(clip.masks.alpha, np.where(truth.alpha[pick] >= 128, 255, 0))
    np.testing.assert_allclose(clip.camera.K, truth.camera.K, atol=1e-9)
    np.testing.assert_allclose(clip.camera.R, truth.camera.R, atol=1e-12)
    vertices = posed(model, clip.body)[0]
    assert np.abs(vertices - posed(model, truth.body)[0][pick]).max() < 1e-5, "metres"
    assert np.array_equal(clip.body.betas, truth.body.betas)
    limbs = [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]
    np.testing.assert_allclose(clip.keypoints.points[:, limbs, :2], truth.points25[pick][:, limbs], atol=1e-4)
    assert clip.keypoints.found.all() and clip.info["source"]["format"] == "people-snapshot"
    Clip.open(tmp_path / "clip").require("frames", "camera", "keypoints", "masks", "body")


def test_the_open_body_takes_the_height_and_the_place(subject, film, tmp_path):
    model, truth = load_body_model(OPEN_BODY), film[1]
    with pytest.warns(UserWarning, match="height of the consensus"):
        clip = read_people_snapshot(subject, tmp_path / "clip", model=model)
    ours, true = posed(model, clip.body)[0], posed(model, truth.body)[0]
    heights = [np.ptp(v[..., 1], axis=1) for v in (ours, true)]
    np.testing.assert_allclose(*heights, atol=0.02)
    assert np.abs(ours.mean(1) - true.mean(1)).max() < 0.03
    assert not clip.keypoints.found[4] and clip.keypoints.found[[0, 1, 2, 3, 5]].all()
    (subject / "consensus.obj").unlink()
    with pytest.warns(UserWarning, match="mean shape"):
        mean = read_people_snapshot(subject, tmp_path / "mean", model=model)
    assert not mean.body.betas.any()
    shape = load_body_model(OPEN_BODY).v_template.numpy() * 1.1
    (subject / "consensus.pkl").write_bytes(
        pickle.dumps({"v_personal": shape, "betas": np.zeros(10)}, protocol=2)
    )
    with pytest.warns(UserWarning, match="height of the consensus"):
        tall = read_people_snapshot(subject, tmp_path / "tall", model=model)
    assert tall.body.betas[0] < -1, "beta 0 is small for tall people"


def test_distortion_is_taken_out_of_frames_and_keypoints(subject, film, tmp_path, monkeypatch):
    with_smpl(monkeypatch)
    straight = read_people_snapshot(subject, tmp_path / "straight")
    write_camera(subject, film[1].camera, k=(-0.3, 0.1, 0, 0, 0))
    clip = read_people_snapshot(subject, tmp_path / "clip", max_side=48)
    assert clip.frames.shape == (6, 48, 48, 3) and not clip.camera.dist.any() and clip.camera.width == 48
    moved = 2 * clip.keypoints.points[0, :, :2] - straight.keypoints.points[0, :, :2]
    known = clip.keypoints.points[0, :, 2] > 0
    outward = ((straight.keypoints.points[0, :, :2] - 48) * moved).sum(1)[known]
    far = np.linalg.norm(straight.keypoints.points[0, known, :2] - 48, axis=1) > 20
    assert far.any() and (outward[far] > 0).all(), "barrel distortion pulled the points inwards"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "masks.hdf5").unlink(), "masks.hdf5 is missing"),
        (lambda f: (f / "masks.hdf5").write_bytes(b"nothing"), "masks.hdf5: masks cannot be read"),
        (
            lambda f: shutil.copy(f / "masks.hdf5", f / "reconstructed_poses.hdf5"),
            "reconstructed_poses.hdf5: pose cannot be read",
        ),
        (
            lambda f: (f / "camera.pkl").write_bytes(pickle.dumps({"camera_f": 1})),
            "camera.pkl is not a camera",
        ),
        (lambda f: (f / "consensus.obj").write_text("v 1 2"), "consensus.obj holds"),
        (lambda f: (f / "female-9-test.mp4").unlink(), "holds 0 videos"),
    ],
)
def test_damage_is_named(subject, tmp_path, spoil, words):
    spoil(subject)
    with pytest.raises(HvrError, match=words):
        read_people_snapshot(subject, tmp_path / "clip", model=load_body_model(OPEN_BODY))
    assert not (tmp_path / "clip").exists()


def test_files_of_other_sequences_are_refused(subject, film, tmp_path):
    with h5py.File(subject / "masks.hdf5", "w") as file:
        file["masks"] = np.zeros((4, 96, 96), np.int8)
    with pytest.raises(HvrError, match="4 rows of masks"):
        read_people_snapshot(subject, tmp_path / "clip")
    with h5py.File(subject / "masks.hdf5", "w") as file:
        file["masks"] = np.zeros((6, 48, 48), np.int8)
    with pytest.raises(HvrError, match="masks.hdf5 48x48"):
        read_people_snapshot(subject, tmp_path / "clip")


def test_without_h5py_the_remedy_is_named(film, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    shutil.copy(film[0], tmp_path / "video.mp4")
    with pytest.raises(HvrError, match="pip install h5py"):
        read_people_snapshot(tmp_path, tmp_path / "clip")


def test_rows_and_values_that_do_not_fit_are_named(subject, tmp_path):
    """A dataset of other columns, poses that are not finite, two films in the folder."""
    with h5py.File(subject / "keypoints.hdf5", "w") as file:
        file["keypoints"] = np.zeros((6, 75), np.float32)
    with pytest.raises(HvrError, match=r"keypoints.hdf5 has rows of \(75,\); 54 values are expected"):
        read_people_snapshot(subject, tmp_path / "clip")
    (subject / "keypoints.hdf5").unlink()
    for name, value, words in (
        ("trans", np.full((6, 3), np.nan), "values that are not finite"),
        ("trans", np.zeros((6, 4)), r"trans \(6, 4\).*are not"),
        ("pose", np.zeros((6, 69)), r"pose \(6, 69\)"),
        ("betas", np.zeros(9), r"betas \(9,\)"),
    ):
        right = {"pose": np.zeros((6, 72)), "trans": np.zeros((6, 3)), "betas": np.zeros(10)}
        with h5py.File(subject / "reconstructed_poses.hdf5", "w") as file:
            for key, rows in (right | {name: value}).items():
                file[key] = rows
        with pytest.raises(HvrError, match=words):
            read_people_snapshot(subject, tmp_path / "clip")
    shutil.copy(subject / "female-9-test.mp4", subject / "again.mp4")
    with pytest.raises(HvrError, match="holds 2 videos"):
        read_people_snapshot(subject, tmp_path / "clip")
    assert not (tmp_path / "clip").exists()


def test_a_sequence_without_keypoints_is_a_clip_too(subject, film, tmp_path, monkeypatch):
    with_smpl(monkeypatch)
    (subject / "keypoints.hdf5").unlink()
    with h5py.File(subject / "reconstructed_poses.hdf5", "a") as file:
        betas = file["betas"][()]
        del file["betas"]
        file["betas"] = np.r_[betas, 5, 5][None]  # as many as a data set likes, in one row; ten are used
    clip = read_people_snapshot(subject, tmp_path / "clip", stop=3)
    assert np.array_equal(clip.body.betas, film[1].body.betas) and len(clip) == 3
    assert not clip.has("keypoints")
    assert [clip.info["source"][k] for k in ("start", "stop", "stride")] == [0, 3, 1]


def test_axes_of_the_camera_and_pixel_centres(subject, tmp_path):
    """camera_rt turns the world into the camera; pixel centres at integers become those at a half."""
    content = {
        "camera_t": [[0.1], [0.2], [0.3]],
        "camera_rt": [0, 0, np.pi / 2],
        "camera_f": [100.0, 90.0],
        "camera_c": [40.0, 30.0],
        "camera_k": [0.1, 0.2, 0.3, 0.4, 0.5],
        "width": 80,
        "height": 60,
    }
    path = tmp_path / "camera.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    camera = people_snapshot._read_camera(path)
    np.testing.assert_allclose(camera.K, [[100, 0, 40.5], [0, 90, 30.5], [0, 0, 1]])
    np.testing.assert_allclose(camera.R, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)
    assert camera.t.tolist() == [0.1, 0.2, 0.3] and camera.dist.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert (camera.width, camera.height, camera.source) == (80, 60, "given")
    content["camera_k"] = [0.1, 0.2]
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(HvrError, match="is not a camera of People-Snapshot"):
        people_snapshot._read_camera(path)


def test_a_consensus_needs_four_finite_vertices(tmp_path):
    def write(lines):
        (tmp_path / "consensus.obj").write_text("\n".join(lines))

    assert people_snapshot._consensus(tmp_path) is None
    write(["v 0 0 0", "v 1 2 3 0.5 0.5 0.5", "vn 7 7 7", "v 0 1 0", "v 0 0 1"])
    assert people_snapshot._consensus(tmp_path).tolist() == [[0, 0, 0], [1, 2, 3], [0, 1, 0], [0, 0, 1]]
    for lines, words in (
        (["v 0 0 0"] * 3, "holds 3 usable vertices"),
        (["v 0 0 0"] * 4 + ["v nan 0 0"], "usable vertices"),
        (["v 0 0"] * 4, "holds no vertices"),
    ):
        write(lines)
        with pytest.raises(HvrError, match=words):
            people_snapshot._consensus(tmp_path)
