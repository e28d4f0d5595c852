"""Harmonic extension of values on a grid into the space around a body: Laplace's equation (docs/body.md, 10).

Blend weights of the nearest skin jump where that changes from one leg to the other, and tear a skirt.
Their harmonic extension does not jump.
"""

from __future__ import annotations

import numpy as np

try:
    import numba
except ImportError:  # then _sweep_numpy is used
    numba = None

OMEGA = 1.8  # successive over-relaxation
COARSEST = 6  # nodes that the shortest side of the coarsest grid has at least


def extend(values: np.ndarray, fixed: np.ndarray, *, sweeps: int = 60) -> np.ndarray:
    """Solve Laplace's equation with given values at the fixed nodes and no flow through the box.

    Red-black successive over-relaxation, from coarse grids to the full one.

    Args:
        values: (X, Y, Z, C); only those of fixed nodes are read. fixed: (X, Y, Z) bool, at least one.
        sweeps: number of sweeps on every grid.

    Returns:
        (X, Y, Z, C) float32, ``values`` at fixed nodes.
    """
    values = np.where(fixed[..., None], values, 0).astype(np.float32)
    if min(fixed.shape) >= 2 * COARSEST:
        coarse = extend(*_halved(values, fixed), sweeps=sweeps)
        fine = coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2)[tuple(map(slice, fixed.shape))]
        start = np.where(fixed[..., None], values, fine)
    else:
        start = np.where(fixed[..., None], values, values[fixed].mean(0))
    out = np.pad(start, ((1, 1), (1, 1), (1, 1), (0, 0)), mode="edge")
    free = np.pad(~fixed, 1)
    relax = _sweep if numba else _sweep_numpy
    for _ in range(sweeps):
        for colour in (0, 1):
            relax(out, free, colour)
            _mirror(out)
    return out[1:-1, 1:-1, 1:-1]


def _halved(values: np.ndarray, fixed: np.ndarray):
    """Values and fixed nodes on a grid of half the size: the mean of the fixed nodes in every 2x2x2 block."""
    odd = [(0, n % 2) for n in fixed.shape]
    count = np.pad(fixed, odd).astype(np.float32)[..., None]
    total = np.pad(values, (*odd, (0, 0)))
    for axis in range(3):
        count, total = (_pairs(a, axis) for a in (count, total))
    return total / np.maximum(count, 1), count[..., 0] > 0


def _pairs(a: np.ndarray, axis: int) -> np.ndarray:
    first, second = (slice(None),) * axis + (slice(0, None, 2),), (slice(None),) * axis + (slice(1, None, 2),)
    return a[first] + a[second]


def _mirror(out: np.ndarray) -> None:
    """Repeat the outermost nodes in the padding, so that nothing flows through the box."""
    for axis in range(3):
        a = np.moveaxis(out, axis, 0)
        a[0], a[-1] = a[1], a[-2]


def _sweep_numpy(out, free, colour):
    x, y, z = np.indices(free.shape)
    mine = free & ((x + y + z) % 2 == colour)
    around = sum(np.roll(out, s, axis) for axis in range(3) for s in (1, -1)) / 6
    out[mine] += OMEGA * (around[mine] - out[mine])


def _sweep_loop(out, free, colour):
    for x in numba.prange(1, free.shape[0] - 1):
        for y in range(1, free.shape[1] - 1):
            for z in range(1 + (x + y + 1 + colour) % 2, free.shape[2] - 1, 2):
                if not free[x, y, z]:
                    continue
                for c in range(out.shape[3]):
                    mean = (
                        out[x - 1, y, z, c]
                        + out[x + 1, y, z, c]
                        + out[x, y - 1, z, c]
                        + out[x, y + 1, z, c]
                        + out[x, y, z - 1, c]
                        + out[x, y, z + 1, c]
                    ) * np.float32(1 / 6)
                    out[x, y, z, c] += np.float32(OMEGA) * (mean - out[x, y, z, c])


if numba:
    _sweep = numba.njit(cache=True, parallel=True, nogil=True)(_sweep_loop)
