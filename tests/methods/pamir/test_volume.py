"""The semantic volume, and a point's place on the body."""

import time

import numpy as np
import pytest
import torch

from hvr_nb.body.model import OPEN_BODY, load_body_model
from hvr_nb.geometry.winding import winding_numbers
from hvr_nb.methods.pamir.point_network import sample_volumes
from hvr_nb.methods.pamir.tetra import with_tetrahedra
from hvr_nb.methods.pamir.volume import (
    place_on_body,
    semantic_volume,
    smooth_codes,
    tetra_volume,
    vertex_codes,
    voxel_centres,
)
from hvr_nb.types import HvrError

TETRA = 0.1 * np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
SIDES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


@pytest.fixture(scope="module")
def body():
    """The open body with an arm raised, in the cube."""
    model = load_body_model(OPEN_BODY)
    poses = torch.zeros(1, 72)
    poses[0, 3 * 16 + 2] = 0.8
    vertices = model.pose(torch.zeros(10), poses, torch.zeros(1, 3))[0][0].numpy() * 0.47
    vertices -= (vertices.max(0) + vertices.min(0)) / 2
    return vertices, model.faces, vertex_codes(model.v_template.numpy())


def test_codes_fill_the_unit_cube(body):
    codes = body[2]
    assert codes.min(0).tolist() == [0, 0, 0] and codes.max(0).tolist() == [1, 1, 1]


def test_the_mean_is_exact_over_all_vertices(body):
    vertices, _, codes = body
    points = vertices[::500] * 0.98
    weight = np.exp(-((points[:, None] - vertices[None]).astype(np.float64) ** 2).sum(-1) / 0.05**2)
    exact = weight @ codes.astype(np.float64) / weight.sum(1, keepdims=True)
    assert np.abs(smooth_codes(points, vertices, codes) - exact).max() < 1e-5


def test_the_width_of_the_smoothing():
    codes = np.array([[0.0, 0, 0], [1, 1, 1]])
    pair = np.array([[-0.05, 0, 0], [0.05, 0, 0]])
    assert smooth_codes(np.zeros((1, 3)), pair, codes)[0] == pytest.approx(0.5)
    pair[1, 0] = 0.1
    assert smooth_codes(np.zeros((1, 3)), pair, codes)[0] == pytest.approx(0.0474, abs=5e-5)


@pytest.mark.parametrize("fill", ["surface", "tetrahedra"])
def test_order_of_the_axes(fill):
    """A tetrahedron at +x lights the high end of the last axis, and sampling at 2 p finds its code."""
    vertices, codes = TETRA + [0.3, 0.1, -0.2], np.full((4, 3), [0.2, 0.5, 0.9], np.float32)
    if fill == "surface":
        volume = semantic_volume(vertices, SIDES, codes, side=128)
    else:
        volume = tetra_volume(vertices, np.array([[0, 1, 2, 3]]), 4, codes, side=128)
    z, y, x = np.nonzero(volume[0])
    assert len(x) == pytest.approx(0.1**3 / 6 * 128**3, rel=0.15)
    axis = voxel_centres(128)
    assert 0.3 <= axis[x].min() and 0.1 <= axis[y].min() and -0.2 <= axis[z].min() < axis[z].max() < -0.1
    at = torch.tensor([[[0.32, 0.12, -0.18]]])
    assert sample_volumes(torch.from_numpy(volume)[None], at).flatten().tolist() == pytest.approx(
        [0.2, 0.5, 0.9]
    )


