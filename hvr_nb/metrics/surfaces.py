"""Metrics of surfaces: Chamfer distance, angle of normals, folding, flicker (docs/surface.md, 12).

Only faces that can be seen from outside are compared, because the body under clothes is no truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from hvr_nb.geometry.camera import default_camera, look_at
from hvr_nb.geometry.mesh import face_normals
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.geometry.raster import rasterize
from hvr_nb.types import Mesh

SIDE = 700  # pixels, side of the pictures that decide which faces are seen
RINGS = ((-0.35, 12), (0.0, 24), (0.35, 12))  # elevation of the camera, radians, and number of views


def outer_faces(mesh: Mesh) -> np.ndarray:
    """(F,) bool: faces seen from all around the mesh, level with it and 20 degrees above and below."""
    vertices = np.asarray(mesh.vertices, np.float64)
    low, high = vertices.min(0), vertices.max(0)
    centre, size = (low + high) / 2, float(np.linalg.norm(high - low))
    lens, seen = default_camera(SIDE, SIDE, focal=3.8 * SIDE), np.zeros(len(mesh.faces), bool)
    for height, views in RINGS:
        for angle in 2 * np.pi * np.arange(views) / views:
            direction = [np.cos(height) * np.sin(angle), np.sin(height), np.cos(height) * np.cos(angle)]
            eye = centre + 4 * size * np.array(direction)
            face = rasterize(vertices, mesh.faces, look_at(eye, centre, lens))[1]
            seen[np.unique(face[face >= 0])] = True
    return seen


def surface_samples(mesh: Mesh, count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random points (count, 3), uniform over the area of the surface, and their unit normals (count, 3)."""
    import trimesh

    vertices = np.asarray(mesh.vertices, np.float64)
    solid = trimesh.Trimesh(vertices, mesh.faces, process=False)
    points, face = trimesh.sample.sample_surface(solid, count, seed=seed)
    normals = face_normals(vertices, mesh.faces[face])
    return np.asarray(points), normals / np.linalg.norm(normals, axis=1, keepdims=True)


def surface_quality(
    found: Mesh, true: Mesh, *, samples: int = 100_000, seed: int = 0, outer: bool = True
) -> dict[str, float]:
    """Distances and angles between the outer faces of two meshes in one coordinate frame.

    Args:
        found, true: metres, world axes. samples: number of points on each.
        outer: False compares all faces, as of sheets, which hide nothing.

    Returns:
        accuracy_mm (found to true), completeness_mm (true to found), chamfer_mm (their mean), and
        normal_deg, the mean angle between the normals of nearest points, without their signs.
    """
    if outer:
        found, true = (Mesh(m.vertices, m.faces[outer_faces(m)]) for m in (found, true))
    (p, pn), (q, qn) = (surface_samples(m, samples, seed=seed + k) for k, m in enumerate((found, true)))
    there, i = cKDTree(q).query(p)
    back, j = cKDTree(p).query(q)
    angles = [
        np.degrees(np.arccos(np.clip(np.abs((a * b).sum(1)), 0, 1))).mean()
        for a, b in ((pn, qn[i]), (qn, pn[j]))
    ]
    return {
        "chamfer_mm": 500 * float(there.mean() + back.mean()),
        "accuracy_mm": 1000 * float(there.mean()),
        "completeness_mm": 1000 * float(back.mean()),
        "normal_deg": float(np.mean(angles)),
    }


def jacobians(
    faces: np.ndarray, before: np.ndarray, off_before: np.ndarray, after: np.ndarray, off_after: np.ndarray
) -> np.ndarray:
    """Folding: (K,) determinants of the map of a surface and the points just off it, negative where it folds.

    The map of a face's prism: two edges and the mean offset of its corners. Faces whose prism has no volume
    before are left out, K <= F (docs/surface.md, 12).

    Args:
        faces: (F, 3). before, after: (V, 3) metres. off_before, off_after: (V, 3) points a little off these.
    """
    old, new = (
        (face_normals(x, faces) * (off - x)[faces].mean(1)).sum(1)
        for x, off in ((before, off_before), (after, off_after))
    )
    kept = np.abs(old) > 1e-9 * np.abs(off_before - before).max()
    return new[kept] / np.abs(old[kept])


def surface_flicker(meshes: Sequence[Mesh], skin: np.ndarray) -> float:
    """How much a surface trembles from frame to frame, seen from the moving body, metres.

    The distances of the skin's vertices from the surface are compared with the mean of the frame before and
    the one after. Motion of the body does not count, slow changes of the cloth hardly.

    Args:
        meshes: one a frame, of any topology. skin: (T, V, 3) the posed skin in the same frames, metres.
    """
    away = np.stack([nearest_surface(v, m.vertices, m.faces)[2] for m, v in zip(meshes, skin, strict=True)])
    return float(np.abs(away[1:-1] - (away[:-2] + away[2:]) / 2).mean())
