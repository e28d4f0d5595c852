import numpy as np
import pytest

from hvr_nb.canonical import harmonic


def test_between_two_walls_values_rise_evenly():
    fixed = np.zeros((17, 6, 7), bool)
    fixed[0] = fixed[-1] = True
    values = np.full((17, 6, 7, 2), np.nan, np.float32)
    values[0], values[-1] = (0, 1), (1, 3)
    found = harmonic.extend(values, fixed, sweeps=200)
    along = np.arange(17) / 16
    np.testing.assert_allclose(found[..., 0], np.broadcast_to(along[:, None, None], (17, 6, 7)), atol=2e-3)
    np.testing.assert_allclose(
        found[..., 1], np.broadcast_to(1 + 2 * along[:, None, None], (17, 6, 7)), atol=4e-3
    )
    np.testing.assert_array_equal(found[0], values[0])


def test_every_free_node_is_the_mean_of_its_neighbours():
    rng = np.random.default_rng(0)
    fixed = rng.random((24, 20, 14)) < 0.02
    found = harmonic.extend(rng.random((24, 20, 14, 3)), fixed, sweeps=300)
    inner = found[1:-1, 1:-1, 1:-1]
    mean = sum(np.roll(found, s, axis)[1:-1, 1:-1, 1:-1] for axis in range(3) for s in (1, -1)) / 6
    assert np.abs(mean - inner)[~fixed[1:-1, 1:-1, 1:-1]].max() < 2e-4


def test_without_numba_the_result_is_the_same(monkeypatch):
    if harmonic.numba is None:
        pytest.skip("numba is not installed: there is only one way")
    rng = np.random.default_rng(1)
    fixed = rng.random((14, 13, 12)) < 0.05
    values = rng.random((14, 13, 12, 4))
    fast = harmonic.extend(values, fixed, sweeps=10)
    monkeypatch.setattr(harmonic, "numba", None)
    np.testing.assert_allclose(harmonic.extend(values, fixed, sweeps=10), fast, atol=1e-5)
