"""The term for bends: knees and elbows bent as the detector's own 3D landmarks are (docs/fit.md, 2).

How far a leg is bent hardly shows in a picture from the front, and a body whose legs are a little too long
bends its knees there. The detector judges the bend from the look of the leg. It is compared as an angle,
which depends neither on the body's size nor on where the detector puts the hips.
"""

from __future__ import annotations

import numpy as np

from hvr_nb.body.landmarks import PlacedLandmarks
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.start import Evidence
from hvr_nb.fit.terms import Posed, TermWeights, add
from hvr_nb.geometry.functions import geman_mcclure

HINGES = tuple(
    tuple(f"{side}_{part}" for part in chain)
    for chain in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
    for side in ("left", "right")
)
# Measured on synthetic people and film with known joints (knees, elbows), radians: what the detector adds to
# a straight limb, less to a bent one; its usual error; the bend from which it adds nothing.
ADDED = np.radians([4.0, 4.0, 10.0, 10.0])
SIGMA = np.radians([12.0, 12.0, 20.0, 20.0])
BENT = np.radians(40.0)
LEAST_SINE = 0.05  # of a bend; nearer to straight its derivative is not defined


def bends(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(N, 4) radians by which the limbs of landmarks (N, L, 3) are bent; 0 is straight.

    Args:
        rows: (4, 3) rows of the three joints of each limb.
    """
    u, v = (points[:, rows[:, k + 1]] - points[:, rows[:, k]] for k in (0, 1))
    return np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), (u * v).sum(-1))


def bend_term(posed: Posed, evidence: Evidence, weights: TermWeights, normal: Normal | None) -> float:
    """Robust difference of the body's bends from the detector's, less what that adds to straight limbs."""
    rows = np.array([evidence.table.rows(*names) for names in HINGES])
    own = posed.landmarks
    angle = bends(own.points, rows)
    seen = bends(evidence.world, rows)
    r = (angle - np.maximum(seen - ADDED * np.clip(1 - seen / BENT, 0.0, 1.0), 0.0)) / SIGMA
    cost, slope = geman_mcclure(r**2, weights.cap)
    gain = weights.bend * evidence.conf[:, rows].min(-1)
    if normal is not None:
        by = (bend_slopes(own, d, rows) / SIGMA[:, None] for d in (own.d_turn, own.d_betas))
        by_turn, by_betas = by
        add(normal, by_turn, r, gain * slope, {0: by_betas})
    return float((gain * cost).sum())


def bend_slopes(placed: PlacedLandmarks, slopes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Derivative (N, 4, K) of ``bends`` from that of the landmarks, ``slopes`` (N, L, 3, K)."""
    sides = [placed.points[:, rows[:, k + 1]] - placed.points[:, rows[:, k]] for k in (0, 1)]
    size = [np.linalg.norm(side, axis=-1, keepdims=True) for side in sides]
    u, v = (side / length for side, length in zip(sides, size, strict=True))
    cosine = (u * v).sum(-1, keepdims=True)
    sine = np.maximum(np.sqrt(np.maximum(1 - cosine**2, 0.0)), LEAST_SINE)
    out = 0.0
    for k, toward in ((0, (v - cosine * u) / size[0]), (1, (u - cosine * v) / size[1])):
        moved = slopes[:, rows[:, k + 1]] - slopes[:, rows[:, k]]  # (N, 4, 3, K)
        out = out - np.einsum("njd,njdk->njk", toward / sine, moved)
    return out
