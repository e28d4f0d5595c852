"""Multi-resolution hash grids and the optimiser of their tables.

Mueller et al., "Instant Neural Graphics Primitives with a Multiresolution Hash Encoding", 2022,
section 3. One interface, three backends: a numba kernel on the CPU (parallel over levels, so that
the backward pass needs no atomics and is deterministic), tiny-cuda-nn on CUDA where it imports, and
PyTorch level by level everywhere, the reference of the tests (speeds: docs/field.md, 1). The first and
the last read each other's tables; tiny-cuda-nn reads only its own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

try:
    import numba
except ImportError:  # the PyTorch path serves
    numba = None

PRIMES = (1, 2654435761, 805459861)  # spatial hash, equation 4 of the paper
FEATURES = 2  # numbers per row of a table


def level_sizes(levels: int, coarsest: int, finest: int, table: int) -> tuple[list[int], list[int]]:
    """Cells along an axis and rows of every level: geometric growth (equations 2 and 3)."""
    growth = (finest / coarsest) ** (1 / max(levels - 1, 1))
    cells = [round(coarsest * growth**level) for level in range(levels)]
    rows = [min((n + 1) ** 3 + (-((n + 1) ** 3)) % 8, table) for n in cells]
    return cells, rows


class HashGrid(nn.Module):
    """Learned features of points in the unit cube, two numbers a level.

    Args:
        levels: number of levels. coarsest, finest: cells along an axis of the first and last.
        log2_table: each level has at most 2**log2_table rows; a level that fits is indexed densely.
        scale: the table starts uniform in [-scale, scale]. seed: of that start.
        device: of the table, the only parameter.
        backend: "numba", "torch" or "tcnn"; None picks the fastest that imports for ``device``.
    """

    def __init__(
        self,
        *,
        levels: int = 8,
        coarsest: int = 16,
        finest: int = 512,
        log2_table: int = 16,
        scale: float = 1e-4,
        seed: int = 0,
        device="cpu",
        backend: str | None = None,
    ):
        super().__init__()
        self.cells, self.rows = level_sizes(levels, coarsest, finest, 2**log2_table)
        self.offsets = np.concatenate([[0], np.cumsum(self.rows)]).astype(np.int64)
        self.backend = backend or pick_backend(torch.device(device))
        rows = int(self.offsets[-1])
        if self.backend == "tcnn":
            from hvr_nb.methods.nvr.hash_grid_tcnn import TcnnGrid

            self.tcnn = TcnnGrid(self.cells, log2_table, FEATURES)
            rows = self.tcnn.rows
        generator = torch.Generator().manual_seed(seed)
        values = torch.rand(rows, FEATURES, generator=generator) * 2 - 1
        self.table = nn.Parameter((values * scale).to(device))

    @property
    def width(self) -> int:
        """Numbers per point of the output."""
        return len(self.cells) * FEATURES

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, levels * 2) of points (N, 3); points outside [0, 1] are clamped."""
        if self.backend == "tcnn":
            return self.tcnn(x, self.table)
        if self.backend == "numba":
            return _NumbaHash.apply(x, self.table, self)
        return hash_reference(x, self.table, self.cells, self.rows, self.offsets)


def pick_backend(device: torch.device) -> str:
    """The fastest backend that can run on ``device``."""
    if device.type == "cuda":
        from hvr_nb.methods.nvr.hash_grid_tcnn import available

        return "tcnn" if available() else "torch"
    return "numba" if numba is not None and device.type == "cpu" else "torch"


def reading_backend(written_by: str, device: torch.device) -> str | None:
    """The fastest backend on ``device`` that reads tables ``written_by`` a backend; None if there is none."""
    here = pick_backend(device)
    if (here == "tcnn") == (written_by == "tcnn"):
        return here
    return "torch" if here == "tcnn" else None


