"""How a batch stands and what of it is to be tried again, from the files in its folder alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hvr_nb.batch.events import EVENTS, here, read_events
from hvr_nb.batch.progress import TotalProgress
from hvr_nb.store.atomic_files import is_running
from hvr_nb.types import HvrError

QUEUED, RUNNING, STOPPED, FAILED = "queued", "running", "stopped", "failed"


@dataclass(frozen=True)
class VideoState:
    """What is known of one video of a batch."""

    clip: str
    video: str
    given: dict[str, dict[str, object]] = field(default_factory=dict)  # its parameters by stage
    status: str = QUEUED  # QUEUED, RUNNING, STOPPED (its process is gone), or as ``VideoRun.status``
    stage: str = ""  # the last finished notebook, or the one that failed
    seconds: float = 0.0  # that its last run took, or has taken so far
    error: str = ""  # why it failed, one line
    tries: int = 0  # how often it was begun


@dataclass(frozen=True)
class BatchState:
    """How the last batch of a folder stands, and every video that a batch there was ever asked for."""

    videos: list[VideoState]
    over: bool  # nobody works on it any more
    ended: int  # videos of the last batch
    failed: int
    share: float  # of its work that is done, 0 to 1
    seconds_left: float  # NaN where that cannot be said
    quiet: float  # seconds since the last event

    @property
    def again(self) -> list[VideoState]:
        """Those that failed or were stopped; once the batch is over also those it never came to."""
        waits = (FAILED, STOPPED, *((QUEUED, RUNNING) if self.over else ()))
        return [video for video in self.videos if video.status in waits]


def batch_state(folder: str | Path) -> BatchState:
    """How the last batch of a folder of clips stands.

    Raises:
        HvrError: no batch has been run there.
    """
    folder = Path(folder)
    events, _ = read_events(folder)
    first = [event for event in events if event["event"] == "batch"]
    if not first:
        raise HvrError(f"{folder} has no {EVENTS} of a batch; give the folder that `batch --clips` was given")
    begin, now = first[-1], time.time()
    last = [event for event in events if event["batch"] == begin["batch"]]
    dead = {event["batch"] for event in events if event["event"] == "over"}
    dead |= {event["batch"] for event in first if _gone(event)}
    over = begin["batch"] in dead
    videos: dict[str, VideoState] = {}
    workers: dict[str, dict] = {}
    for event in events:
        _apply(event, videos, workers, now)
    for clip, state in videos.items():
        if state.status == RUNNING and (
            _gone(workers[clip]) or workers[clip]["batch"] in dead - {begin["batch"]}
        ):
            videos[clip] = replace(state, status=STOPPED)
    clips = [event["clip"] for event in last if event["event"] == "queued"]
    clock = _Clock(begin["time"])
    total = TotalProgress([str(s) for s in begin.get("stages", [])], clips, shown=False, clock=clock)
    for event in last:
        clock.now = event["time"]
        total.follow(event)
    share = total.done / total.total if total.total else 1.0
    left = 0.0 if over else total.seconds_left
    return BatchState(list(videos.values()), over, total.ended, total.failed, share, left, now - clock.now)


def state_table(state: BatchState) -> str:
    """A line for every video that is running, stopped, failed or doubtful, and one over all of them."""
    rows = [("clip", "status", "stage", "seconds", "tries", "why")]
    rows += [
        (v.clip, v.status, v.stage, f"{v.seconds:.0f}", str(v.tries), v.error)
        for v in state.videos
        if v.status not in (QUEUED, "done", "unchanged")
    ]
    counts = ", ".join(f"{n} {word}" for word, n in _counts(state.videos))
    left = f", about {state.seconds_left / 60:.0f} min to go" if state.seconds_left > 0 else ""
    ends = "over" if state.over else f"{100 * state.share:.0f} % of the work done{left}"
    table = aligned(rows) + "\n" if len(rows) > 1 else ""
    return f"{table}{counts}; {ends}; last news {state.quiet:.0f} s ago"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of words as columns; the last one is as wide as it likes. What would steer a terminal is "?"."""
    rows = [["".join(c if c.isprintable() else "?" for c in word) for word in row] for row in rows]
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]) - 1)]
    lines = ["  ".join([*(v.ljust(w) for v, w in zip(row, widths, strict=False)), row[-1]]) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _counts(videos: Sequence[VideoState]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for video in videos:
        found[video.status] = found.get(video.status, 0) + 1
    return sorted(found.items())


class _Clock:
    """Shows the time of the event that is being replayed."""

    def __init__(self, now: float):
        self.now = now

    def __call__(self) -> float:
        return self.now


def _gone(event: dict) -> bool:
    """Whether the process of an event ran on this machine and runs no more."""
    process, this = event.get("process"), here()["machine"]
    return event.get("machine") == this and isinstance(process, int) and not is_running(process)


def _apply(event: dict, videos: dict[str, VideoState], workers: dict[str, dict], now: float) -> None:
    clip, kind = event.get("clip", ""), event["event"]
    if kind == "queued":
        tries = videos[clip].tries if clip in videos else 0
        given = {k: v for k, v in event.get("given", {}).items() if isinstance(v, dict)}
        videos[clip] = VideoState(clip, event.get("video", ""), given, tries=tries)
    elif clip in videos and kind == "began":
        state = videos[clip]
        workers[clip] = event
        videos[clip] = replace(
            state, status=RUNNING, error="", seconds=max(0.0, now - event["time"]), tries=state.tries + 1
        )
    elif clip in videos and kind == "stage":
        videos[clip] = replace(videos[clip], stage=event.get("stage", ""))
    elif clip in videos and kind == "ended":
        seconds, stage = float(event.get("seconds", 0)), event.get("notebook", "") or videos[clip].stage
        status, error = event.get("status", FAILED), event.get("error", "")
        videos[clip] = replace(videos[clip], status=status, stage=stage, seconds=seconds, error=error)
