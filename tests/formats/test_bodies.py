"""Bodies of other systems, in files of their layouts with made-up values, read back; and hostile files."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from joblib_files import joblib_file
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.body.worlds import rest_pelvis
from hvr_nb.formats.bodies import body_skeleton, read_body
from hvr_nb.formats.bodies.people import PELVIS
from hvr_nb.formats.bodies.phalp import read_phalp
from hvr_nb.geometry.camera import default_camera, project
from hvr_nb.store.result_files import read_results
from hvr_nb.types import Body, HvrError, Keypoints

W, H, T = 640, 480, 6
NAMES = [f"{t:06d}" for t in range(T)]
FILM = {"size": [W, H], "frames": T, "fps": 30.0}
FLIP = np.diag([1.0, -1.0, -1.0])
_ROWS = {12: 1, 9: 2, 13: 4, 10: 5, 14: 7, 11: 8, 5: 16, 2: 17, 6: 18, 3: 19, 7: 20, 4: 21}  # BODY_25: SMPL


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def truth(model):
    """Somebody who turns, in the open body's mean shape."""
    rng = np.random.default_rng(0)
    pose = np.tile(0.15 * rng.standard_normal(69), (T, 1)) + 0.02 * rng.standard_normal((T, 69))
    pose[:, 63:] = 0  # SMPL's hands, which SMPL-X lacks
    orient = np.linspace([0, 0.2, 0], [0, 1.0, 0.1], T)
    transl = np.linspace([0.1, 0.2, -3.4], [0.3, 0.2, -3.2], T)
    return Body(np.zeros(10), orient, pose, transl, default_camera(W, H), np.ones(T, bool), model.hash)


def keypoints_of(model, body):
    points = np.zeros((T, 25, 3))
    pixels = project(posed(model, body)[1], body.camera)
    for ours, smpl in _ROWS.items():
        points[:, ours] = np.concatenate([pixels[:, smpl], np.full((T, 1), 0.9)], 1)
    return Keypoints(points, np.zeros((T, 25), bool), np.ones(T, bool), np.zeros((T, 4)))


def theirs(model, body, kind="smpl", shift=(0, 0, 0)):
    """(T, 72) poses and (T, 3) transl in camera axes, as a system with that body writes them."""
    orient = (Rotation.from_matrix(FLIP) * Rotation.from_rotvec(body.global_orient)).as_rotvec()
    pelvis = (body.transl + rest_pelvis(model, body.betas)) @ FLIP + shift
    return np.concatenate([orient, body.body_pose], 1), pelvis - np.array(PELVIS[kind])


def lens(focal, size=(W, H)):
    K = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1.0]])
    return replace(default_camera(*size), K=K)


def matrices(poses):
    return Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(len(poses), -1, 3, 3)


# -- the layouts -------------------------------------------------------------------------------------


def gvhmr(folder, model, body, other, monkeypatch, keys=("smpl_params_incam", "smpl_params_global")):
    poses, transl = theirs(model, body, "smplx")
    values = {
        "global_orient": torch.tensor(poses[:, :3]).float(),
        "body_pose": torch.tensor(poses[:, 3:66]).float(),
        "transl": torch.tensor(transl).float(),
        "betas": torch.zeros(T, 10),
    }
    K = torch.tensor(body.camera.K).float().repeat(T, 1, 1)
    torch.save({keys[0]: values, keys[1]: values, "K_fullimg": K, "net_outputs": {}}, folder / "r.pt")
    return folder / "r.pt"


def genmo(*args):
    return gvhmr(*args, keys=("body_params_incam", "body_params_global"))


def two(model, body, other, make):
    return [make(*theirs(model, person)) for person in (other, body)]


def wham(folder, model, body, other, monkeypatch):
    import collections

    out = collections.defaultdict(dict)
    for number, (poses, transl) in enumerate(two(model, body, other, lambda p, t: (p, t))):
        out[np.int64(number + 3)] |= {
            "pose": poses,
            "pose_world": poses,
            "trans": transl,
            "trans_world": transl,
            "betas": np.zeros((T, 10)),
            "verts": np.zeros((T, 4, 3), np.float32),
            "frame_ids": np.arange(T),
        }
    return joblib_file(folder / "wham_output.pkl", out, monkeypatch)


