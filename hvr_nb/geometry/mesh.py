"""Triangle meshes: normals, edges, and the seams of their textures."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hvr_nb.types import Mesh


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Face normals (F, 3) of vertices (V, 3), faces (F, 3); their length is twice the area of the face."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit vertex normals (V, 3), the area-weighted mean of the faces around each vertex."""
    fn = face_normals(vertices, faces)
    out = np.zeros_like(vertices, dtype=np.float64)
    for axis in range(3):
        for corner in range(3):
            out[:, axis] += np.bincount(faces[:, corner], fn[:, axis], minlength=len(vertices))
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def unique_edges(faces: np.ndarray) -> np.ndarray:
    """(E, 2) undirected edges of faces (F, 3), each once, smaller index first."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(edges, axis=1), axis=0)


def neighbour_mean(faces: np.ndarray, count: int) -> sparse.csr_array:
    """(V, V) float32 matrix that averages the neighbours of every vertex.

    Args:
        faces: (F, 3). count: number of vertices V.
    """
    edges = unique_edges(faces)
    pairs = np.concatenate([edges, edges[:, ::-1]])
    near = sparse.csr_array((np.ones(len(pairs), np.float32), pairs.T), shape=(count, count))
    share = 1 / np.maximum(near.sum(1), 1).astype(np.float32)
    return sparse.csr_array(sparse.diags_array(share) @ near)


def split_seams(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One vertex for each pair of position and texture coordinates.

    File formats with a single index for each corner of a face (.glb, .ply) need this.

    Returns:
        (N,) index of the mesh's vertex, (F, 3) faces in the new vertices, (N, 2) texture coordinates.
    """
    corners = np.stack([mesh.faces.ravel(), mesh.uv_faces.ravel()], axis=1)
    pairs, index = np.unique(corners, axis=0, return_inverse=True)
    return pairs[:, 0], index.reshape(-1, 3), mesh.uv[pairs[:, 1]]


def clustered(mesh: Mesh, group: np.ndarray, cell: float) -> Mesh:
    """A coarser mesh: the vertices of one group (V,) within one cube of side ``cell`` become their mean.

    Rossignac and Borrel, "Multi-resolution 3D approximations for rendering complex scenes", 1993. Faces that
    collapse are left out, and so are textures; sides of the same face are kept once.
    """
    place = np.floor(mesh.vertices / cell).astype(np.int64)
    _, index, count = np.unique(
        np.column_stack([np.asarray(group), place]), axis=0, return_inverse=True, return_counts=True
    )
    index = index.ravel()

    def mean(values):
        return np.stack([np.bincount(index, column, len(count)) / count for column in values.T], 1)

    faces = index[mesh.faces]
    sides = np.sort(faces, axis=1)
    _, first = np.unique(sides, axis=0, return_index=True)
    first = np.sort(first[(np.diff(sides[first], axis=1) > 0).all(1)])
    colors = None if mesh.colors is None else (mean(mesh.colors) + 0.5).astype(np.uint8)
    return Mesh(mean(mesh.vertices).astype(np.float32), faces[first], colors=colors)