def test_tetrahedra_and_the_surface_agree():
    """Away from the faces, where a voxel's centre is on neither side."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        corners = rng.uniform(-0.4, 0.4, (4, 3))
        faces = SIDES if np.linalg.det(corners[1:] - corners[0]) > 0 else SIDES[:, ::-1]
        codes = rng.random((4, 3)).astype(np.float32)
        a = semantic_volume(corners, faces, codes, side=48)
        b = tetra_volume(corners, np.array([[0, 1, 2, 3]]), 4, codes, side=48)
        assert np.allclose(a, b)


def test_the_inside_equals_the_winding_number(body):
    vertices, faces, codes = body
    volume = semantic_volume(vertices, faces, codes, side=48)
    axis = voxel_centres(48)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    inside = winding_numbers(np.stack([x, y, z], -1).reshape(-1, 3), vertices, faces).reshape(z.shape) > 0
    assert (inside == (volume != 0).any(0)).all() and 500 < inside.sum() < 1500


def test_the_code_at_a_vertex_is_about_its_own(body):
    vertices, _, codes = body
    found = smooth_codes(vertices[::50], vertices, codes)
    error = np.abs(found - codes[::50])
    assert np.median(error) < 0.05
    step = smooth_codes(vertices[::50] + [0.001, 0, 0], vertices, codes)
    assert np.abs(step - found).max() < 0.05  # continuous


def test_a_frame_takes_less_than_a_third_of_a_second(body):
    semantic_volume(*body, side=32)
    began = time.process_time()
    semantic_volume(*body, side=64)
    assert time.process_time() - began < 0.6  # two cores; one of them is enough at the small size


def test_place_on_the_body(body):
    vertices, faces, codes = body
    corner = vertices[faces[4000]]
    normal = np.cross(corner[1] - corner[0], corner[2] - corner[0])
    normal /= np.linalg.norm(normal)
    middle = corner.mean(0)
    place = place_on_body(
        np.stack([middle + 0.004 * normal, middle - 0.002 * normal]), vertices, faces, codes
    )
    assert place[:, 0].tolist() == pytest.approx([0.004, -0.002], abs=3e-4)
    assert np.allclose(place[0, 1:4], codes[faces[4000]].mean(0), atol=0.01)
    assert float(place[0, 4:] @ torch.from_numpy(normal).float()) > 0.9


@pytest.fixture
def tetra_file(tmp_path):
    """Two interior vertices in the trunk of the open body, counted from one as the authors do."""
    model = load_body_model(OPEN_BODY)
    near = [3500, 3021]  # skin whose weights and shape they take
    v = model.v_template.numpy()[near] * [0.5, 1, 0.5]
    posedirs = model.posedirs.numpy().reshape(207, -1, 3)[:, near].transpose(1, 2, 0)
    count = model.v_count
    path = tmp_path / "tetra_smpl.npz"
    arrays = {
        "v_template_added": v,
        "shapedirs_added": model.shapedirs.numpy()[near],
        "posedirs_added": posedirs,
        "weights_added": model.weights.numpy()[near],
        "tetrahedrons": np.array([[1, 2, 3, count + 1], [4, 5, count + 1, count + 2]]),
    }
    np.savez(path, **arrays)
    return model, path, arrays


def test_interior_vertices_are_posed_like_the_skin(tetra_file):
    model, path, _ = tetra_file
    whole, tetrahedra = with_tetrahedra(model, path)
    assert whole.v_count == model.v_count + 2 and tetrahedra.min() == 0
    assert tetrahedra.max() == model.v_count + 1
    torch.manual_seed(0)
    args = torch.randn(10), 0.2 * torch.randn(1, 72), torch.tensor([[0.1, 0.2, 0.3]])
    (a, joints, _), (b, others, _) = model.pose(*args), whole.pose(*args)
    assert torch.allclose(a[0], b[0, : model.v_count], atol=1e-6) and torch.allclose(joints, others)
    flat = torch.zeros(1, 72)
    moved = whole.pose(torch.zeros(10), flat, torch.zeros(1, 3))[0][0, model.v_count :]
    assert torch.allclose(moved, whole.v_template[-2:], atol=1e-6)


@pytest.mark.parametrize("wrong", ["tetrahedrons", "weights_added"])
def test_a_file_of_another_model_is_refused(tetra_file, wrong):
    model, path, arrays = tetra_file
    np.savez(path, **arrays | {wrong: arrays[wrong] + 5 if wrong == "tetrahedrons" else np.zeros((3, 24))})
    with pytest.raises(HvrError, match=r"tetra_smpl.npz does not fit open body.*licensed SMPL"):
        with_tetrahedra(model, path)
