"""Normal equations of a whole clip: banded in the frames, with a border of shared unknowns (docs/fit.md, 3).

N frames have D unknowns each, and S unknowns are shared by all. A residual depends on one frame or on a
difference of up to three neighbours. Solved by a banded Cholesky factor and a Schur complement.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve, solveh_banded


class Normal:
    """Accumulates ``J^T W J`` and ``J^T W r`` and solves for the Gauss-Newton step."""

    def __init__(self, frames: int, unknowns: int, shared: int):
        n, d, s = frames, unknowns, shared
        self.bands = [np.zeros((n, d, d)) for _ in range(3)]  # block (n, n + k) of the matrix at [k][n]
        self.cross, self.common = np.zeros((n, d, s)), np.zeros((s, s))
        self.gradient, self.common_gradient = np.zeros((n, d)), np.zeros(s)

    def add(
        self,
        J: np.ndarray,
        r: np.ndarray,
        w: np.ndarray,
        shared: np.ndarray | None = None,
        at: slice = slice(None),
    ) -> None:
        """Add M residuals for each of the frames ``at``.

        Args:
            J: (N, M, D) derivatives. r: (N, M) residuals. w: (N, M) weights.
            shared: (N, M, s) derivatives with respect to the first s shared unknowns.
        """
        WJ = J * w[..., None]
        self.bands[0][at] += np.swapaxes(WJ, 1, 2) @ J
        self.gradient[at] += np.einsum("nmd,nm->nd", WJ, r)
        if shared is not None:
            s = shared.shape[-1]
            self.cross[at, :, :s] += np.swapaxes(WJ, 1, 2) @ shared
            ws = shared * w[..., None]
            self.common[:s, :s] += np.tensordot(ws, shared, ((0, 1), (0, 1)))
            self.common_gradient[:s] += np.einsum("nms,nm->s", ws, r)

    def add_quadratic(self, J: np.ndarray, g: np.ndarray, P: np.ndarray, *, at: slice = slice(None)) -> None:
        """Add an energy of M values of each frame ``at`` that a small step e changes by 2 g e + e P e.

        Args:
            J: (N, M, d) derivatives of the values with respect to the first d unknowns. g: (N, M).
            P: (N, M, M).
        """
        turned, d = np.swapaxes(J, 1, 2), J.shape[2]
        self.bands[0][at, :d, :d] += turned @ P @ J
        self.gradient[at, :d] += (turned @ g[..., None])[..., 0]

    def add_difference(
        self,
        J: np.ndarray,
        r: np.ndarray,
        w: np.ndarray,
        shared: np.ndarray | None = None,
        *,
        factors: tuple[float | np.ndarray, ...] = (1.0, -2.0, 1.0),
    ) -> None:
        """Add residuals that are differences of neighbouring frames, ``r_n = sum_k factors[k] g_(n + k)``.

        Args:
            J: (N, M, D) derivatives of g. r, w: (N - K + 1, M) residuals and weights, K factors.
            shared: (N, M, s) derivatives of g with respect to the first s shared unknowns.
            factors: the default is a second difference, (-1, 1) a first one; a factor that differs from frame
                to frame is (N - K + 1, 1, 1).
        """
        reach = len(factors)
        if len(J) < reach:
            return
        turned = np.swapaxes(J, 1, 2)
        pull, pairs = _difference_weights(len(J), r, w, factors)
        self.gradient += (turned @ pull[..., None])[..., 0]
        for k, pair in enumerate(pairs):  # one product for all differences that two frames share
            self.bands[k][: len(pair)] += turned[: len(pair)] @ (pair[..., None] * J[k:])
        if shared is not None:
            views = [slice(k, len(w) + k) for k in range(reach)]
            change = sum(f * shared[v] for f, v in zip(factors, views, strict=True))
            s, weighed, share = change.shape[-1], w[..., None] * change, np.zeros_like(shared)
            for f, view in zip(factors, views, strict=True):
                share[view] += f * weighed
            self.cross[..., :s] += turned @ share
            self.common[:s, :s] += np.tensordot(weighed, change, ((0, 1), (0, 1)))
            self.common_gradient[:s] += np.einsum("nms,nm->s", weighed, r)

    def add_own_difference(
        self,
        columns: slice,
        r: np.ndarray,
        w: np.ndarray,
        *,
        factors: tuple[float | np.ndarray, ...] = (1.0, -2.0, 1.0),
    ) -> None:
        """``add_difference`` of the unknowns ``columns`` of every frame themselves."""
        frames, own = len(self.gradient), range(*columns.indices(self.gradient.shape[1]))
        if frames < len(factors):
            return
        pull, pairs = _difference_weights(frames, r, w, factors)
        self.gradient[:, columns] += pull
        for k, pair in enumerate(pairs):
            self.bands[k][: len(pair), own, own] += pair

    def keep(self, columns: list[int]) -> None:
        """Take some of the shared unknowns as known: they get no step."""
        self.cross[..., columns] = 0
        self.common[columns], self.common[:, columns], self.common_gradient[columns] = 0, 0, 0
        self.common[columns, columns] = 1

    def solve(self, damping: float) -> tuple[np.ndarray, np.ndarray]:
        """The Gauss-Newton step: (N, D) and shared (S,).

        Args:
            damping: every entry of the diagonal is raised by this share of itself (Levenberg-Marquardt).
        """
        n, d = self.gradient.shape
        size = n * d
        lower = np.zeros((3 * d, size), order="F")  # as LAPACK takes it, without a copy
        for k in range(min(n, 3)):
            i, j = np.triu_indices(d) if k == 0 else np.indices((d, d)).reshape(2, -1)
            lower[k * d + j - i, np.arange(n - k)[:, None] * d + i] = self.bands[k][: n - k, i, j]
        lower[0] *= 1 + damping
        lower[0] += 1e-6
        right = np.concatenate([-self.gradient.reshape(size, 1), -self.cross.reshape(size, -1)], 1)
        x = solveh_banded(lower, right, overwrite_ab=True, lower=True, check_finite=False)
        border = self.cross.reshape(size, -1)
        schur = self.common + border.T @ x[:, 1:]
        schur = schur + np.diag(damping * np.diag(self.common) + 1e-9)
        shared = solve(schur, -self.common_gradient - border.T @ x[:, 0], assume_a="sym")
        return (x[:, 0] + x[:, 1:] @ shared).reshape(n, d), shared


def _difference_weights(frames: int, r: np.ndarray, w: np.ndarray, factors):
    """What weighted differences of neighbours say of N frames and of their pairs, see ``add_difference``.

    Returns:
        (N, M) the pull of the residuals on the M values of each frame; and for k = 0 .. K - 1 the weights
        (N - k, M) of the products of the values of frames n and n + k.
    """
    reach, count = len(factors), len(w)
    by = [np.reshape(f, (-1, 1)) for f in factors]
    pull, pairs = np.zeros((frames, w.shape[1])), [np.zeros((frames - k, w.shape[1])) for k in range(reach)]
    for a in range(reach):
        pull[a : a + count] += by[a] * w * r
        for b in range(a, reach):
            pairs[b - a][a : a + count] += by[a] * by[b] * w
    return pull, pairs
