"""Poses corrected by the occluding contour: small rotations of the joints and a shift, smooth in time.

A Gauss-Newton step on the residuals of all rims (docs/surface.md, 7). Silhouettes tell little of a limb's
twist or depth, so priors hold these.
"""

from __future__ import annotations

import numpy as np

from hvr_nb.body.kinematics import ancestors
from hvr_nb.canonical.binding import Skin
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.geometry.functions import robust_weight
from hvr_nb.surface.rim import Rim

SIGMA = 0.02  # metres, usual residual of a rim
RIMS = 60.0  # independent measurements that a frame's rim counts as
TURN, SHIFT = 0.06, 0.03  # radians and metres, usual correction
STILL = (0.010, 0.005)  # the same of its second difference in time
RIGID = (10, 11, 15, 20, 21, 22, 23)  # feet, head, wrists and hands: a tenth of the usual correction
UNKNOWNS = 75


def correction(rims: list[Rim], skin: Skin, weights: np.ndarray, parents, which: np.ndarray, count: int):
    """Rotations (T, 24, 3), radians about world axes, and shifts (T, 3), metres, of all ``count`` frames.

    Args:
        rims: of the frames ``which`` (N,); the others follow their neighbours. skin: of all frames.
        weights: (V, 24) skin weights of the mesh the rims belong to. parents: 24.
    """
    below = ancestors(parents)
    normal = Normal(count, UNKNOWNS, 0)
    usual = np.r_[np.full(72, TURN), np.full(3, SHIFT)]
    usual[:72].reshape(24, 3)[list(RIGID)] *= 0.1
    still = np.r_[np.full(72, STILL[0]), np.full(3, STILL[1])]
    eye = np.broadcast_to(np.eye(UNKNOWNS), (count, UNKNOWNS, UNKNOWNS))
    normal.add(eye, np.zeros((count, UNKNOWNS)), np.broadcast_to(1 / usual**2, (count, UNKNOWNS)))
    stiff = np.broadcast_to(1 / still**2, (count - 2, UNKNOWNS))
    normal.add_own_difference(slice(UNKNOWNS), np.zeros_like(stiff), stiff)
    for k, rim in zip(which, rims, strict=True):
        if not len(rim.vertex):
            continue
        carried = weights[rim.vertex] @ below
        arm = rim.position[:, None] - skin.joints[k]
        turn = carried[..., None] * np.cross(arm, rim.gradient[:, None])
        J = np.concatenate([turn.reshape(-1, 72), rim.gradient], 1)
        w = rim.trust * robust_weight(rim.residual, 2 * SIGMA) * RIMS / len(rim.vertex) / SIGMA**2
        normal.add(J[None], rim.residual[None], w[None], at=slice(int(k), int(k) + 1))
    step, _ = normal.solve(0.0)
    return step[:, :72].reshape(-1, 24, 3), step[:, 72:]
