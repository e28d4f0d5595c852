import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from hvr_nb.methods.nvr import hash_grid
from hvr_nb.methods.nvr.hash_grid import (
    HashGrid,
    RowAdam,
    hash_reference,
    level_sizes,
    pick_backend,
    reading_backend,
)

numba = pytest.importorskip("numba")


def grids(**options):
    options = {"levels": 4, "coarsest": 4, "finest": 40, "log2_table": 9, "scale": 1.0, **options}
    return HashGrid(backend="numba", **options), HashGrid(backend="torch", **options)


def points(n=500, low=-0.1, high=1.1):
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(0)) * (high - low) + low


def test_level_sizes_grow_geometrically_and_are_dense_where_they_fit():
    cells, rows = level_sizes(4, 4, 32, 2**10)
    assert cells == [4, 8, 16, 32]
    assert rows == [128, 736, 1024, 1024]  # 5^3 and 9^3 rounded up to 8, then the table's size


def test_numba_equals_torch_in_value_and_gradient():
    fast, slow = grids()
    x = points()
    weight = torch.randn(len(x), fast.width, generator=torch.Generator().manual_seed(1))
    results = []
    for grid in (fast, slow):
        q = x.clone().requires_grad_()
        out = grid(q)
        (out * weight).sum().backward()
        results.append((out.detach(), grid.table.grad, q.grad))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_gradient_of_the_reference_is_that_of_the_function():
    grid = HashGrid(levels=2, coarsest=3, finest=6, log2_table=6, scale=1.0, backend="torch")
    table = grid.table.detach().double().requires_grad_()
    x = points(20, 0.05, 0.95).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda q, t: hash_reference(q, t, grid.cells, grid.rows, grid.offsets), (x, table)
    )


def test_a_linear_function_on_a_dense_level_is_reproduced():
    n = 8
    grid = HashGrid(levels=1, coarsest=n, finest=n, log2_table=12)
    index = np.stack(np.meshgrid(*[np.arange(n + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    row = index[:, 0] + (n + 1) * (index[:, 1] + (n + 1) * index[:, 2])
    with torch.no_grad():
        grid.table[row, 0] = torch.as_tensor((index / n) @ [1.0, 2.0, -3.0], dtype=torch.float32)
    x = points(200, 0, 1)
    torch.testing.assert_close(grid(x)[:, 0], x @ torch.tensor([1.0, 2.0, -3.0]), rtol=1e-5, atol=1e-5)


def test_gradients_accumulate_and_repeat_bit_for_bit():
    fast, _ = grids()
    x = points()
    runs = []
    for _ in range(2):
        fast.table.grad = None
        fast(x).square().sum().backward()
        runs.append(fast.table.grad.clone())
    assert torch.equal(*runs)
    fast(x).square().sum().backward()
    torch.testing.assert_close(fast.table.grad, 2 * runs[0], rtol=1e-5, atol=1e-6)


def test_row_adam_equals_adam_where_every_row_has_gradient():
    start = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    mine, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    a, b = RowAdam([mine], lr=0.01), torch.optim.Adam([theirs], lr=0.01, betas=(0.9, 0.99), eps=1e-15)
    for _ in range(20):
        for p, optimiser in ((mine, a), (theirs, b)):
            (p - 1).square().sum().backward()
            optimiser.step()
            optimiser.zero_grad()
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_row_adam_skips_rows_without_gradient_and_clears_the_rest(monkeypatch):
    results = []
    for numba_module in (hash_grid.numba, None):
        monkeypatch.setattr(hash_grid, "numba", numba_module)
        p = torch.nn.Parameter(torch.ones(6, 2))
        optimiser = RowAdam([p], lr=0.1)
        for rows in ([1, 4], [4]):
            p.grad = torch.zeros(6, 2)
            p.grad[rows] = 1.0
            optimiser.step()
            assert not p.grad.any()
        untouched = [0, 2, 3, 5]
        assert torch.equal(p[untouched], torch.ones(4, 2))
        results.append(p.detach().clone())
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)
    assert results[0][1, 0] == pytest.approx(0.9, abs=1e-5)
    assert results[0][4, 0] == pytest.approx(0.8, abs=1e-5)


def test_the_backend_follows_the_device(monkeypatch):
    assert pick_backend(torch.device("cpu")) == "numba"
    monkeypatch.setitem(sys.modules, "tinycudann", None)  # an import of it fails
    assert pick_backend(torch.device("cuda")) == "torch"
    monkeypatch.setitem(sys.modules, "tinycudann", ModuleType("tinycudann"))
    assert pick_backend(torch.device("cuda")) == "tcnn"
    assert pick_backend(torch.device("cpu")) == "numba"


def test_tables_are_read_by_backends_of_their_layout_only(monkeypatch):
    for here, written_by, reader in [
        ("numba", "numba", "numba"),
        ("numba", "torch", "numba"),
        ("torch", "numba", "torch"),
        ("tcnn", "tcnn", "tcnn"),
        ("tcnn", "numba", "torch"),
        ("numba", "tcnn", None),
    ]:
        monkeypatch.setattr("hvr_nb.methods.nvr.hash_grid.pick_backend", lambda device, here=here: here)
        assert reading_backend(written_by, torch.device("cpu")) == reader


def test_with_a_stand_in_for_tinycudann_the_table_is_the_only_parameter(fake_tinycudann):
    grid = HashGrid(levels=3, coarsest=4, finest=20, log2_table=9, scale=0.5, seed=4)
    encoding = fake_tinycudann.made[0]
    assert grid.backend == "tcnn" and encoding.dtype == torch.float32
    assert list(grid.state_dict()) == ["table"] and [n for n, _ in grid.named_parameters()] == ["table"]
    assert grid.table.shape == (sum(encoding.rows), 2) and encoding.rows == [64, 512, 512]
    assert encoding.params.numel() == 0  # nothing kept twice
    assert 0.4 < grid.table.detach().abs().max() <= 0.5
    again = HashGrid(levels=3, coarsest=4, finest=20, log2_table=9, scale=0.5, seed=4)
    assert torch.equal(grid.table, again.table)


def test_with_a_stand_in_for_tinycudann_gradients_reach_points_and_table(fake_tinycudann):
    grid = HashGrid(levels=3, coarsest=4, finest=20, log2_table=9, scale=0.5)
    encoding = fake_tinycudann.made[0]
    expected = grid.table.detach().clone().requires_grad_()
    x, y = (points(100).requires_grad_() for _ in range(2))
    want = hash_reference(y, expected, encoding.cells, encoding.rows, encoding.offsets)
    want.square().sum().backward()
    optimiser = RowAdam([grid.table], lr=0.01)
    out = grid(x)
    assert out.shape == (100, grid.width) and out.dtype == torch.float32
    torch.testing.assert_close(out, want)
    out.square().sum().backward()
    torch.testing.assert_close(grid.table.grad, expected.grad)
    torch.testing.assert_close(x.grad, y.grad)
    untouched = ~expected.grad.any(1)
    optimiser.step()
    assert untouched.any() and torch.equal(grid.table[untouched], expected[untouched])
    assert grid(x).square().sum() < out.square().sum()  # the values a step changed are those in use


def test_levels_that_fit_stay_dense_with_tinycudann(fake_tinycudann):
    """As in the residual motion, where no level fills 2**14 rows."""
    HashGrid(levels=4, coarsest=4, finest=24, log2_table=14)
    assert fake_tinycudann.made[0].rows[-1] == 24**3
