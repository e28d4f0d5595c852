"""Distant light as lamps all around: what shaded surface in pictures says about surface that was not filmed.

A camera sees only surface that faces it. A free function of the normal, such as spherical harmonics, is
not held by anything on the other side and there becomes as bright or dark as it likes; lamps that only
add light, each a clamped cosine of the normal (Lambert), light the far side as they must where their lobes
reach over, and otherwise stay as even as they started.
"""

from __future__ import annotations

import numpy as np

LAMPS = 32  # lobes are as wide as half the sphere, so a few suffice
EVEN = 4 / LAMPS  # strength of every lamp of an even light of brightness 1


def lamp_directions(count: int = LAMPS) -> np.ndarray:
    """(count, 3) float32 unit vectors evenly over the sphere (Fibonacci lattice), towards the lamps."""
    k = np.arange(count) + 0.5
    up, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - up**2)
    return np.stack([flat * np.cos(turn), up, flat * np.sin(turn)], -1).astype(np.float32)


def lobes(normals: np.ndarray) -> np.ndarray:
    """(..., LAMPS) float32 light that unit normals (..., 3) take from lamps of strength 1."""
    return np.maximum(normals.astype(np.float32) @ lamp_directions().T, 0)
