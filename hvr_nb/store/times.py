"""When the frames of a film were taken."""

from __future__ import annotations

import numpy as np

from hvr_nb.types import HvrError

_JITTER = 0.1  # of a frame: stamps are often rounded to milliseconds


def frame_seconds(count: int, *, fps: float, times: np.ndarray | None = None) -> np.ndarray:
    """(T,) seconds of ``count`` frames, T, since the first of them.

    Args:
        fps: their mean rate. times: (T,) seconds, where the rate varies; stamps of a steady rate that
            were merely rounded become the steady rate.

    Raises:
        HvrError: no positive rate, or times that do not increase or are not one a frame.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise HvrError(f"fps is {fps}; it must be positive")
    steady = np.arange(count) / fps
    if times is None:
        return steady
    times = np.asarray(times, np.float64)
    if times.shape != (count,) or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise HvrError(f"{count} frames need as many times that increase, in seconds")
    times = times - times[:1]
    return steady if np.abs(times - steady).max(initial=0) < _JITTER / fps else times


def is_steady(seconds: np.ndarray, fps: float) -> bool:
    """Whether times (T,) of ``frame_seconds`` are those of a steady rate."""
    return bool(np.array_equal(seconds, np.arange(len(seconds)) / fps))
