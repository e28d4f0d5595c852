"""Detail from shading: photometric stereo of a person who turns under a fixed light (docs/surface.md, 9).

Woodham, "Photometric method for determining surface orientation from multiple images", Optical Engineering
1980, with the person turning instead of the lamps. Every vertex is seen with many orientations under one
light, which is known from the colours of the whole person. Brightness that the albedo under that light does
not explain rotates the normal.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hvr_nb.geometry.functions import robust_weight
from hvr_nb.geometry.mesh import neighbour_mean, vertex_normals
from hvr_nb.surface.light import lamp_directions, lobes

ERROR = 0.03  # usual relative difference of the brightness in a frame from the shaded albedo
DARK = 0.08  # albedo, 0..1, below which it is not used, because the camera's noise is too large
DOUBT = 0.15  # relative difference beyond which a frame shows something else
FREE = np.radians(20.0)  # usual rotation of a normal
TINT = 0.3  # usual relative error of the albedo itself
SMOOTH = 2  # times that rotations are averaged with those of the neighbours


def shaded_directions(
    views: Iterable, rest: np.ndarray, faces: np.ndarray, albedo: np.ndarray, light: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (V, 3) of a big-pose mesh from shading, and the trust (V,) 0..1 in each.

    Args:
        views: for each frame the colours (V, 3) uint8 and weights (V,) from ``albedo.sighting``, the world
            normals (V, 3), and the rotations (V, 3, 3) from the big pose to the world.
        rest: (V, 3) big pose. albedo, light: (V, 3), 0..1, and (LAMPS,) from ``albedo.albedo_and_light``.
    """
    own = vertex_normals(rest, faces)
    along = np.cross(own, np.eye(3)[np.abs(own).argmin(1)])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    frame = np.stack([along, np.cross(own, along)], 2).astype(np.float32)  # (V, 3, 2) tangents
    H, b = np.zeros((len(rest), 3, 3), np.float32), np.zeros((len(rest), 3), np.float32)
    grey = albedo.mean(1)
    for rgb, weight, normals, turn in views:
        seen = np.flatnonzero(weight > 0.01)
        lit = lobes(normals[seen])
        slope = np.einsum("nd,nde->ne", ((lit > 0) * light) @ lamp_directions(), turn[seen] @ frame[seen])
        shade = lit @ light
        trusted = np.maximum(grey[seen], DARK)
        share = (rgb[seen].mean(1) / np.float32(255) - grey[seen] * shade) / trusted
        w = weight[seen] * robust_weight(share, DOUBT) / ERROR**2
        J = np.concatenate([slope, shade[:, None]], 1) * (grey[seen] / trusted)[:, None]
        H[seen] += w[:, None, None] * J[:, :, None] * J[:, None]
        b[seen] += (w * share)[:, None] * J
    inverse = np.linalg.inv(H + np.diag([FREE**-2, FREE**-2, TINT**-2]))
    turned = np.einsum("vij,vj->vi", frame, np.einsum("vij,vj->vi", inverse[:, :2], b))
    near = neighbour_mean(faces, len(rest))
    for _ in range(SMOOTH):
        turned = near @ turned
    out = own + turned
    trust = 1 - (inverse[:, 0, 0] + inverse[:, 1, 1]) / (2 * FREE**2)
    return out / np.linalg.norm(out, axis=1, keepdims=True), np.clip(trust, 0, 1)
