"""Distant light as a sum of non-negative lamps all around the person (docs/surface.md, 8).

A camera sees only surface that faces it. A free function of the normal, such as spherical harmonics, is
not determined on the far side and takes any brightness there. Lamps only add light, each by a clamped
cosine of the normal (Lambert). Their wide lobes determine a part of the far side, and the rest stays even.
"""

from __future__ import annotations

import numpy as np

LAMPS = 32  # number of lamps; a lobe covers half the sphere, so a few suffice
EVEN = 4 / LAMPS  # strength of each lamp in an even light of brightness 1


def lamp_directions(count: int = LAMPS) -> np.ndarray:
    """(count, 3) float32 unit vectors towards the lamps, evenly over the sphere (Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    up, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - up**2)
    return np.stack([flat * np.cos(turn), up, flat * np.sin(turn)], -1).astype(np.float32)


def lobes(normals: np.ndarray) -> np.ndarray:
    """(..., LAMPS) float32 brightness of unit normals (..., 3) under each lamp of strength 1."""
    return np.maximum(normals.astype(np.float32) @ lamp_directions().T, 0)
