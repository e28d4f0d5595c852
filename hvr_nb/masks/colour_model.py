"""Gaussian mixtures of colour, fitted by weighted EM (Bishop, "Pattern Recognition", 9.2.2)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_FLOOR = 1.5**2  # least variance in every direction, colour units squared
_UNIFORM = 1e-7  # density of colours that no component explains


@dataclass(frozen=True)
class Mixture:
    """K Gaussians in three colour dimensions."""

    share: np.ndarray  # (K,)
    mean: np.ndarray  # (K, 3)
    inverse: np.ndarray  # (K, 3, 3) inverse Cholesky factors of the covariances

    def density(self, colours: np.ndarray) -> np.ndarray:
        """(N,) density of colours (N, 3), at least a small uniform one."""
        return self._components(colours).sum(1) + _UNIFORM

    def _components(self, colours: np.ndarray) -> np.ndarray:
        out = np.empty((len(colours), len(self.share)))
        for k, (share, mean, inverse) in enumerate(zip(self.share, self.mean, self.inverse, strict=True)):
            z = (colours - mean) @ inverse.T
            scale = share * abs(np.prod(np.diag(inverse))) / (2.0 * np.pi) ** 1.5
            out[:, k] = scale * np.exp(-0.5 * (z * z).sum(1))
        return out


def colour_features(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB to (H, W, 3) float32 0.55 L, a, b (8-bit Lab): shading counts half."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    return lab * np.float32([0.55, 1.0, 1.0])


def fit_mixture(
    colours: np.ndarray,
    weights: np.ndarray,
    components: int,
    *,
    rng: np.random.Generator,
    start: Mixture | None = None,
    rounds: int = 6,
) -> Mixture | None:
    """Fit a mixture to weighted colours by expectation maximisation.

    Args:
        colours: (N, 3). weights: (N,) not negative. components: K. rng: draws the first centres.
        start: a mixture to start from.

    Returns:
        The mixture; ``start`` where there is too little weight to learn from.
    """
    if weights.sum() < 12 * components:
        return start
    responsibility = (start or _first(colours, weights, components, rng))._components(colours)
    for _ in range(rounds):
        responsibility /= responsibility.sum(1, keepdims=True) + _UNIFORM
        mixture = _maximise(colours, responsibility * weights[:, None])
        responsibility = mixture._components(colours)
    return mixture


def _first(colours: np.ndarray, weights: np.ndarray, components: int, rng: np.random.Generator) -> Mixture:
    """Centres drawn far apart (k-means++), each with a sixteenth of the variance of all colours."""
    centres = [colours[rng.choice(len(colours), p=weights / weights.sum())]]
    for _ in range(components - 1):
        far = weights * np.min([((colours - c) ** 2).sum(1) for c in centres], axis=0) + 1e-12
        centres.append(colours[rng.choice(len(colours), p=far / far.sum())])
    spread = np.average(
        ((colours - np.average(colours, axis=0, weights=weights)) ** 2).mean(1), weights=weights
    )
    inverse = np.eye(3) / np.sqrt(max(spread / 4.0, _FLOOR))
    return Mixture(np.full(components, 1.0 / components), np.array(centres), np.stack([inverse] * components))


def _maximise(colours: np.ndarray, weights: np.ndarray) -> Mixture:
    """The M step; weights (N, K)."""
    total = weights.sum(0) + 1e-9
    mean = weights.T @ colours / total[:, None]
    inverse = np.empty((len(total), 3, 3))
    for k in range(len(total)):
        d = colours - mean[k]
        covariance = (d * weights[:, k, None]).T @ d / total[k] + _FLOOR * np.eye(3)
        inverse[k] = np.linalg.inv(np.linalg.cholesky(covariance))
    return Mixture(total / total.sum(), mean, inverse)
