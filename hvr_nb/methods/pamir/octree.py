"""The surface of an occupancy: sampled from coarse to fine in a band around the body, then marching cubes.

An occupancy is any function of points (N, 3) with values (N,) from 0 (outside) to 1 (inside). Far from the
body it is not asked: there, inside the body counts as occupied and the rest as empty. Samples stand on the
nodes ``low + cell * (i, j, k)``, and marching cubes places vertices between the same nodes, so nothing is
shifted by half a cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, maximum_filter, minimum_filter

from hvr_nb.geometry.isosurface import floaters, level_surface

COARSE = 4  # fine cells along a coarse one, a power of two
IGNORED = 0.05  # a cell is not divided where its corners differ by less; PaMIR's own value


@dataclass(frozen=True)
class OccupancyGrid:
    """Occupancy at the nodes of a box."""

    values: np.ndarray  # (X, Y, Z) float32
    low: np.ndarray  # (3,) position of node (0, 0, 0)
    cell: float  # distance of nodes
    asked: int  # points at which the occupancy was asked for


def band_occupancy(
    occupancy: Callable[[np.ndarray], np.ndarray],
    distance: Callable[[np.ndarray], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
    *,
    cell: float,
    band: float,
) -> OccupancyGrid:
    """Sample an occupancy near a body, coarse to fine; near its surface equal to dense sampling.

    A cell is divided where its corners lie on both sides of one half, differ by more than ``IGNORED``, or
    where the body's own surface passes; its neighbours too.

    Args:
        occupancy: points (N, 3) to values (N,). distance: points (N, 3) to signed distances (N,) from the
            body, negative inside, in the unit of the points.
        low, high: (3,) corners of the box. cell: distance of nodes. band: how far from the body to ask.
    """
    low, wide = np.asarray(low, float), cell * COARSE
    shape = np.maximum(np.ceil((np.asarray(high) - low) / wide - 1e-9), 1).astype(int) + 1
    away = distance(low + wide * np.indices(shape).reshape(3, -1).T).reshape(shape).astype(np.float32)
    values, exact, asked, step = (away < 0).astype(np.float32), np.zeros(shape, bool), 0, COARSE

    def ask(wanted: np.ndarray) -> int:
        at = np.argwhere(wanted & ~exact & (np.abs(away) <= band + wide))
        if len(at):
            values[tuple(at.T)] = occupancy(low + cell * step * at)
            exact[tuple(at.T)] = True
        return len(at)

    asked += ask(np.ones(shape, bool))
    while step > 1:
        divided = _to_divide(values, away, np.sqrt(3) * cell * step)
        values, away, exact = _doubled(values), _doubled(away), _kept(exact)
        step //= 2
        asked += ask(_nodes_of(divided, values.shape))
    while new := ask(_corners(_crossed(values), values.shape)):
        asked += new
    return OccupancyGrid(values, low, cell, asked)


def surface_mesh(grid: OccupancyGrid) -> tuple[np.ndarray, np.ndarray]:
    """The surface at one half of the largest connected piece: vertices (V, 3), faces (F, 3) outward.

    The box's own sides close it where it is cut by them.
    """
    values = np.pad(grid.values, 1)
    inside = values > 0.5
    if not inside.any():
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    values = np.where(floaters(inside, corners=False), 0, values)
    return level_surface(0.5 - values, grid.low - grid.cell, grid.cell)


def _around(filter_, values: np.ndarray) -> np.ndarray:
    """A filter over the eight corners of every cell: (X, Y, Z) nodes to (X-1, Y-1, Z-1) cells."""
    return filter_(values, size=2, origin=-1)[:-1, :-1, :-1]


def _crossed(values: np.ndarray) -> np.ndarray:
    inside = values > 0.5
    return _around(maximum_filter, inside) & ~_around(minimum_filter, inside)


def _to_divide(values: np.ndarray, away: np.ndarray, diagonal: float) -> np.ndarray:
    spread = _around(maximum_filter, values) - _around(minimum_filter, values) > IGNORED
    skin = _around(minimum_filter, np.abs(away)) < diagonal / 2
    return binary_dilation(spread | skin | _crossed(values), np.ones((3, 3, 3), bool))


def _doubled(values: np.ndarray) -> np.ndarray:
    """Twice as many cells along each axis, linear in between."""
    for axis in range(3):
        x = np.moveaxis(values, axis, 0)
        out = np.empty((2 * len(x) - 1, *x.shape[1:]), x.dtype)
        out[::2], out[1::2] = x, (x[:-1] + x[1:]) / 2
        values = np.moveaxis(out, 0, axis)
    return np.ascontiguousarray(values)


def _kept(exact: np.ndarray) -> np.ndarray:
    out = np.zeros([2 * n - 1 for n in exact.shape], bool)
    out[::2, ::2, ::2] = exact
    return out


def _nodes_of(cells: np.ndarray, shape) -> np.ndarray:
    """The nodes of the doubled grid that lie in the chosen cells, (X, Y, Z) bool."""
    return _corners(cells.repeat(2, 0).repeat(2, 1).repeat(2, 2), shape)


def _corners(cells: np.ndarray, shape) -> np.ndarray:
    out = np.zeros(shape, bool)
    for i, j, k in np.ndindex(2, 2, 2):
        x, y, z = cells.shape
        out[i : i + x, j : j + y, k : k + z] |= cells
    return out
