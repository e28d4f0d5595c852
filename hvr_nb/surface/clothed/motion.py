"""Non-rigid motion: a small displacement of every frame's surface, smooth in space and time.

The surface moves along its normals by a few hundred bumps (Gaussians). Their heights are the only unknowns;
topology and big-pose shape stay (docs/surface.md, 7).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg
from scipy.spatial import cKDTree

from hvr_nb.geometry.functions import robust_weight
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.surface.rim import Rim

SPREAD = 0.09  # metres between the centres of bumps
SIGMA, USUAL, STILL = 0.004, 0.008, 0.002  # metres: residual, height, its second difference in time
RIMS = 400.0  # independent measurements that a frame's rim counts as


def middles(vertices: np.ndarray) -> np.ndarray:
    """(P, 3) big-pose centres of the bumps, spread over the vertices (V, 3), metres."""
    _, first = np.unique(np.floor(vertices / SPREAD).astype(np.int64), axis=0, return_index=True)
    return vertices[np.sort(first)]


def bumps(vertices: np.ndarray, centres: np.ndarray) -> sparse.csr_array:
    """(V, P) weights of the bumps about ``centres`` (P, 3) in vertices (V, 3); rows sum to one."""
    gap, near = cKDTree(centres).query(vertices, k=min(8, len(centres)))
    near = near.reshape(len(vertices), -1)
    value = np.exp(-0.5 * (gap.reshape(near.shape) / (0.6 * SPREAD)) ** 2) + 1e-12
    value /= value.sum(1, keepdims=True)
    row = np.repeat(np.arange(len(vertices)), near.shape[1])
    return sparse.csr_array((value.ravel(), (row, near.ravel())), shape=(len(vertices), len(centres)))


def displaced(
    vertices: np.ndarray, faces: np.ndarray, basis: sparse.csr_array, heights: np.ndarray
) -> np.ndarray:
    """Vertices (V, 3) in some pose moved along their normals by bumps of heights (P,), metres.

    Args:
        basis: (V, P) of ``bumps``.
    """
    along = basis @ heights.astype(np.float64)
    return vertices + vertex_normals(vertices, faces) * along[:, None]


def heights(
    rims: list[Rim], normals: list[np.ndarray], basis: sparse.csr_array, which: np.ndarray, count: int
) -> np.ndarray:
    """(count, P) metres, heights of the bumps in every frame; other frames than ``which`` follow neighbours.

    Args:
        rims, normals: of the frames ``which`` (N,), as for ``surface.displace.consensus``.
        basis: (V, P) of ``bumps``.
    """
    size = basis.shape[1]
    matrices, right = np.zeros((count, size, size)), np.zeros((count, size))
    for k, rim, normal in zip(which, rims, normals, strict=True):
        if not len(rim.vertex):
            continue
        slope = (rim.gradient * normal[rim.vertex]).sum(1)
        w = rim.trust * robust_weight(rim.residual, 4 * SIGMA) * RIMS / len(rim.vertex) / SIGMA**2
        J = sparse.csr_array(basis[rim.vertex] * slope[:, None])
        matrices[k] = (J.T @ (J * w[:, None])).toarray()
        right[k] = -(J.T @ (w * rim.residual))
    matrices[:, np.arange(size), np.arange(size)] += 1 / USUAL**2
    return _over_time(matrices, right)


def _over_time(matrices: np.ndarray, right: np.ndarray, *, steps: int = 60) -> np.ndarray:
    """Solve every frame's system (T, P, P), (T, P) together with small second differences; (T, P)."""
    frames, size = right.shape

    def apply(x):
        x = x.reshape(frames, size)
        out = np.einsum("tij,tj->ti", matrices, x)
        if frames > 2:
            bend = (x[:-2] - 2 * x[1:-1] + x[2:]) / STILL**2
            out[:-2] += bend
            out[1:-1] -= 2 * bend
            out[2:] += bend
        return out.ravel()

    system = LinearOperator((right.size, right.size), matvec=apply, dtype=right.dtype)
    usual = sparse.diags_array(1 / (np.einsum("tii->ti", matrices) + 6 / STILL**2).ravel())
    return cg(system, right.ravel(), rtol=1e-12, maxiter=steps, M=usual)[0].reshape(right.shape)
