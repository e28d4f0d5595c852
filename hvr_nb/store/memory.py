"""How much memory is free, and which films fit into it."""

from __future__ import annotations

import math
from pathlib import Path

import psutil

from hvr_nb.types import HvrError

_CGROUPS, _OURS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# (limit, in use, line of memory.stat that counts what can be dropped) of control groups 2 and 1
_FILES = {
    "": ("memory.max", "memory.current", "file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
}


def free_memory() -> int:
    """Bytes that can still be taken: of the machine, and of the container or job that sets a limit."""
    free = psutil.virtual_memory().available
    for controller, group in _groups():
        limit, used, droppable = _FILES[controller]
        try:
            most, now = int((group / limit).read_text()), int((group / used).read_text())
            lines = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            free = min(free, most - now + int(lines.get(droppable, 0)))
        except (OSError, ValueError):  # no such control group, or "max": no limit
            continue
    return max(0, free)


def _groups() -> list[tuple[str, Path]]:
    """The control groups of this process and those around them: which of ``_FILES``, and folder."""
    found = [(controller, _CGROUPS / controller) for controller in _FILES]
    try:
        lines = [line.split(":", 2) for line in _OURS.read_text().splitlines()]
    except OSError:
        return found
    for _, controllers, place in lines:
        for controller in {"", "memory"} & set(controllers.split(",")):
            inner = Path(place.strip("/"))
            found += [(controller, _CGROUPS / controller / group) for group in (inner, *inner.parents)]
    return found


def check_fits(what: str, frames: range, size: tuple[int, int], most: float) -> None:
    """Refuse frames for which the machine has no room, and say what would fit.

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
        f"{most / 2**30:.1f} GiB of the free memory or disk; max_side = {side}, "
        f"stride = {math.ceil(frames.step * needed / max(most, 1))} or a shorter range (start, stop) would "
        f"fit"
    )
