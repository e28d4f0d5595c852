import numpy as np
import pytest

from hvr_nb.body.model import load_body_model
from hvr_nb.geometry.nearest import _closest_numpy, nearest_surface, on_surface

TETRA = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
TETRA_FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


@pytest.mark.parametrize("use_numba", [True, False])
def test_known_points_of_a_tetrahedron(use_numba):
    points = np.array([[0.2, 0.2, -0.3], [0.2, 0.2, 0.1], [-1.0, -1.0, -1.0], [0.5, -0.5, 0.0]])
    face, bary, distance = nearest_surface(points, TETRA, TETRA_FACES, use_numba=use_numba)
    np.testing.assert_allclose(distance, [0.3, -0.1, np.sqrt(3), 0.5], atol=1e-6)
    foot = on_surface(TETRA, TETRA_FACES, face, bary)
    np.testing.assert_allclose(foot, [[0.2, 0.2, 0], [0.2, 0.2, 0], [0, 0, 0], [0.5, 0, 0]], atol=1e-6)


def test_body_surface_against_every_triangle():
    model = load_body_model()
    v, f = model.v_template.numpy(), model.faces
    rng = np.random.default_rng(0)
    points = (v[rng.integers(0, len(v), 300)] + 0.03 * rng.normal(size=(300, 3))).astype(np.float32)
    _, _, distance = nearest_surface(points, v, f)
    exact = np.empty(len(points))
    for i, p in enumerate(points):
        bary = _closest_numpy(p[None], v[f[:, 0]], v[f[:, 1]], v[f[:, 2]])
        exact[i] = np.linalg.norm((bary[:, :, None] * v[f]).sum(1) - p, axis=1).min()
    error = np.abs(distance) - exact
    assert error.min() > -1e-6
    assert np.percentile(error, 99) < 5e-4 and error.max() < 5e-3


def test_numba_and_scipy_agree():
    model = load_body_model()
    v, f = model.v_template.numpy(), model.faces
    points = np.random.default_rng(1).uniform(v.min(0) - 0.1, v.max(0) + 0.1, (2000, 3))
    fast, slow = (nearest_surface(points, v, f, use_numba=n)[2] for n in (True, False))
    np.testing.assert_allclose(fast, slow, atol=2e-6)
