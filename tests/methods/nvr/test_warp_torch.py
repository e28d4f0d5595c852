import sys
from collections import namedtuple
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch

from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.geometry.camera import default_camera
from hvr_nb.geometry.nearest import _closest_numpy
from hvr_nb.methods.nvr import warp, warp_torch
from hvr_nb.types import Body

pytest.importorskip("numba")


@pytest.fixture(scope="module")
def scene():
    """The open body in two poses."""
    model = load_body_model()
    rng = np.random.default_rng(0)
    body = Body(
        betas=0.5 * rng.normal(size=10),
        global_orient=0.5 * rng.normal(size=(2, 3)),
        body_pose=0.2 * rng.normal(size=(2, 69)),
        transl=rng.normal(size=(2, 3)),
        camera=default_camera(64, 64),
        valid=np.ones(2, bool),
        model_hash=model.hash,
    )
    canonical = make_canonical(body, model)
    return canonical, warp.pose_bank(model, canonical, body.betas, body.poses, body.transl)


@pytest.fixture
def fake_pytorch3d(monkeypatch):
    """Not PyTorch3D: a stand-in with the documented signature of ``pytorch3d.ops.knn_points``."""
    calls = []
    KNN = namedtuple("KNN", "dists idx knn")

    def knn_points(
        p1, p2, lengths1=None, lengths2=None, norm=2, K=1, version=-1, return_nn=False, return_sorted=True
    ):
        assert p1.ndim == p2.ndim == 3 and len(p1) == len(p2) and norm == 2
        calls.append(tuple(p1.shape))
        squared = (p1.double()[:, :, None] - p2.double()[:, None]).square().sum(-1)
        dists, idx = squared.topk(K, dim=2, largest=False)
        return KNN(dists.float(), idx, None)

    package, ops = ModuleType("pytorch3d"), ModuleType("pytorch3d.ops")
    package.ops, ops.knn_points = ops, knn_points
    monkeypatch.setitem(sys.modules, "pytorch3d", package)
    monkeypatch.setitem(sys.modules, "pytorch3d.ops", ops)
    return calls


