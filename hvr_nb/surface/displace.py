"""The consensus shape: one displacement that fits the outlines of all frames (docs/surface.md, 6).

After Alldieck et al., "Video Based Reconstruction of 3D People Models", CVPR 2018. Each rim vertex is
drawn along its normal to the outline of the mask; one sparse linear system weighs that against smoothness.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

from hvr_nb.geometry.functions import robust_weight
from hvr_nb.geometry.mesh import face_normals, neighbour_mean, unique_edges, vertex_normals
from hvr_nb.surface.rim import Rim

SIGMA = 0.012  # metres, usual residual; much larger ones hardly count (Geman and McClure, 1987)
FLAT, BENT, STAY = 0.02, 30.0, 1e-3  # weights of slope, curvature and size of the displacement
SHAPE = 0.5  # weight of the curvature of the surface itself
FOLDED = 0.3  # cosine; a face that a step rotates farther has folded


def laplacian(faces: np.ndarray, count: int) -> sparse.csr_array:
    """(V, V) uniform Laplacian of a mesh (F, 3): a vertex minus the mean of its neighbours."""
    return sparse.csr_array(sparse.eye_array(count) - neighbour_mean(faces, count).astype(np.float64))


def consensus(
    rims: list[Rim],
    normals: list[np.ndarray],
    vertices: np.ndarray,
    faces: np.ndarray,
    *,
    sigma: float = SIGMA,
    smooth: float = 1.0,
) -> np.ndarray:
    """Displacement (V,) of the template's vertices along their normals, metres.

    Args:
        rims: of T frames. normals: T world normals (V, 3) of the posed template.
        vertices: (V, 3) of the template in the big pose, metres. faces: (F, 3).
        sigma: usual residual, metres. smooth: factor on the weight of curvature.
    """
    count = len(vertices)
    weight, pull = np.zeros(count), np.zeros(count)
    for rim, normal in zip(rims, normals, strict=True):
        slope = (rim.gradient * normal[rim.vertex]).sum(1)
        w = rim.trust * robust_weight(rim.residual, sigma) * (slope > 0.3)
        weight += np.bincount(rim.vertex, w * slope**2, count)
        pull -= np.bincount(rim.vertex, w * slope * rim.residual, count)
    L = laplacian(faces, count)
    bent = L.T @ L
    pull -= smooth * SHAPE * (vertex_normals(vertices, faces) * (bent @ vertices)).sum(1)
    system = sparse.diags_array(weight + STAY) + FLAT * _slope(faces, count) + smooth * (BENT + SHAPE) * bent
    return np.clip(solve(system, pull), -2 * sigma, 2 * sigma)


def _slope(faces: np.ndarray, count: int) -> sparse.csr_array:
    """(V, V) matrix of the sum of squared differences over the edges.

    It is positive semidefinite, unlike ``laplacian`` made symmetric.
    """
    edges = unique_edges(faces)
    along = difference(edges, np.ones(len(edges)), count)
    return sparse.csr_array(along.T @ along / 6)


def difference(edges: np.ndarray, weight: np.ndarray, count: int) -> sparse.csr_array:
    """(E, V) matrix of differences along edges (E, 2), second minus first vertex, times ``weight`` (E,)."""
    row = np.arange(len(edges))
    return sparse.csr_array(
        (np.r_[-weight, weight], (np.r_[row, row], edges.T.ravel())), shape=(len(edges), count)
    )


def solve(system: sparse.csr_array, right: np.ndarray) -> np.ndarray:
    """Solution (V,) of a symmetric positive definite system by conjugate gradients."""
    inverse = 1 / system.diagonal()
    like = sparse.linalg.LinearOperator(system.shape, matvec=lambda x: inverse * x)
    return cg(sparse.csr_array(system), right, rtol=1e-3, maxiter=400, M=like)[0]


def relaxed(vertices: np.ndarray, faces: np.ndarray, *, steps: int = 2) -> np.ndarray:
    """Vertices (V, 3) moved along the surface to the mean of their neighbours, which keeps triangles even."""
    L = laplacian(faces, len(vertices))
    for _ in range(steps):
        normal = vertex_normals(vertices, faces)
        back = -0.5 * (L @ vertices)
        vertices = vertices + back - (back * normal).sum(1, keepdims=True) * normal
    return vertices


def unfolded(before: np.ndarray, after: np.ndarray, faces: np.ndarray, *, steps: int = 10) -> np.ndarray:
    """Vertices ``after`` (V, 3), smoothed at and around faces that folded since ``before`` (V, 3).

    For example, a thumb whose outline is that of a fist shrinks to nothing, and its faces would crumple.
    """
    a, b = face_normals(before, faces), face_normals(after, faces)
    straight = (a * b).sum(1) > FOLDED * np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    mean, share = neighbour_mean(faces, len(after)).astype(np.float64), np.zeros(len(after))
    share[faces[~straight].ravel()] = 1
    for _ in range(3):
        share = np.maximum(share, np.minimum(2 * (mean @ share), 1))
    for _ in range(steps):
        after = after + share[:, None] * (mean @ after - after)
    return after
