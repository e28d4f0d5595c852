"""A chain killed at a random file operation, run again, and compared with one that was never disturbed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hvr_nb.batch import notebook
from hvr_nb.batch.chain import run_chain
from hvr_nb.types import HvrError
from scripts.bench.torture.child import DONE, KILLED, NAMED, Ending, in_child
from scripts.bench.torture.stand_in import execute_in_process, write_stand_in

SECONDS = 120  # for one run of the chain; it takes a fraction of one
_FILE_EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
LONGEST = 0.004  # seconds between a file operation and the kill


class Chain:
    """The stand-in chain in a folder, and what it leaves when nothing disturbs it."""

    def __init__(self, folder: Path):
        self.folder, self.notebooks = folder, write_stand_in(folder / "notebooks")
        self.video = folder / "film.mp4"
        self.video.write_text("7")
        ending = self.run(folder / "undisturbed" / "clip", count=True)
        if ending.how != DONE:
            raise HvrError(f"the undisturbed chain fails: {ending.said}")
        self.operations = int(ending.said)
        self.right = state_of(folder / "undisturbed" / "clip")

    def run(
        self,
        clip: Path,
        *,
        kill_at: int = 0,
        delay: float = 0.0,
        count: bool = False,
        before: Callable[[], object] = int,
        memory: int = 0,
    ) -> Ending:
        """One run of the chain in a child process.

        Args:
            kill_at: the file operation in the clip's folder at which it is killed, 1 the first; 0: none.
            delay: seconds after it. count: give the number of operations. before: called in the child first.
        """

        def work() -> object:
            notebook._execute = execute_in_process
            before()
            counter = _Counter(clip, kill_at, delay)
            if kill_at or count:
                sys.addaudithook(counter)
            run_chain(self.video, clip, notebooks_dir=self.notebooks, progress=False)
            return counter.seen

        return in_child(work, seconds=SECONDS, memory=memory)

    def faults(self, clip: Path) -> list[str]:
        """How a clip differs from the undisturbed one; left-overs of kills are named so."""
        found = state_of(clip)
        left = [f"left over: {name}" for name in found if name.rpartition("/")[2].startswith(".")]
        names = sorted({*found, *self.right} - {text.removeprefix("left over: ") for text in left})
        return left + [f"differs: {name}" for name in names if found.get(name) != self.right.get(name)]


class _Counter:
    """Counts the file operations below a folder and kills this process at one of them."""

    def __init__(self, folder: Path, kill_at: int, delay: float):
        self.folder, self.kill_at, self.delay, self.seen = str(folder), kill_at, delay, 0

    def __call__(self, event: str, arguments: tuple) -> None:
        if event not in _FILE_EVENTS or not str(arguments[0]).startswith(self.folder):
            return
        self.seen += 1
        if self.seen == self.kill_at:
            if self.delay:  # the alarm's default is to end the process where it stands
                signal.setitimer(signal.ITIMER_REAL, self.delay)
            else:
                os.kill(os.getpid(), signal.SIGKILL)


def state_of(clip: Path) -> dict[str, str]:
    """Place -> digest of everything in a clip but the locks and how long things took."""
    found = {}
    for path in sorted(p for p in clip.rglob("*") if p.is_file() or p.name.startswith(".")):
        if path.name in (".running.lock", ".writing.lock"):
            continue
        data = path.read_bytes() if path.is_file() else b""
        if path.name.endswith(".done.json"):
            content = json.loads(data)
            content.pop("seconds", None)
            content.get("params", {}).pop("clip", None)
            data = json.dumps(content, sort_keys=True).encode()
        found[path.relative_to(clip).as_posix()] = hashlib.sha256(data).hexdigest()
    return found


def kill_and_resume(chain_: Chain, rng: random.Random, number: int) -> tuple[int, list[str]]:
    """Kill a run of a new clip, perhaps its resumption too, then let it end: kills and faults."""
    clip, kills = chain_.folder / f"killed{number}" / "clip", 0
    for _ in range(rng.choice((1, 1, 2, 3))):
        delay = rng.choice((0.0, rng.uniform(0, LONGEST)))
        ending = chain_.run(clip, kill_at=rng.randint(1, chain_.operations), delay=delay)
        if ending.how not in (KILLED, DONE):
            return kills, [f"killed run {number}: {ending.how}: {ending.said} {ending.where}"]
        kills += ending.how == KILLED
    ending = chain_.run(clip)
    faults = [] if ending.how == DONE else [f"{ending.how}: {ending.said} {ending.where}"]
    faults += chain_.faults(clip)
    if not faults:
        shutil.rmtree(clip.parent)
    return kills, [f"killed run {number}: {fault}" for fault in faults]


def hardships(chain_: Chain) -> Iterator[tuple[str, list[str]]]:
    """A full, closed, moved or wrongly clocked folder: name and faults of each."""
    top = chain_.folder
    for limit in (0, 1, 100, 700, 1500, 3000):
        clip = top / f"full{limit}" / "clip"
        ending = chain_.run(clip, before=lambda limit=limit: _limit_files(limit))
        yield f"files of {limit} bytes", [*_named_or_done(ending), *_then_right(chain_, clip)]
    for kib in (64, 128, 256):
        with _small_disk(top / f"disk{kib}", kib) as disk:
            if disk is not None:
                ending = chain_.run(disk / "clip")
                yield f"a disk of {kib} KiB", _named_or_done(ending)
    clip = top / "closed" / "clip"
    chain_.run(clip)
    (clip / "runs" / "06_render.done.json").unlink()
    if os.geteuid() == 0:
        ending = chain_.run(clip, before=lambda: os.seteuid(65534))
        why = [] if ending.how == NAMED and "may not be written" in ending.said else [str(ending)]
        yield "a closed folder", [*why, *_then_right(chain_, clip)]
    moved = top / "moved" / "elsewhere"
    moved.parent.mkdir()
    shutil.move(clip, moved)
    before = {p: p.stat().st_mtime_ns for p in moved.rglob("*.npz")}
    ending = chain_.run(moved)
    again = [f"written again: {p}" for p, t in before.items() if p.stat().st_mtime_ns != t]
    yield "a moved folder", [*_named_or_done(ending), *again, *chain_.faults(moved)]
    for years in (-30, 30):
        clip = top / f"clock{years}" / "clip"
        first = chain_.run(clip, kill_at=chain_.operations // 2, before=lambda y=years: _wrong_clock(y))
        _date(clip, years)
        why = [] if first.how == KILLED else [str(first)]
        yield f"a clock {years} years off", [*why, *_then_right(chain_, clip)]


def _named_or_done(ending: Ending) -> list[str]:
    return [] if ending.how in (NAMED, DONE) else [f"{ending.how}: {ending.said} {ending.where}"]


def _then_right(chain_: Chain, clip: Path) -> list[str]:
    ending = chain_.run(clip)
    return chain_.faults(clip) if ending.how == DONE else [f"after it: {ending.how}: {ending.said}"]


def _limit_files(most: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def _wrong_clock(years: int) -> None:
    real = time.time
    time.time = lambda: real() + years * 365 * 86400


def _date(folder: Path, years: int) -> None:
    """Date everything as the wrong clock would have."""
    then = max(0.0, time.time() + years * 365 * 86400)
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (then, then), follow_symlinks=False)


@contextmanager
def _small_disk(place: Path, kib: int) -> Iterator[Path | None]:
    """A disk of a few KiB in memory; None where this user may not mount one."""
    import subprocess

    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "torture", str(place)]
    try:
        mounted = not subprocess.run(command, capture_output=True).returncode
    except OSError:
        mounted = False
    try:
        yield place if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)