def phalp(folder, model, body, other, monkeypatch):
    people = two(model, body, other, lambda p, t: (matrices(p), t))
    frames = {}
    for t in range(T):
        smpl = [
            {"global_orient": R[t, :1], "body_pose": R[t, 1:], "betas": np.zeros(10, np.float32)}
            for R, _ in people
        ]
        frames[f"out/{t:06d}.jpg"] = {
            "time": t,
            "tid": [4, 9, 11],
            "tracked_time": [0, 0, 2],
            "smpl": [*smpl, smpl[0]],
            "camera": [people[0][1][t], people[1][1][t], people[0][1][t]],
            "size": [np.array([H, W])] * 3,
            "mask": [{"size": [H, W], "counts": "abc"}],
            "extra_data": [None],
        }
    return joblib_file(folder / "demo.pkl", frames, monkeypatch, compress=True)


def vibe(folder, model, body, other, monkeypatch, pare=False):
    focal, out = 5000 / 224 * W, {}
    for number, (poses, transl) in enumerate(two(model, body, other, lambda p, t: (p, t))):
        sx = 2 * focal / (W * transl[:, 2])
        out[number] = {
            "pred_cam": np.zeros((T, 3)),
            "orig_cam": np.stack([sx, sx * W / H, transl[:, 0], transl[:, 1]], 1),
            "pose": matrices(poses) if pare else poses,
            "betas": np.zeros((T, 10)),
            "frame_ids": np.arange(T),
        }
    return joblib_file(folder / "vibe_output.pkl", out, monkeypatch)


def pare(*args):
    return vibe(*args, pare=True)


def tram(folder, model, body, other, monkeypatch):
    (folder / "hps").mkdir()
    for k, (poses, transl) in enumerate(two(model, body, other, lambda p, t: (p, t))):
        track = {
            "pred_rotmat": torch.tensor(matrices(poses)).float(),
            "pred_shape": torch.zeros(T, 10),
            "pred_trans": torch.tensor(transl).float()[:, None],
            "frame": torch.arange(T),
        }
        np.save(folder / "hps" / f"hps_track_{k}.npy", np.array(track, object))
    camera = {
        "img_focal": body.camera.K[0, 0],
        "img_center": body.camera.K[:2, 2],
        "pred_cam_R": np.zeros((T, 3, 3)),
    }
    np.save(folder / "camera.npy", np.array(camera, object))
    return folder


def prompthmr(folder, model, body, other, monkeypatch):
    people = {}
    for number, person in enumerate((other, body)):
        poses, transl = theirs(model, person, "smplx")
        full = np.zeros((T, 55, 3))
        full[:, :22] = poses.reshape(T, 24, 3)[:, :22]
        cam = {
            "rotmat": matrices(full.reshape(T, -1)),
            "pose": full[:, :25].reshape(T, -1),
            "shape": np.zeros((T, 10)),
            "trans": transl,
        }
        people[number] = {"frames": np.arange(T), "smplx_cam": cam, "track_id": number}
    camera = {"img_focal": body.camera.K[0, 0], "img_center": body.camera.K[:2, 2]}
    return joblib_file(
        folder / "results.pkl", {"people": people, "camera": camera, "camera_world": {}}, monkeypatch
    )


def romp(folder, model, body, other, monkeypatch):
    people = two(model, body, other, lambda p, t: (p, t))
    results = {
        f"{t:08d}.png": {
            "smpl_thetas": np.stack([p[t] for p, _ in people][:: 1 if t % 2 else -1]),
            "cam_trans": np.stack([x[t] for _, x in people][:: 1 if t % 2 else -1]),
            "smpl_betas": np.zeros((2, 10)),
            "track_ids": np.array([5, 8][:: 1 if t % 2 else -1]),
        }
        for t in range(T)
    }
    np.savez(folder / "video_results.npz", results=results)
    return folder / "video_results.npz"


def comotion(folder, model, body, other, monkeypatch):
    people = two(model, body, other, lambda p, t: (p, t))
    rows = {
        "id": torch.arange(2).repeat_interleave(T) + 7,
        "frame_idx": torch.arange(T).repeat(2),
        "pose": torch.tensor(np.concatenate([p for p, _ in people])).float(),
        "trans": torch.tensor(np.concatenate([t for _, t in people])).float(),
        "betas": torch.zeros(2 * T, 10),
    }
    torch.save(rows, folder / "v.pt")
    return folder / "v.pt"


