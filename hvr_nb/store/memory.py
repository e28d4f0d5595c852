"""How much memory is free, and which films fit into it."""

from __future__ import annotations

import math
from pathlib import Path

import psutil

from hvr_nb.types import HvrError

SHARE = 0.5  # of the free memory for a film's frames; the stages that follow work on copies of parts
_CGROUPS = Path("/sys/fs/cgroup")
# (limit, in use, statistics, their line that counts what can be dropped) of control groups 2 and 1
_LIMITS = (
    ("memory.max", "memory.current", "memory.stat", "file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_cache",
    ),
)


def free_memory() -> int:
    """Bytes that can still be taken: of the machine, and of the container where one sets a limit."""
    free = psutil.virtual_memory().available
    for limit, used, statistics, droppable in _LIMITS:
        try:
            most, now = int((_CGROUPS / limit).read_text()), int((_CGROUPS / used).read_text())
            lines = dict(line.split() for line in (_CGROUPS / statistics).read_text().splitlines())
            free = min(free, most - now + int(lines.get(droppable, 0)))
        except (OSError, ValueError):  # no such control group, or "max": no limit
            continue
    return max(0, free)


def check_fits(what: str, frames: range, size: tuple[int, int], most: float) -> None:
    """Refuse frames that the machine's memory does not hold, and say what would fit.

    Args:
        what: the film, for the message. frames: those to be held. size: width, height of one, pixels.
        most: bytes they may take.

    Raises:
        HvrError: they need more.
    """
    width, height = size
    needed = len(frames) * width * height * 3
    if needed <= most:
        return
    side = int(max(size) * math.sqrt(most / needed) * 0.99)
    raise HvrError(
        f"{what}: {len(frames)} frames of {width}x{height} need {needed / 2**30:.1f} GiB, frames may take "
        f"{most / 2**30:.1f} GiB of the free memory; max_side = {side}, "
        f"stride = {math.ceil(frames.step * needed / max(most, 1))} or a shorter range (start, stop) would "
        f"fit"
    )
