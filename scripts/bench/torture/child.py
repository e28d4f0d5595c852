"""Work in a child process with limits on time and memory, and how it ended."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hvr_nb.types import HvrError

NAMED, DONE, RAW, HANG, MEMORY, KILLED = "named", "done", "raw", "hang", "over_memory", "killed"


@dataclass(frozen=True)
class Ending:
    """How a child process ended."""

    how: str  # NAMED (one clear sentence), DONE, RAW, HANG, MEMORY or KILLED
    said: str = ""  # the error, or what the work gave as text
    where: str = ""  # of a raw error


def in_child(work: Callable[[], object], *, seconds: float, memory: int = 0) -> Ending:
    """Do the work in a fork of this process.

    Args:
        seconds: after which it is killed and counts as hanging.
        memory: bytes it may take more than this process has now; 0 = as many as it likes.
    """
    ours, its = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        _work(work, its, memory)  # does not return
    os.close(its)
    try:
        return _ending(child, ours, seconds)
    finally:
        os.close(ours)


def _work(work: Callable[[], object], pipe: int, memory: int) -> None:
    """Report through the pipe and end, whatever happens."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (_address_space() + memory,) * 2)
        try:
            report = (DONE, str(work()), "")
        except HvrError as error:
            report = (NAMED, str(error), "")
        except MemoryError as error:
            report = (MEMORY, str(error), _where(error))
        except BaseException as error:  # noqa: BLE001  that is what is being looked for
            report = (RAW, f"{type(error).__name__}: {error}", _where(error))
        text = "\0".join(part.replace("\0", " ")[:1000] for part in report)
        os.write(pipe, text.encode(errors="replace"))
    finally:
        os._exit(0)


def _where(error: BaseException) -> str:
    """The last line of the package that an error went through."""
    rows = [row for row in traceback.extract_tb(error.__traceback__) if "hvr_nb" in row.filename]
    return f"{Path(rows[-1].filename).name}:{rows[-1].lineno}" if rows else ""


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _ending(child: int, pipe: int, seconds: float) -> Ending:
    until, said, hung = time.monotonic() + seconds, b"", False
    while not hung:
        ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        hung = not ready
        part = os.read(pipe, 1 << 16) if ready else b""
        if ready and not part:
            break
        said += part
    if hung:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if hung:
        return Ending(HANG)
    if os.WIFSIGNALED(status):
        return Ending(KILLED, signal.Signals(os.WTERMSIG(status)).name)
    return Ending(*said.decode(errors="replace").split("\0")) if said else Ending(KILLED, "no word")
