"""Occupancies as logits: positive inside, 0 at the surface, nearly linear in the distance around it."""

from __future__ import annotations

import numpy as np

SURE = 4.0  # logits are cut at plus and minus this: beyond, a network only says how sure it is
SOFT = 0.01  # metres off a known surface at which the logit is one


def cut_logits(logits: np.ndarray) -> np.ndarray:
    """Logits (...), float32, between minus and plus ``SURE``."""
    return np.clip(logits, -SURE, SURE).astype(np.float32)


def logits_off(distance: np.ndarray) -> np.ndarray:
    """Logits (...) of a surface that is known, at signed distances (...) from it, metres, negative inside."""
    return cut_logits(-distance / SOFT)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Occupancies (...) of logits (...), 0 outside to 1 inside."""
    return 1 / (1 + np.exp(-logits))