@pytest.fixture
def no_pytorch3d(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch3d", None)  # an import of it fails


def in_torch(bank, canonical, **options):
    """The bank with copies that are searched in torch, here on the CPU."""
    arrays = (bank.vertices, bank.normals, bank.maps, canonical.vertices, canonical.faces)
    return replace(bank, on_device=warp_torch.device_bank(*arrays, "cpu", **options))


def rays(bank, count=300, samples=6):
    """Rays of both frames in mixed order, up to some 15 cm off the skin on either side."""
    rng = np.random.default_rng(1)
    frame = rng.integers(0, len(bank), count)
    start = bank.vertices[frame, rng.integers(0, bank.vertices.shape[1], count)]
    along = rng.normal(size=(count, 1, 3)) * 0.01 * np.arange(samples)[:, None]
    return (start[:, None] + along + 1e-3 * rng.normal(size=along.shape)).astype(np.float32), frame


def check_equal(scene, bank):
    canonical, plain = scene
    points, frame = rays(plain)
    big, distance, face, bary = warp.warp_rays(points, frame, bank, canonical)
    expected = warp.warp_rays(points, frame, plain, canonical)
    for got, want in zip((big, distance, face, bary), expected, strict=True):
        assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(distance, expected[1], atol=2e-6)
    np.testing.assert_allclose(big, expected[0], atol=5e-5)
    np.testing.assert_allclose(bary.sum(-1), 1, atol=1e-5)
    assert bary.min() >= -1e-5
    corners = canonical.faces[face]  # faces may differ at ties, the feet may not
    feet = (bary[..., None] * plain.vertices[frame[:, None, None], corners]).sum(2)
    np.testing.assert_allclose(np.linalg.norm(points - feet, axis=-1), np.abs(distance), atol=2e-6)
    assert (face == expected[2]).mean() > 0.8
    assert (distance < -0.01).any() and (distance > 0.05).any()


def test_plain_torch_equals_numba_in_two_poses(scene, no_pytorch3d):
    canonical, plain = scene
    bank = in_torch(plain, canonical)
    assert bank.on_device.nearest_vertex is warp_torch.nearest_vertex_torch
    check_equal(scene, bank)


def test_a_stand_in_for_pytorch3d_is_picked_called_as_documented_and_equals_numba(scene, fake_pytorch3d):
    canonical, plain = scene
    bank = in_torch(plain, canonical)
    assert bank.on_device.nearest_vertex is warp_torch.nearest_vertex_pytorch3d
    check_equal(scene, bank)
    assert len(fake_pytorch3d) == 2 and sum(shape[1] for shape in fake_pytorch3d) == 300 * 6  # once a frame


def test_the_search_for_vertices_can_be_given(scene):
    canonical, plain = scene
    seen = []

    def search(points, vertices):
        seen.append(len(points))
        return warp_torch.nearest_vertex_torch(points, vertices)

    check_equal(scene, in_torch(plain, canonical, nearest_vertex=search))
    assert sum(seen) == 300 * 6


def test_pieces_do_not_change_the_result(scene, monkeypatch, no_pytorch3d):
    canonical, plain = scene
    bank, (points, frame) = in_torch(plain, canonical), rays(plain, 50)
    whole = warp.warp_rays(points, frame, bank, canonical)
    monkeypatch.setattr(warp_torch, "CHUNK", 37)
    monkeypatch.setattr(warp_torch, "DISTANCES", 20 * plain.vertices.shape[1])
    for a, b in zip(whole, warp.warp_rays(points, frame, bank, canonical), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


def test_only_banks_of_devices_that_search_for_themselves_keep_copies(monkeypatch):
    model = load_body_model()
    body = Body(
        betas=np.zeros(10),
        global_orient=np.zeros((1, 3)),
        body_pose=np.zeros((1, 69)),
        transl=np.zeros((1, 3)),
        camera=default_camera(64, 64),
        valid=np.ones(1, bool),
        model_hash=model.hash,
    )
    canonical = make_canonical(body, model)
    args = (model, canonical, body.betas, body.poses, body.transl)
    assert warp.pose_bank(*args, device="cpu").on_device is None
    monkeypatch.setattr(warp, "TORCH_DEVICES", ("cpu",))
    assert warp.pose_bank(*args, device=torch.device("cpu")).on_device.vertices.shape == (1, 6890, 3)


def test_every_region_of_a_triangle():
    rng = np.random.default_rng(2)
    a, b, c = np.array([0.0, 0, 0]), np.array([1.0, 0, 0]), np.array([0.3, 0.8, 0])
    p = rng.uniform(-1, 2, (500, 3))
    p[:3] = a, b, c
    expected = _closest_numpy(p, *(np.broadcast_to(x, p.shape) for x in (a, b, c)))
    got = warp_torch.closest_on_triangle(
        torch.as_tensor(p), *(torch.as_tensor(x).expand(500, 3) for x in (a, b, c))
    )
    np.testing.assert_allclose(got, expected, atol=1e-9)
    kinds = {tuple(row) for row in (expected > 1e-9).tolist()}
    assert len(kinds) == 7  # corners, edges and the inside


def test_a_triangle_without_area_gives_its_nearest_corner_not_nan():
    point = torch.tensor([1.0, 2.0, 3.0])
    assert warp_torch.closest_on_triangle(point, *torch.zeros(3, 3)).tolist() == [1, 0, 0]


def test_rings_are_filled_up_with_their_first_face():
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1]])
    assert warp_torch.padded_rings(faces, 4).tolist() == [[0, 1, 2], [0, 2, 0], [0, 1, 0], [1, 2, 1]]


def test_all_tensors_are_on_the_device_of_the_bank(scene, no_pytorch3d):
    """On torch's "meta" device shapes and devices are worked out and nothing is computed."""
    canonical, plain = scene
    points, frame = rays(plain, 20)
    arrays = (plain.vertices, plain.normals, plain.maps, canonical.vertices, canonical.faces)
    bank = warp_torch.device_bank(*arrays, "meta")
    got = warp_torch.warp_rays_torch(torch.as_tensor(points, device="meta"), frame, bank)
    assert [tuple(t.shape) for t in got] == [(20, 6, 3), (20, 6), (20, 6), (20, 6, 3)]
    assert {t.device.type for t in got} == {"meta"}
    with pytest.raises(RuntimeError, match="device"):
        warp_torch.warp_rays_torch(torch.as_tensor(points), frame, bank)
