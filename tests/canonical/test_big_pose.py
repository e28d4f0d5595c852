from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import cKDTree

from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import (
    PART_JOINTS,
    Canonical,
    make_canonical,
    round_trip_error,
    sample_field,
    vertex_parts,
    warp_to_canonical,
    warp_to_posed,
)
from hvr_nb.geometry.camera import default_camera
from hvr_nb.store.arrays import read_npz, write_npz
from hvr_nb.types import Body, HvrError


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def body(model):
    rng = np.random.default_rng(0)
    return Body(
        betas=0.5 * rng.normal(size=10),
        global_orient=0.3 * rng.normal(size=(2, 3)),
        body_pose=0.2 * rng.normal(size=(2, 69)),
        transl=np.array([[0.1, 0.2, -3.0], [0, 0, -2.5]]),
        camera=default_camera(64, 64),
        valid=np.ones(2, bool),
        model_hash=model.hash,
    )


@pytest.fixture(scope="module")
def canonical(body, model):
    return make_canonical(body, model)


@pytest.fixture(scope="module")
def frame(body, model):
    t = [torch.as_tensor(a, dtype=torch.float32) for a in (body.betas, body.poses[:1], body.transl[:1])]
    vertices, _, transforms = model.pose(*t)
    return vertices[0].numpy(), transforms[0].numpy()


def test_the_same_bits_with_one_thread_and_with_two(body, model):
    before, made = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            made.append(make_canonical(body, model))
    finally:
        torch.set_num_threads(before)
    for name in ("rest_joints", "vertices", "A_big", "field_weights", "field_distance"):
        assert np.array_equal(*(getattr(one, name) for one in made)), name


def test_zero_pose_gives_identity(model):
    _, _, transforms = model.pose(torch.zeros(10), torch.zeros(1, 72), torch.zeros(1, 3))
    expected = torch.eye(3, 4).expand(24, 3, 4)
    torch.testing.assert_close(transforms[0], expected, atol=1e-6, rtol=0)


def test_big_pose_turns_the_hips_only(canonical):
    A = canonical.A_big
    angle = np.degrees(np.arctan2(A[:, 1, 0], A[:, 0, 0]))
    left, right = [1, 4, 7, 10], [2, 5, 8, 11]
    np.testing.assert_allclose(angle[left], 30, atol=1e-3)
    np.testing.assert_allclose(angle[right], -30, atol=1e-3)
    others = [j for j in range(24) if j not in left + right]
    np.testing.assert_allclose(A[others], np.broadcast_to(np.eye(3, 4), (len(others), 3, 4)), atol=1e-6)
    feet = canonical.vertices[canonical.weights.argmax(1) == 7][:, 0]
    assert feet.min() > 0.2  # the left foot stands well to the subject's left


def test_posed_vertices_go_to_big_pose_vertices(canonical, frame):
    back, distance = warp_to_canonical(frame[0], canonical, *frame)
    np.testing.assert_allclose(back, canonical.vertices, atol=1e-5)
    assert np.abs(distance).max() < 1e-5


def test_points_near_the_body_go_there_and_back(canonical, frame):
    rng = np.random.default_rng(0)
    points = canonical.vertices + rng.normal(size=canonical.vertices.shape) * 0.005
    posed = warp_to_posed(points, canonical, *frame)
    back, _ = warp_to_canonical(posed, canonical, *frame)
    error = np.linalg.norm(back - points, axis=1)
    assert np.percentile(error, 90) < 1e-3 and np.median(error) < 1e-4


def test_parts_partition_the_vertices(canonical, model):
    assert sorted(j for joints in PART_JOINTS for j in joints) == list(range(24))
    counts = np.bincount(canonical.parts, minlength=5)
    assert counts.sum() == model.v_count and (counts > 100).all()
    one_hot = np.eye(24)[[0, 4, 15, 20, 23]]
    np.testing.assert_array_equal(vertex_parts(one_hot), [0, 1, 2, 3, 4])


def test_fields_know_their_own_grid(canonical):
    x, y, z = canonical.field_distance.shape
    upper = canonical.origin + canonical.spacing * (np.array([x, y, z]) - 1)
    assert (upper >= canonical.bounds[1] - 1e-6).all() and (upper < canonical.bounds[1] + 0.026).all()
    np.testing.assert_array_equal(canonical.field_weights.sum(-1), 1)
    for field in (canonical.field_weights, canonical.field_distance):  # short numbers: half the file
        np.testing.assert_array_equal(field * 2.0**15, np.round(field * 2.0**15))
    distance = sample_field(canonical, canonical.field_distance, canonical.vertices)
    assert np.abs(distance).mean() < 0.006  # a 25 mm grid cannot do better at thin parts
    node = x // 2, y // 2, z // 2
    here = canonical.origin + canonical.spacing * np.array([node])
    np.testing.assert_allclose(
        sample_field(canonical, canonical.field_distance, here), canonical.field_distance[node], atol=1e-5
    )
    weights = sample_field(canonical, canonical.field_weights, canonical.vertices)
    assert np.abs(weights - canonical.weights).mean() < 0.02


def test_the_distance_field_is_the_distance_to_the_surface(canonical):
    nodes = np.stack(np.meshgrid(*map(np.arange, canonical.field_distance.shape), indexing="ij"), -1)
    nodes, distance = nodes.reshape(-1, 3)[::97], canonical.field_distance.ravel()[::97]
    body = trimesh.Trimesh(canonical.vertices, canonical.faces, process=False)
    dots, _ = trimesh.sample.sample_surface(body, 200_000, seed=0)  # some 3 mm apart
    far, _ = cKDTree(dots).query(canonical.origin + canonical.spacing * nodes)
    np.testing.assert_allclose(np.abs(distance), far, atol=5e-3)
    assert sample_field(canonical, canonical.field_distance, canonical.rest_joints[:1]) < -0.05  # the pelvis
    assert canonical.field_distance[0, 0, 0] > 0.05


def test_saved_and_read_equal(canonical, tmp_path):
    write_npz(tmp_path / "canonical.npz", canonical, {})
    back, _ = read_npz(tmp_path / "canonical.npz", Canonical, remedy="")
    np.testing.assert_array_equal(back.field_weights, canonical.field_weights)
    assert back.part_names == canonical.part_names and back.spacing == canonical.spacing
    assert back.model_hash == canonical.model_hash


def test_files_with_the_fields_of_earlier_versions_are_read(canonical, tmp_path):
    write_npz(tmp_path / "now.npz", canonical, {})
    with np.load(tmp_path / "now.npz") as file:
        np.savez(tmp_path / "before.npz", field_face=np.zeros((2, 2, 2), np.int32), **file)
    back, _ = read_npz(tmp_path / "before.npz", Canonical, remedy="")
    np.testing.assert_array_equal(back.field_distance, canonical.field_distance)


def test_another_models_body_is_refused(body, model):
    with pytest.raises(HvrError, match="03_body"):
        make_canonical(replace(body, model_hash="f" * 64), model)


def test_round_trip_is_reported_in_millimetres(canonical, body, model):
    error = round_trip_error(canonical, body, model)
    assert error["vertex_mm"] < 0.05
    assert error["mean_mm"] < 5.0 and error["mean_mm"] < error["p95_mm"]
