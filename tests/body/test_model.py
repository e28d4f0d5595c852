"""The open body and the forward pass: topology, statistics, agreement with smplx, errors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import (
    LANDMARK_VERTICES,
    LICENSED_NAMES,
    OPEN_BODY,
    body25_regressor,
    check_same_model,
    find_model_file,
    load_body_model,
    posed,
)
from hvr_nb.formats.models.smpl_file import export_smpl_pickle
from hvr_nb.geometry import raster
from hvr_nb.geometry.camera import default_camera, project
from hvr_nb.geometry.mesh import face_normals, unique_edges
from hvr_nb.types import BODY25_NAMES, SMPL_JOINT_NAMES, Body, HvrError

MIRROR_JOINTS = [
    SMPL_JOINT_NAMES.index(n.replace("left", "#").replace("right", "left").replace("#", "right"))
    for n in SMPL_JOINT_NAMES
]


@pytest.fixture(scope="module")
def model():
    return load_body_model(OPEN_BODY)


@pytest.fixture(scope="module")
def mirror(model):
    """(V,) vertex on the other side."""
    v = model.v_template.numpy()
    distance, index = cKDTree(v).query(v * [-1, 1, 1])
    assert distance.max() < 1e-6
    return index


def stature(model, betas):
    return float(np.ptp(model.shaped(torch.tensor(betas, dtype=torch.float32))[0][:, 1].numpy()))


def test_one_closed_surface_of_smpls_size(model):
    assert model.v_template.shape == (6890, 3) and model.faces.shape == (13776, 3)
    mesh = trimesh.Trimesh(model.v_template.numpy(), model.faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.euler_number == 2
    assert len(mesh.split(only_watertight=False)) == 1
    assert len(np.unique(model.faces)) == 6890 and len(unique_edges(model.faces)) == 3 * 6890 - 6
    areas = np.linalg.norm(face_normals(mesh.vertices, mesh.faces), axis=1) / 2
    assert areas.min() > 1e-8
    assert 0.055 < mesh.volume < 0.075 and 1.6 < mesh.area < 1.9  # litres and skin of a real adult


def test_weights_and_regressors_are_partitions(model):
    for rows in (model.weights, model.J_regressor, model.body25):
        assert rows.min() >= 0
        np.testing.assert_allclose(rows.sum(1), 1, atol=2e-6)
    assert 2 <= (model.weights > 0).sum(1).max() <= 6
    assert (model.weights > 0).any(0).all()
    assert model.parents == (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)


def test_left_and_right_are_mirror_images(model, mirror):
    flip = torch.tensor([-1.0, 1, 1])
    np.testing.assert_allclose(model.weights[mirror][:, MIRROR_JOINTS], model.weights, atol=1e-6)
    np.testing.assert_allclose(model.J_regressor[MIRROR_JOINTS][:, mirror], model.J_regressor, atol=1e-6)
    np.testing.assert_allclose(model.shapedirs[mirror] * flip[:, None], model.shapedirs, atol=1e-6)
    for name, vertex in LANDMARK_VERTICES.items():
        if name.startswith("left"):
            assert mirror[vertex] == LANDMARK_VERTICES[name.replace("left", "right")]
            assert model.v_template[vertex, 0] > 0.02
    assert mirror[LANDMARK_VERTICES["nose"]] == LANDMARK_VERTICES["nose"]


def test_a_mirrored_pose_gives_a_mirrored_body(model, mirror):
    """Pose correctives included."""
    pose = 0.4 * torch.randn(1, 24, 3, generator=torch.Generator().manual_seed(0))
    other = pose[:, MIRROR_JOINTS] * torch.tensor([1.0, -1, -1])
    zero = torch.zeros(10), torch.zeros(1, 3)
    a, b = (model.pose(zero[0], p.reshape(1, 72), zero[1])[0][0] for p in (pose, other))
    np.testing.assert_allclose(b[mirror] * torch.tensor([-1.0, 1, 1]), a, atol=1e-5)


def test_landmarks_lie_where_their_names_say(model):
    at = {name: model.v_template[vertex].numpy() for name, vertex in LANDMARK_VERTICES.items()}
    joints = model.shaped(torch.zeros(10))[1].numpy()
    head, lowest = joints[15], model.v_template[:, 1].min().item()
    assert at["nose"][2] > at["left_eye"][2] > at["left_ear"][2] and at["nose"][2] > head[2] + 0.08
    assert at["left_eye"][1] > at["nose"][1] and at["left_ear"][0] > at["left_eye"][0] > 0.02
    for foot in ("big_toe", "small_toe", "heel"):
        assert at[f"left_{foot}"][1] - lowest < 0.04
    assert at["left_big_toe"][2] - at["left_heel"][2] == pytest.approx(0.25, abs=0.04)
    assert at["left_small_toe"][0] > at["left_big_toe"][0]


def test_joints_lie_inside_the_body_in_the_order_of_smpl(model):
    joints = dict(zip(SMPL_JOINT_NAMES, model.shaped(torch.zeros(10))[1].numpy(), strict=True))
    for left in ("left_hip", "left_knee", "left_ankle", "left_shoulder", "left_elbow", "left_wrist"):
        assert joints[left][0] > 0.05
    order = ["head", "neck", "spine3", "spine2", "spine1", "pelvis", "left_knee", "left_ankle", "left_foot"]
    assert (np.diff([joints[n][1] for n in order]) < 0).all()
    arm = np.array([joints[f"left_{n}"] for n in ("shoulder", "elbow", "wrist")])
    assert np.ptp(arm[:, 1:], axis=0).max() < 0.02  # the T-pose holds the arms along x
    assert np.abs(joints["pelvis"]).max() > 0.1  # away from the origin, as in SMPL: code must not forget it
    mesh = trimesh.Trimesh(model.v_template.numpy(), model.faces, process=False)
    camera = replace(default_camera(400, 400, 400.0), t=np.array([0, 0, 2.6]))
    front = raster.rasterize(mesh.vertices, mesh.faces, camera)[1]
    for name, joint in joints.items():
        x, y = project(joint, camera).astype(int)
        assert front[y, x] >= 0, name


def test_betas_count_standard_deviations(model):
    """beta 0 is stature, falling; the others leave it nearly alone and grow ever smaller."""
    assert stature(model, [0.0] * 10) == pytest.approx(1.71, abs=0.02)
    assert stature(model, [-3.0] + [0] * 9) == pytest.approx(2.0, abs=0.05)
    assert stature(model, [3.0] + [0] * 9) == pytest.approx(1.43, abs=0.05)
    spread = model.shapedirs.square().sum((0, 1)).sqrt().numpy()
    assert (np.diff(spread) < 0).all() and spread[0] > 3 * spread[1]
    for k in range(1, 10):
        assert abs(stature(model, 2 * np.eye(10)[k]) - stature(model, np.zeros(10))) < 0.06


def test_shapes_stay_human_to_three_sigma(model):
    rng = np.random.default_rng(0)
    for betas in np.clip(rng.normal(size=(12, 10)), -3, 3):
        v, joints = model.shaped(torch.tensor(betas, dtype=torch.float32))
        mesh = trimesh.Trimesh(v.numpy(), model.faces, process=False)
        assert 0.03 < mesh.volume < 0.13 and 1.3 < np.ptp(v[:, 1].numpy()) < 2.1
        np.testing.assert_allclose(joints, model.J_regressor @ v)


def test_pose_correctives_exist_and_stay_small(model):
    assert 0.02 < (model.posedirs != 0).float().mean() < 0.3
    bend = torch.zeros(1, 72)
    bend[0, 3 * 4] = 1.9  # left knee
    straight = replace(model, posedirs=torch.zeros_like(model.posedirs))
    zero = torch.zeros(10), torch.zeros(1, 3)
    moved = (model.pose(zero[0], bend, zero[1])[0] - straight.pose(zero[0], bend, zero[1])[0])[0].norm(dim=1)
    assert 0.005 < moved.max() < 0.08
    assert moved[model.weights[:, 4] + model.weights[:, 1] + model.weights[:, 7] < 0.01].max() < 1e-6


def test_correctives_bring_skinning_near_delta_mush(model, monkeypatch):
    """What they were fitted for (docs/body.md, 6): several joints at once, in poses not used for the fit."""
    from scripts.assets.open_body.learn import DeltaMush

    rest = model.v_template.numpy().astype(float)
    mush, plain = DeltaMush(rest, model.faces), replace(model, posedirs=torch.zeros_like(model.posedirs))
    np.testing.assert_allclose(mush(rest), rest, atol=1e-12)
    zero = torch.zeros(10), torch.zeros(1, 3)
    walk, squat = torch.zeros(1, 24, 3), torch.zeros(1, 24, 3)
    walk[0, [1, 2, 4, 5], 0] = torch.tensor([-0.5, 0.35, 0.2, 0.7])
    walk[0, [16, 17], 2] = torch.tensor([-1.2, 1.2])
    squat[0, [1, 2, 4, 5, 3], 0] = torch.tensor([-1.5, -1.5, 1.8, 1.8, 0.4])
    for pose, ratio in ((walk, 5), (squat, 3.5)):
        near, far = (m.pose(zero[0], pose.reshape(1, 72), zero[1])[0][0].numpy() for m in (model, plain))
        goal = mush(far.astype(float))
        after, before = (np.linalg.norm(v - goal, axis=1).mean() for v in (near, far))
        assert before > ratio * after and after < 1e-3, (before, after)


def test_the_zero_pose_is_the_shaped_template(model):
    betas = torch.randn(10, generator=torch.Generator().manual_seed(1))
    vertices, joints, transforms = model.pose(
        betas, torch.zeros(2, 72), torch.tensor([[0.0, 0, 0], [1, 2, 3]])
    )
    rest, rest_joints = model.shaped(betas)
    np.testing.assert_allclose(transforms, np.eye(3, 4)[None, None].repeat(24, 1).repeat(2, 0), atol=1e-6)
    np.testing.assert_allclose(vertices[0], rest, atol=1e-6)
    np.testing.assert_allclose(vertices[1], rest + torch.tensor([1.0, 2, 3]), atol=1e-6)
    np.testing.assert_allclose(joints[0], rest_joints, atol=1e-6)


def test_a_global_turn_pivots_about_the_pelvis(model):
    pose = torch.zeros(1, 72)
    pose[0, 1] = 1.2
    rest, joints = model.shaped(torch.zeros(10))
    vertices, placed, _ = model.pose(torch.zeros(10), pose, torch.zeros(1, 3))
    R = Rotation.from_rotvec([0, 1.2, 0]).as_matrix()
    np.testing.assert_allclose(vertices[0], (rest - joints[0]).numpy() @ R.T + joints[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(placed[0, 0], joints[0], atol=1e-6)


def test_chosen_vertices_are_the_same_vertices(model):
    g = torch.Generator().manual_seed(2)
    betas, poses, transl = (
        torch.randn(10, generator=g),
        0.5 * torch.randn(3, 72, generator=g),
        torch.randn(3, 3),
    )
    ids = torch.tensor([332, 0, 6889, 3387])
    everything, part = (model.pose(betas, poses, transl, vertex_ids=i)[0] for i in (None, ids))
    np.testing.assert_allclose(part, everything[:, ids], atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_forward_pass_equals_smplx(model, tmp_path, capsys):
    smplx = pytest.importorskip("smplx")
    official = smplx.SMPL(str(export_smpl_pickle(model, tmp_path / "SMPL_NEUTRAL.pkl")))
    g = torch.Generator().manual_seed(3)
    betas, poses = torch.randn(10, generator=g), 0.7 * torch.randn(8, 72, generator=g)
    transl = torch.randn(8, 3, generator=g)
    vertices, joints, _ = model.pose(betas, poses, transl)
    want = official(
        betas=betas.expand(8, -1), global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=transl
    )
    np.testing.assert_allclose(vertices, want.vertices.detach(), atol=1e-5)
    np.testing.assert_allclose(joints, want.joints[:, :24].detach(), atol=1e-5)
    landmarks = want.joints[:, 24:].detach()  # read by smplx at its own vertex numbers
    names = ["nose", "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe",
             "left_heel", "right_big_toe", "right_small_toe", "right_heel"]  # fmt: skip
    ids = [LANDMARK_VERTICES[name] for name in names]
    np.testing.assert_allclose(landmarks[:, :11], vertices[:, ids], atol=1e-5)
    owner = model.weights.argmax(1)[[2746, 2319, 2445, 2556, 2673, 6191, 5782, 5905, 6016, 6133]]
    assert set(owner[:5].tolist()) == {22} and set(owner[5:].tolist()) == {23}  # finger tips


def test_the_export_comes_back(model, tmp_path):
    again = load_body_model(export_smpl_pickle(model, tmp_path / "m.pkl"))
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    np.testing.assert_array_equal(again.faces, model.faces)
    np.testing.assert_array_equal(again.uv_faces, model.uv_faces)
    assert again.parents == model.parents and again.hash != model.hash


def test_gradients_reach_every_parameter(model):
    betas, pose, transl = (torch.zeros(s, requires_grad=True) for s in ((10,), (1, 72), (1, 3)))
    vertices, joints, _ = model.pose(betas, pose, transl)
    (vertices.square().sum() + joints.square().sum()).backward()
    for p in (betas, pose, transl):
        assert torch.isfinite(p.grad).all() and p.grad.abs().max() > 0


def test_body25_rows(model):
    points = (model.body25 @ model.v_template).numpy()
    joints = model.shaped(torch.zeros(10))[1].numpy()
    at = dict(zip(BODY25_NAMES, points, strict=True))
    for name in ("right_shoulder", "left_elbow", "right_wrist", "left_hip", "right_knee", "left_ankle"):
        np.testing.assert_allclose(at[name], joints[SMPL_JOINT_NAMES.index(name)], atol=1e-6)
    for name, vertex in LANDMARK_VERTICES.items():
        np.testing.assert_allclose(at[name], model.v_template[vertex], atol=1e-6)
    np.testing.assert_allclose(at["mid_hip"], (at["left_hip"] + at["right_hip"]) / 2, atol=1e-6)
    np.testing.assert_allclose(at["neck"], (at["left_shoulder"] + at["right_shoulder"]) / 2, atol=1e-6)
    np.testing.assert_allclose(body25_regressor(model.J_regressor.numpy()), model.body25, atol=1e-6)


def test_texture_coordinates_cover_the_surface_once(model):
    assert model.uv.min() >= 0 and model.uv.max() <= 1 and model.uv_faces.shape == model.faces.shape
    a, b, c = (model.uv[model.uv_faces[:, k]] for k in range(3))
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (area <= 0).sum() < 20  # a few slivers at the ears
    assert 0.5 < area.sum() < 0.7
    size = 512
    front = raster.rasterize_pixels(model.uv * size, np.ones(len(model.uv)), model.uv_faces, size, size)[1]
    covered = (front >= 0).mean()
    assert covered == pytest.approx(area.sum(), abs=0.01)  # no overlap
    owner = {}
    for uv_id, vertex in zip(model.uv_faces.ravel(), model.faces.ravel(), strict=True):
        assert owner.setdefault(uv_id, vertex) == vertex  # a texture coordinate belongs to one vertex


def a_body(model, frames=3, **changes):
    g = np.random.default_rng(4)
    body = Body(
        betas=g.normal(size=10),
        global_orient=g.normal(size=(frames, 3)),
        body_pose=0.3 * g.normal(size=(frames, 69)),
        transl=g.normal(size=(frames, 3)),
        camera=default_camera(64, 64),
        valid=np.ones(frames, bool),
        model_hash=model.hash,
    )
    return replace(body, **changes)


def test_posed_gives_every_frame(model):
    body = a_body(model, 35)  # more than one batch
    vertices, joints = posed(model, body)
    assert vertices.shape == (35, 6890, 3) and joints.shape == (35, 24, 3) and vertices.dtype == np.float32
    last, last_joints = posed(model, body.frame(34))
    np.testing.assert_allclose(last[0], vertices[34], atol=1e-5)
    np.testing.assert_allclose(last_joints[0], joints[34], atol=1e-5)


def test_parameters_of_another_model_are_refused(model):
    with pytest.raises(HvrError, match="0badc0de.*03_body"):
        posed(model, a_body(model, model_hash="0badc0de" * 8))
    assert posed(model, a_body(model, model_hash=""))[0].shape == (3, 6890, 3)  # of unknown origin


def test_the_hash_follows_the_file(tmp_path):
    arrays = dict(np.load(OPEN_BODY))
    path = tmp_path / "body.npz"
    np.savez(path, **arrays)
    first = load_body_model(path)
    arrays["v_template"] = arrays["v_template"] + 1e-3
    np.savez(path, **arrays)
    second = load_body_model(path)
    assert first.hash != second.hash and not torch.equal(first.v_template, second.v_template)
    assert load_body_model(path) is second  # read once


def test_a_missing_model(tmp_path):
    with pytest.raises(HvrError, match="nothing.pkl is missing"):
        load_body_model(tmp_path / "nothing.pkl")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no archive at all", None])
def test_a_corrupt_model(tmp_path, content):
    path = tmp_path / "SMPL_NEUTRAL.npz"
    path.write_bytes(OPEN_BODY.read_bytes()[:100_000] if content is None else content)
    with pytest.raises(HvrError, match="SMPL_NEUTRAL.npz"):
        load_body_model(path)


@pytest.mark.parametrize(
    "key,change,complaint",
    [
        ("weights", None, "has no weights"),
        ("posedirs", lambda a: a[:, :, :200], "24-joint"),
        ("J_regressor", lambda a: np.concatenate([a, a]), "24-joint"),
        ("weights", lambda a: a[:-1], "weights"),
        ("shapedirs", lambda a: a[:, :, :4], "shapedirs"),
        ("f", lambda a: a + 10, "f cannot"),
        ("f", lambda a: a[:, :2], "f cannot"),
        ("v_template", lambda a: a * np.nan, "v_template"),
        ("kintree_table", lambda a: a[:, ::-1], "kintree_table"),
    ],
)
def test_arrays_that_are_no_body(tmp_path, key, change, complaint):
    arrays = dict(np.load(OPEN_BODY))
    value = arrays.pop(key)
    if change is not None:
        arrays[key] = change(value)
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(HvrError, match=complaint):
        load_body_model(tmp_path / "m.npz")


def test_a_model_without_extras_gets_them_or_does_without(tmp_path, model):
    arrays = {k: v for k, v in np.load(OPEN_BODY).items() if k not in ("body25", "vt", "ft")}
    np.savez(tmp_path / "m.npz", **arrays)
    plain = load_body_model(tmp_path / "m.npz")
    assert plain.uv is None and plain.uv_faces is None and plain.name == "m.npz"
    np.testing.assert_allclose(plain.body25, model.body25, atol=1e-6)


def test_where_models_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("hvr_nb.body.model.MODELS", tmp_path)
    assert find_model_file() == OPEN_BODY
    for name in reversed(LICENSED_NAMES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        assert find_model_file() == tmp_path / name


def test_near_the_reference_body(model, shared_data):
    """The recipe of docs/body.md, 6, built twice: same size, proportions and shape space."""
    path = shared_data / "body" / "open_body_reference.npz"
    if not path.exists():
        pytest.skip(f"no reference body at {path}")
    with np.load(path) as file:
        other = {key: file[key] for key in file.files}
    ours, theirs = (
        trimesh.Trimesh(v, f, process=False)
        for v, f in ((model.v_template.numpy(), model.faces), (other["v_template"], other["f"]))
    )
    assert np.ptp(ours.vertices[:, 1]) == pytest.approx(np.ptp(theirs.vertices[:, 1]), rel=0.01)
    assert ours.volume == pytest.approx(theirs.volume, rel=0.03)
    joints = model.shaped(torch.zeros(10))[1].numpy()
    gap = np.linalg.norm(joints - joints[0] - (other["J"] - other["J"][0]), axis=1)
    assert gap.mean() < 0.016 and gap.max() < 0.03
    spread = np.sqrt((other["shapedirs"] ** 2).sum((0, 1)))
    np.testing.assert_allclose(model.shapedirs.square().sum((0, 1)).sqrt(), spread, rtol=0.2)
    nearest = cKDTree(theirs.sample(200_000, seed=0) - other["J"][0]).query(ours.vertices - joints[0])[0]
    assert nearest.mean() < 0.008


def test_what_another_model_made_is_refused_with_both_names():
    wanted = "the mesh was made with body model aaaaaaaa, not bbbbbbbb .mine.; do this"
    with pytest.raises(HvrError, match=wanted):
        check_same_model("the mesh", 12 * "a", 12 * "b", "do this", name="mine")
    with pytest.raises(HvrError, match="not bbbbbbbb; do this"):
        check_same_model("the mesh", 12 * "a", 12 * "b", "do this")
    for made_with, at_hand in (("", "b"), ("a", ""), ("a", "a")):
        check_same_model("the mesh", made_with, at_hand, "do this")
