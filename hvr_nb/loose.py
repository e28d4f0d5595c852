"""Cloth that stands off the body: skinning by a smooth field of weights instead of the nearest skin.

Near the skin the maps of ``canonical`` and ``warp`` hold. From 2 to 5 cm away they give way to the
blend of joint transforms with the harmonic weights at the point itself, so that a skirt does not
tear where the nearest leg changes (specs/surface.md C2). The way back has no closed form: a few
fixed-point steps start from the nearest skin's answer (as in Chen et al., "SNARF", 2021).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

try:
    import numba
except ImportError:  # the numpy versions serve
    numba = None

NEAR, FAR = 0.02, 0.05  # metres off the skin between which the maps change over
STEPS = 6  # of the fixed point; 1 mm from the solution for a skirt on walking legs


def looseness(distance: np.ndarray) -> np.ndarray:
    """(...,) share 0..1 of the smooth field at signed distances from the skin, metres."""
    return smoothstep(distance, NEAR, FAR)


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """(...,) values 0..1 of x (...,): 0 below ``low``, 1 above ``high``, no corner between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blend(weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Joint transforms (24, 3, 4) blended by weights (N, 24): (N, 3, 4)."""
    return (weights @ transforms.reshape(24, 12)).reshape(-1, 3, 4)


def apply(blended: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, 3, 4) transforms of (N, 3) points."""
    return np.einsum("nij,nj->ni", blended[:, :, :3], points) + blended[:, :, 3]


def undo(blended: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The points (N, 3) that (N, 3, 4) transforms carry to ``points``."""
    return np.linalg.solve(blended[:, :, :3], (points - blended[:, :, 3])[..., None])[..., 0]


def weights_at(points: np.ndarray, canonical) -> np.ndarray:
    """(N, 24) smooth skin weights at big-pose points (N, 3)."""
    out = np.empty((len(points), 24))
    where = ((points - canonical.origin) / canonical.spacing).T
    for joint in range(24):
        out[:, joint] = map_coordinates(canonical.loose_weights[..., joint], where, order=1, mode="nearest")
    return out


def move(points: np.ndarray, frame: np.ndarray, distance: np.ndarray, big: np.ndarray, canonical,
         world: np.ndarray) -> None:  # fmt: skip
    """Carry loose samples on from where the nearest skin put them, in place.

    Their distance becomes that of the big pose: a skirt keeps its place there, while its distance from
    the posed legs changes with every step.

    Args:
        points: (R, S, 3) world metres. frame: (R,) index into ``world``.
        distance: (R, S) metres from the posed skin, changed. big: (R, S, 3) big-pose points, changed.
        canonical: a ``canonical.Canonical``.
        world: (T, 24, 3, 4) rest pose to world.
    """
    if numba is not None:
        _move(points, frame, distance, big, canonical.loose_weights, canonical.field_distance, canonical.origin,
              canonical.spacing, canonical.A_big, world)  # fmt: skip
        return
    share = looseness(distance)
    for t in np.unique(frame):
        some = (share > 0) & (frame == t)[:, None]
        found = big[some]
        for _ in range(STEPS):
            weights = weights_at(found, canonical)
            found = apply(blend(weights, canonical.A_big), undo(blend(weights, world[t]), points[some]))
        where = ((found - canonical.origin) / canonical.spacing).T
        there = map_coordinates(canonical.field_distance, where, order=1, mode="nearest")
        distance[some] += share[some] * (there - distance[some])
        big[some] += share[some][:, None] * (found - big[some])


def _weights_loop(x, y, z, field, far, origin, spacing, out):
    """Trilinear skin weights at one point into ``out`` (24,), and the distance; the edge's values outside."""
    fx = min(max((x - origin[0]) / spacing, 0.0), field.shape[0] - 1.001)
    fy = min(max((y - origin[1]) / spacing, 0.0), field.shape[1] - 1.001)
    fz = min(max((z - origin[2]) / spacing, 0.0), field.shape[2] - 1.001)
    i, j, k = int(fx), int(fy), int(fz)
    tx, ty, tz = fx - i, fy - j, fz - k
    out[:] = 0
    distance = 0.0
    for c in range(8):
        a, b, d = c & 1, (c >> 1) & 1, (c >> 2) & 1
        w = (tx if a else 1 - tx) * (ty if b else 1 - ty) * (tz if d else 1 - tz)
        distance += w * far[i + a, j + b, k + d]
        for n in range(24):
            out[n] += w * field[i + a, j + b, k + d, n]
    return distance


def _loose_loop(points, frame, distance, big, field, far, origin, spacing, A_big, A_posed):
    """Move the big-pose points (R, S, 3) of loose samples to where the smooth field says."""
    for r in numba.prange(points.shape[0]):
        w, B, P = np.empty(24), np.empty((3, 4)), np.empty((3, 4))
        q, inner = np.empty(3), np.empty(3)
        for s in range(points.shape[1]):
            t = min(max((distance[r, s] - NEAR) / (FAR - NEAR), 0.0), 1.0)
            share = t * t * (3 - 2 * t)
            if share == 0.0:
                continue
            x, y, z = big[r, s, 0], big[r, s, 1], big[r, s, 2]
            for _ in range(STEPS):
                _weights(x, y, z, field, far, origin, spacing, w)
                B[:], P[:] = 0, 0
                for n in range(24):
                    if w[n] > 0:
                        for a in range(3):
                            for b in range(4):
                                B[a, b] += w[n] * A_big[n, a, b]
                                P[a, b] += w[n] * A_posed[frame[r], n, a, b]
                for a in range(3):
                    q[a] = points[r, s, a] - P[a, 3]
                det = (P[0, 0] * (P[1, 1] * P[2, 2] - P[1, 2] * P[2, 1])
                       - P[0, 1] * (P[1, 0] * P[2, 2] - P[1, 2] * P[2, 0])
                       + P[0, 2] * (P[1, 0] * P[2, 1] - P[1, 1] * P[2, 0]))  # fmt: skip
                for a in range(3):  # Cramer's rule by cyclic cofactors
                    b, c = (a + 1) % 3, (a + 2) % 3
                    inner[a] = 0
                    for d in range(3):
                        e, f = (d + 1) % 3, (d + 2) % 3
                        inner[a] += (P[e, b] * P[f, c] - P[e, c] * P[f, b]) * q[d] / det
                x = B[0, 0] * inner[0] + B[0, 1] * inner[1] + B[0, 2] * inner[2] + B[0, 3]
                y = B[1, 0] * inner[0] + B[1, 1] * inner[1] + B[1, 2] * inner[2] + B[1, 3]
                z = B[2, 0] * inner[0] + B[2, 1] * inner[1] + B[2, 2] * inner[2] + B[2, 3]
            there = _weights(x, y, z, field, far, origin, spacing, w)
            distance[r, s] += share * (there - distance[r, s])
            big[r, s, 0] += share * (x - big[r, s, 0])
            big[r, s, 1] += share * (y - big[r, s, 1])
            big[r, s, 2] += share * (z - big[r, s, 2])


if numba:
    _weights = numba.njit(cache=True)(_weights_loop)
    _move = numba.njit(cache=True, parallel=True)(_loose_loop)