def hash_reference(x: Tensor, table: Tensor, cells, rows, offsets) -> Tensor:
    """The encoding in plain PyTorch, differentiable: one gather for each level and corner.

    Args:
        x: (N, 3) points. table: (R, F) rows of all levels. cells, rows, offsets: of the levels.

    Returns:
        (N, L * F) features.
    """
    out = []
    x = x.clamp(0, 1)
    for n, size, offset in zip(cells, rows, offsets[:-1].tolist(), strict=True):
        scaled = x * n
        base = scaled.detach().floor().clamp(max=n - 1)
        t = scaled - base
        base = base.long()
        value = 0
        for corner in range(8):
            bits = torch.tensor([corner >> k & 1 for k in range(3)], device=x.device)
            weight = torch.where(bits.bool(), t, 1 - t).prod(-1, keepdim=True)
            value = value + weight * table[offset + _row(base + bits, n, size)]
        out.append(value)
    return torch.cat(out, -1)


def _row(node: Tensor, n: int, size: int) -> Tensor:
    """Row of a grid node (N, 3) in its level: dense where the level fits, else hashed."""
    if (n + 1) ** 3 <= size:
        return node[:, 0] + (n + 1) * (node[:, 1] + (n + 1) * node[:, 2])
    hashed = (node[:, 0] * PRIMES[0]) ^ (node[:, 1] * PRIMES[1]) ^ (node[:, 2] * PRIMES[2])
    return hashed & (size - 1)


class _NumbaHash(torch.autograd.Function):
    """The same values and gradients from numba; the table's gradient is added to ``table.grad`` directly."""

    @staticmethod
    def forward(ctx, x, table, grid):
        ctx.grid = grid
        ctx.save_for_backward(x, table)
        out = torch.empty(len(x), grid.width)
        _encode(
            x.detach().numpy(),
            table.detach().numpy(),
            np.asarray(grid.cells),
            np.asarray(grid.rows),
            grid.offsets,
            out.numpy(),
        )
        return out

    @staticmethod
    def backward(ctx, gradient):
        x, table = ctx.saved_tensors
        grid = ctx.grid
        if table.grad is None:
            table.grad = torch.zeros_like(table)
        to_x = np.zeros((len(grid.cells) if ctx.needs_input_grad[0] else 0, len(x), 3), np.float32)
        _encode_backward(
            x.numpy(),
            table.detach().numpy(),
            np.asarray(grid.cells),
            np.asarray(grid.rows),
            grid.offsets,
            gradient.contiguous().numpy(),
            table.grad.numpy(),
            to_x,
        )
        return (torch.from_numpy(to_x.sum(0)) if len(to_x) else None), None, None


def _cell(u, n):
    """Cell index and position within the cell of coordinate u in [0, 1] (clamped) among n cells."""
    scaled = min(max(u, np.float32(0)), np.float32(1)) * np.float32(n)
    index = min(int(scaled), n - 1)
    return index, scaled - np.float32(index)


def _corner(level_dense, offset, n, mask, x, y, z):
    """Row of the table of grid node (x, y, z)."""
    if level_dense:
        return offset + x + (n + 1) * (y + (n + 1) * z)
    h = np.uint32(x) ^ (np.uint32(y) * np.uint32(2654435761)) ^ (np.uint32(z) * np.uint32(805459861))
    return offset + np.int64(np.uint32(h) & mask)


def _encode_loop(x, table, cells, rows, offsets, out):
    one = np.float32(1)
    for level in numba.prange(len(cells)):
        n, size, offset = cells[level], rows[level], offsets[level]
        dense, mask = (n + 1) ** 3 <= size, np.uint32(size - 1)
        for i in range(x.shape[0]):
            ix, tx = _cell(x[i, 0], n)
            iy, ty = _cell(x[i, 1], n)
            iz, tz = _cell(x[i, 2], n)
            f0, f1 = np.float32(0), np.float32(0)
            for c in range(8):
                bx, by, bz = c & 1, (c >> 1) & 1, (c >> 2) & 1
                w = (tx if bx else one - tx) * (ty if by else one - ty) * (tz if bz else one - tz)
                row = _corner(dense, offset, n, mask, ix + bx, iy + by, iz + bz)
                f0 += w * table[row, 0]
                f1 += w * table[row, 1]
            out[i, level * 2] = f0
            out[i, level * 2 + 1] = f1


