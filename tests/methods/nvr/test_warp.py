import numpy as np
import pytest

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.big_pose import make_canonical, warp_to_canonical
from hvr_nb.geometry.camera import default_camera
from hvr_nb.methods.nvr import warp
from hvr_nb.types import Body


@pytest.fixture(scope="module")
def scene():
    model = load_body_model()
    rng = np.random.default_rng(0)
    body = Body(
        betas=0.5 * rng.normal(size=10),
        global_orient=0.5 * rng.normal(size=(3, 3)),
        body_pose=0.2 * rng.normal(size=(3, 69)),
        transl=rng.normal(size=(3, 3)),
        camera=default_camera(64, 64),
        valid=np.ones(3, bool),
        model_hash=model.hash,
    )
    canonical = make_canonical(body, model)
    return model, body, canonical, warp.pose_bank(model, canonical, body.betas, body.poses, body.transl)


def rays_about(bank, frame, count=40, samples=6):
    rng = np.random.default_rng(1)
    start = bank.vertices[frame, rng.integers(0, bank.vertices.shape[1], count)]
    along = rng.normal(size=(count, 1, 3)) * 0.01 * np.arange(samples)[:, None]
    return (start[:, None] + along).astype(np.float32)


def test_the_bank_holds_the_posed_bodies(scene):
    model, body, _, bank = scene
    vertices, joints = posed(model, body)
    np.testing.assert_allclose(bank.vertices, vertices, atol=1e-5)
    np.testing.assert_allclose(bank.joints, joints, atol=1e-5)
    assert len(bank) == 3


def test_rays_of_several_frames_equal_the_plain_map(scene):
    _, _, canonical, bank = scene
    frame = np.array([0, 1, 2]).repeat(40)
    points = np.concatenate([rays_about(bank, t) for t in range(3)])
    big, distance, face, bary = warp.warp_rays(points, frame, bank, canonical)
    for t in range(3):
        mine = frame == t
        x, d = warp_to_canonical(points[mine].reshape(-1, 3), canonical, bank.vertices[t], bank.transforms[t])
        np.testing.assert_allclose(big[mine].reshape(-1, 3), x, atol=2e-5)
        np.testing.assert_allclose(distance[mine].ravel(), d, atol=2e-6)
    np.testing.assert_allclose(bary.sum(-1), 1, atol=1e-5)


def test_without_numba_the_result_is_the_same(scene, monkeypatch):
    _, _, canonical, bank = scene
    points, frame = rays_about(bank, 1), np.ones(40, int)
    fast = warp.warp_rays(points, frame, bank, canonical)
    args = (frame.repeat(6), fast[2].ravel(), fast[3].reshape(-1, 3), canonical.faces)
    gathered = warp.at_samples(bank.normals, *args)
    monkeypatch.setattr(warp, "numba", None)
    slow = warp.warp_rays(points, frame, bank, canonical)
    np.testing.assert_allclose(fast[0], slow[0], atol=2e-5)
    np.testing.assert_allclose(fast[1], slow[1], atol=2e-6)
    np.testing.assert_allclose(gathered, warp.at_samples(bank.normals, *args), atol=1e-6)


def test_skin_weights_at_surface_points_sum_to_one(scene):
    _, _, canonical, _ = scene
    weights = warp.skin_weights_at(canonical, np.array([0, 9]), np.array([[1.0, 0, 0], [0.2, 0.3, 0.5]]))
    np.testing.assert_allclose(weights[0], canonical.weights[canonical.faces[0, 0]])
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
