"""The surface of an occupancy: sampled from coarse to fine in a band around the body, then marching cubes.

An occupancy is told as logits: any function of points (N, 3) with values (N,), positive inside. Far from the
body it is not asked: there, inside the body counts as occupied and the rest as empty. Samples stand on the
nodes ``low + cell * (i, j, k)``, and marching cubes places vertices between the same nodes, so nothing is
shifted by half a cell. Between nodes logits are nearly linear and occupancies are not, so a surface of
occupancies has steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from hvr_nb.geometry.isosurface import floaters, level_surface
from hvr_nb.geometry.mesh import neighbour_mean
from hvr_nb.methods.pamir.logits import SURE, sigmoid

COARSE = 4  # fine cells along a coarse one, a power of two
STEPS = 3  # smoothing steps in and out; more take fingers away
IGNORED = 0.05  # a cell is not divided where its corners differ by less; PaMIR's own value


@dataclass(frozen=True)
class LogitGrid:
    """Logits at the nodes of a box."""

    values: np.ndarray  # (X, Y, Z) float32
    low: np.ndarray  # (3,) position of node (0, 0, 0)
    cell: float  # distance of nodes
    asked: int  # points at which logits were asked for


def sample_band(
    logits: Callable[[np.ndarray], np.ndarray],
    distance: Callable[[np.ndarray], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
    *,
    cell: float,
    band: float,
) -> LogitGrid:
    """Sample an occupancy near a body, coarse to fine; near its surface equal to dense sampling.

    A cell is divided where its corners lie on both sides of the surface or the body's own surface passes; a
    coarse one also where occupancies differ by more than ``IGNORED``, and its neighbours too. In the end the
    surface is followed from cell to cell, until the corners of all that it crosses have been asked.

    Args:
        logits: points (N, 3) to values (N,). distance: points (N, 3) to signed distances (N,) from the
            body, negative inside, in the unit of the points.
        low, high: (3,) corners of the box. cell: distance of nodes. band: how far from the body to ask.
    """
    low, wide = np.asarray(low, float), cell * COARSE
    shape = np.maximum(np.ceil((np.asarray(high) - low) / wide - 1e-9), 1).astype(int) + 1
    away = distance(low + wide * np.indices(shape).reshape(3, -1).T).reshape(shape).astype(np.float32)
    values = np.where(away < 0, SURE, -SURE).astype(np.float32)
    exact, asked, step = np.zeros(shape, bool), 0, COARSE

    def ask(wanted: np.ndarray) -> int:
        at = np.argwhere(wanted & ~exact & (np.abs(away) <= band + wide))
        if len(at):
            values[tuple(at.T)] = logits(low + cell * step * at)
            exact[tuple(at.T)] = True
        return len(at)

    asked += ask(np.ones(shape, bool))
    while step > 1:
        skin = _around(np.minimum, np.abs(away)) < np.sqrt(3) / 2 * cell * step
        divided = skin | _crossed(values)
        if step > 2:  # at the end the surface is followed from cell to cell
            divided = binary_dilation(divided | _differs(values), np.ones((3, 3, 3), bool))
        values, away, exact = doubled(values), doubled(away), _kept(exact)
        step //= 2
        asked += ask(_nodes_of(divided, values.shape))
    while new := ask(_corners(_crossed(values), values.shape)):
        asked += new
    return LogitGrid(values, low, cell, asked)


def surface_mesh(grid: LogitGrid) -> tuple[np.ndarray, np.ndarray]:
    """The surface at zero of the largest connected piece, a little smoothed: vertices (V, 3), faces (F, 3).

    The box's own sides close it where it is cut by them.
    """
    values = np.pad(grid.values, 1, constant_values=-SURE)
    inside = values > 0
    if not inside.any():
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    values = np.where(floaters(inside, corners=False), -SURE, values)
    vertices, faces = level_surface(-values, grid.low - grid.cell, grid.cell)
    return _without_steps(vertices, faces), faces


def _without_steps(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vertices (V, 3) without the steps of cells: a few smoothing steps in and out, so that nothing shrinks.

    Taubin, "A signal processing approach to fair surface design", SIGGRAPH 1995.
    """
    near = neighbour_mean(faces, len(vertices))
    for _ in range(STEPS):
        for share in (0.5, -0.53):
            vertices = vertices + share * (near @ vertices - vertices)
    return vertices


def _around(combine, values: np.ndarray) -> np.ndarray:
    """A ufunc over the eight corners of every cell: (X, Y, Z) nodes to (X-1, Y-1, Z-1) cells."""
    for axis in range(3):
        x = np.moveaxis(values, axis, 0)
        values = np.moveaxis(combine(x[:-1], x[1:]), 0, axis)
    return values


def _crossed(values: np.ndarray) -> np.ndarray:
    inside = values > 0
    return _around(np.logical_or, inside) & ~_around(np.logical_and, inside)


def _differs(values: np.ndarray) -> np.ndarray:
    told = sigmoid(values)
    return _around(np.maximum, told) - _around(np.minimum, told) > IGNORED


def doubled(values: np.ndarray) -> np.ndarray:
    """Values (X, Y, Z) with twice as many cells along each axis, linear in between."""
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