SYSTEMS = {
    "GVHMR": (gvhmr, 700.0),
    "GENMO": (genmo, 700.0),
    "WHAM": (wham, float(np.hypot(W, H))),
    "4D-Humans (PHALP)": (phalp, 5000 / 256 * W),
    "VIBE": (vibe, 5000 / 224 * W),
    "PARE": (pare, 5000 / 224 * W),
    "TRAM": (tram, 800.0),
    "PromptHMR": (prompthmr, 800.0),
    "ROMP": (romp, 0.8660 * W),
    "CoMotion": (comotion, 2.0 * W),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_is_told_and_its_person_found(tmp_path, monkeypatch, model, truth, system):
    """Made-up values in the system's layout: the person on the 2D joints is found, with its camera."""
    write, focal = SYSTEMS[system]
    far = focal / 768.0 if focal > 5 * W else 1.0  # a parallel lens sees the same person from far away
    moved = replace(truth, transl=truth.transl * (1, 1, far), camera=lens(focal))
    other = replace(moved, transl=moved.transl + [0.9, 0, 0])
    keypoints = keypoints_of(model, moved)
    path = write(tmp_path, model, moved, other, monkeypatch)
    got = read_body(path, names=NAMES, camera=truth.camera, keypoints=keypoints, model=model, film=FILM)
    assert got.source == system and got.body.valid.all() and got.off < (0.03 if far > 1 else 1e-3)
    a, b = posed(model, got.body)[1], posed(model, moved)[1]
    if far == 1.0:
        np.testing.assert_allclose(a, b, atol=2e-4)
        assert got.body.camera.K[0, 0] == pytest.approx(focal, rel=1e-5)
    else:
        np.testing.assert_allclose(a - a[:, :1], b - b[:, :1], atol=2e-4)
        assert got.body.camera.K[0, 0] == pytest.approx(truth.camera.K[0, 0])


def test_a_reduced_clip_and_every_second_frame(tmp_path, monkeypatch, model, truth):
    """The camera is scaled to the clip's pixels, frames are matched by their numbers, gaps are bridged."""
    big = replace(truth, camera=lens(700.0))
    path = wham(tmp_path, model, replace(truth, camera=lens(float(np.hypot(W, H)))), truth, monkeypatch)
    keypoints = keypoints_of(model, replace(truth, camera=lens(float(np.hypot(W, H)))))
    half = replace(
        keypoints,
        points=keypoints.points[::2] * (0.5, 0.5, 1),
        filled=keypoints.filled[::2],
        found=np.ones(3, bool),
        boxes=np.zeros((3, 4)),
    )
    camera = default_camera(W // 2, H // 2)
    got = read_body(path, names=NAMES[::2], camera=camera, keypoints=half, model=model, film=FILM)
    assert got.off < 1e-3 and got.body.camera.width == W // 2 and len(got.body) == 3
    np.testing.assert_allclose(posed(model, got.body)[1], posed(model, truth)[1][::2], atol=1e-4)
    content = read_results(gvhmr(tmp_path, model, big, None, None))
    assert content["K_fullimg"].shape == (T, 3, 3)


@pytest.mark.parametrize("layout", ["SMPL-H", "SMPL-X", "root_orient", ".smpl"])
def test_bodies_of_a_world_are_placed_by_the_joints(tmp_path, model, truth, layout):
    """An archive with Z up, its heading unknown: standing on the 2D joints, within the step of the search."""
    still = replace(truth, global_orient=np.tile([[0, 0.9, 0]], (T, 1)))
    turn = Rotation.from_euler("xz", [90, 40], degrees=True)
    orient = (turn * Rotation.from_rotvec(still.global_orient)).as_rotvec()
    full = np.zeros((T, {"SMPL-H": 156, "SMPL-X": 165}.get(layout, 66)))
    full[:, :66] = np.concatenate([orient, still.body_pose], 1)[:, :66]
    path = tmp_path / "a.npz"
    trans = turn.apply(still.transl)
    if layout == ".smpl":
        path = tmp_path / "a.smpl"
        with open(path, "wb") as file:
            np.savez(
                file,
                smplVersion=np.int32(2),
                frameCount=np.int32(T),
                frameRate=np.float32(30),
                bodyPose=full.reshape(T, 22, 3).astype(np.float32),
                bodyTranslation=trans.astype(np.float32),
            )
    elif layout == "root_orient":
        np.savez(
            path, root_orient=full[:, :3], pose_body=full[:, 3:], trans=trans, surface_model_type="smplx"
        )
    else:
        np.savez(path, poses=full, trans=trans, betas=np.zeros(16), mocap_framerate=120.0, gender="male")
    keypoints = keypoints_of(model, still)
    with pytest.warns(UserWarning, match="stand along z"):
        got = read_body(path, names=NAMES, camera=truth.camera, keypoints=keypoints, model=model, film=FILM)
    assert got.source == (".smpl" if layout == ".smpl" else "AMASS") and got.off < 0.02
    assert np.abs(posed(model, got.body)[1] - posed(model, still)[1]).mean() < 0.1


def test_the_skeleton_starts_a_fit(model, truth):
    skeleton = body_skeleton(truth, model)
    assert skeleton.points.shape == (T, 17, 3) and skeleton.valid.all()
    np.testing.assert_allclose(skeleton.points[:, 1], posed(model, truth)[1][:, 2], atol=1e-5)


# -- what is refused ---------------------------------------------------------------------------------


def read(path, model, truth):
    keypoints = keypoints_of(model, truth)
    return read_body(path, names=NAMES, camera=truth.camera, keypoints=keypoints, model=model, film=FILM)


def test_other_bodies_and_people_are_refused_in_a_sentence(tmp_path, monkeypatch, model, truth):
    np.save(tmp_path / "v.npy", np.zeros((2, 10475, 3)))
    with pytest.raises(HvrError, match="has no poses"):
        read(tmp_path / "v.npy", model, truth)
    np.save(tmp_path / "s.npy", np.array([{"mhr_model_params": np.zeros(204), "pred_vertices": 1}], object))
    with pytest.raises(HvrError, match="MHR, not SMPL"):
        read(tmp_path / "s.npy", model, truth)
    np.savez(tmp_path / "x.npz", something=np.zeros(3))
    with pytest.raises(HvrError, match="holds something, no result of a known system; known are GVHMR"):
        read(tmp_path / "x.npz", model, truth)
    away = replace(truth, transl=truth.transl + [2.5, 0, 0], camera=lens(2.0 * W))
    with pytest.raises(HvrError, match="nobody in it is where the clip's person is"):
        read(comotion(tmp_path, model, away, away, None), model, truth)
    content = torch.load(tmp_path / "v.pt")
    torch.save(content | {"pose": content["pose"][:, :9]}, tmp_path / "v.pt")
    with pytest.raises(HvrError, match="does not have the layout"):
        read(tmp_path / "v.pt", model, truth)
    torch.save(content | {"trans": content["trans"] * float("nan")}, tmp_path / "v.pt")
    with pytest.raises(HvrError, match="not finite"):
        read(tmp_path / "v.pt", model, truth)
    torch.save(content | {"frame_idx": content["frame_idx"] + 900}, tmp_path / "v.pt")
    with pytest.raises(HvrError, match="none of the clip's frames"):
        read(tmp_path / "v.pt", model, truth)
    (tmp_path / "hps_track_0.npy").write_bytes(b"")
    with pytest.raises(HvrError, match="missing or has 0 bytes"):
        read(tmp_path, model, truth)


def test_the_lens_of_phalp_belongs_to_its_square_picture():
    turn = np.eye(3)[None]
    body = {"global_orient": turn, "body_pose": np.repeat(turn, 23, 0), "betas": np.zeros(10)}
    seen = {"tid": [4], "smpl": [body], "camera": [[0, 0, 5.0]], "time": 3}
    found = read_phalp({"a.jpg": seen | {"size": [[480, 640]]}}, {})[1][0]
    assert found.focal == 5000 / 256 * 640 and found.size == (640, 480) and list(found.frames) == [3]
    found = read_phalp({"a.jpg": seen}, {})[1][0]
    assert (found.focal, found.focal_share, found.size) == (0, 5000 / 256, None)