def _encode_backward_loop(x, table, cells, rows, offsets, gradient, to_table, to_x):
    one = np.float32(1)
    for level in numba.prange(len(cells)):
        n, size, offset = cells[level], rows[level], offsets[level]
        dense, mask = (n + 1) ** 3 <= size, np.uint32(size - 1)
        for i in range(x.shape[0]):
            g0, g1 = gradient[i, level * 2], gradient[i, level * 2 + 1]
            if g0 == 0 and g1 == 0:
                continue
            ix, tx = _cell(x[i, 0], n)
            iy, ty = _cell(x[i, 1], n)
            iz, tz = _cell(x[i, 2], n)
            gx, gy, gz = np.float32(0), np.float32(0), np.float32(0)
            for c in range(8):
                bx, by, bz = c & 1, (c >> 1) & 1, (c >> 2) & 1
                wx, wy, wz = tx if bx else one - tx, ty if by else one - ty, tz if bz else one - tz
                row = _corner(dense, offset, n, mask, ix + bx, iy + by, iz + bz)
                w = wx * wy * wz
                to_table[row, 0] += w * g0
                to_table[row, 1] += w * g1
                dot = table[row, 0] * g0 + table[row, 1] * g1
                gx += dot * wy * wz if bx else -dot * wy * wz
                gy += dot * wx * wz if by else -dot * wx * wz
                gz += dot * wx * wy if bz else -dot * wx * wy
            if to_x.shape[0]:
                to_x[level, i, 0] = gx * np.float32(n) if 0 <= x[i, 0] <= 1 else np.float32(0)
                to_x[level, i, 1] = gy * np.float32(n) if 0 <= x[i, 1] <= 1 else np.float32(0)
                to_x[level, i, 2] = gz * np.float32(n) if 0 <= x[i, 2] <= 1 else np.float32(0)


def _adam_loop(p, g, m, v, rate, beta1, beta2, eps, correct1, correct2):
    for i in numba.prange(p.shape[0]):
        live = False
        for k in range(p.shape[1]):
            live = live or g[i, k] != 0
        if not live:
            continue
        for k in range(p.shape[1]):
            m[i, k] = beta1 * m[i, k] + (1 - beta1) * g[i, k]
            v[i, k] = beta2 * v[i, k] + (1 - beta2) * g[i, k] * g[i, k]
            p[i, k] -= rate * (m[i, k] / correct1) / (np.sqrt(v[i, k] / correct2) + eps)
            g[i, k] = 0


if numba:
    _fast = {"cache": True, "parallel": True, "nogil": True, "fastmath": {"contract", "nsz"}}
    _cell = numba.njit(cache=True, inline="always")(_cell)
    _corner = numba.njit(cache=True, inline="always")(_corner)
    _encode = numba.njit(**_fast)(_encode_loop)
    _encode_backward = numba.njit(**_fast)(_encode_backward_loop)
    _adam = numba.njit(**_fast)(_adam_loop)


class RowAdam(torch.optim.Optimizer):
    """Adam for tables: rows without gradient keep their value and moments, gradients are cleared.

    Kingma and Ba, "Adam", 2015; the skipping is what keeps a step over large tables short
    (docs/field.md, 1). Parameters are (R, F) tables.
    """

    def __init__(self, params, *, lr: float = 1e-2, betas=(0.9, 0.99), eps: float = 1e-15):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure=None):
        """One step for all tables that have a gradient; their gradients are zero afterwards."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group)

    def _update(self, p, group):
        state = self.state[p]
        if not state:
            state.update(step=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        correct1, correct2 = 1 - beta1 ** state["step"], 1 - beta2 ** state["step"]
        m, v, g = state["m"], state["v"], p.grad
        if numba and p.device.type == "cpu":
            scalars = (group["lr"], beta1, beta2, group["eps"], correct1, correct2)
            _adam(*(t.detach().numpy() for t in (p, g, m, v)), *(np.float32(s) for s in scalars))
            return
        live = (g != 0).any(1, keepdim=True)
        m.copy_(torch.where(live, beta1 * m + (1 - beta1) * g, m))
        v.copy_(torch.where(live, beta2 * v + (1 - beta2) * g * g, v))
        change = group["lr"] * (m / correct1) / ((v / correct2).sqrt() + group["eps"])
        p.sub_(torch.where(live, change, torch.zeros_like(change)))
        g.zero_()
