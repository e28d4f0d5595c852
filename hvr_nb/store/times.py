"""When the frames of a film were taken."""

from __future__ import annotations

import numpy as np

from hvr_nb.types import HvrError, check_fps

_JITTER = 0.1  # of a frame: stamps are often rounded to milliseconds


def frame_seconds(count: int, *, fps: float, times: np.ndarray | None = None) -> np.ndarray:
    """(T,) seconds of ``count`` frames, T, since the first of them.

    Args:
        fps: their mean rate. times: (T,) seconds, where the rate varies; stamps of a steady rate that
            were merely rounded become the steady rate.

    Raises:
        HvrError: no positive rate, or times that do not increase or are not one a frame.
    """
    check_fps(fps)
    steady = np.arange(count) / fps
    if times is None:
        return steady
    times = np.asarray(times, np.float64)
    if times.shape != (count,) or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise HvrError(f"{count} frames need as many times that increase, in seconds")
    times = times - times[:1]
    return steady if np.abs(times - steady).max(initial=0) < _JITTER / fps else times


def steady_seconds(seconds: np.ndarray, fps: float) -> np.ndarray:
    """(M,) times at a constant rate from the first to the last of (T,); unchanged if they are constant."""
    return np.arange(round(seconds[-1] * fps) + 1) / fps
