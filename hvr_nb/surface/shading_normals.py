"""Detail from shading: how a surface brightens and darkens while the person turns under a light that stays.

Photometric stereo (Woodham, "Photometric method for determining surface orientation from multiple images",
Optical Engineering 1980) with the person turned instead of the lamps: every vertex is seen in many directions
under one light, which the colours of the whole person tell. What of its brightness the albedo under that light
does not explain turns its normal (specs/surface.md E4, S4: detail from shading).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hvr_nb.geometry.functions import robust_weight
from hvr_nb.geometry.mesh import neighbour_mean, vertex_normals
from hvr_nb.surface.light import lamp_directions, lobes

ERROR = 0.03  # usual difference of a frame's brightness from the shaded albedo, as a share of it
DARK = 0.08  # albedo, 0..1, below which such shares are not believed: noise of the camera
DOUBT = 0.15  # a share beyond which a frame shows something else
FREE = np.radians(20.0)  # usual turn of a normal
TINT = 0.3  # usual share by which the albedo itself is wrong
SMOOTH = 2  # times that turns are averaged with those of the neighbours


def shaded_directions(
    views: Iterable, rest: np.ndarray, faces: np.ndarray, albedo: np.ndarray, light: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (V, 3) that shading gives a big-pose mesh, and trust (V,) 0..1 in each.

    Args:
        views: of every frame what ``colour.sighting`` says, colours (V, 3) uint8 and weights (V,), with the
            world normals (V, 3) and the turns (V, 3, 3) from the big pose to the world.
        rest: (V, 3) big pose. albedo: (V, 3), 0..1, under the mean of the light (LAMPS,).
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
