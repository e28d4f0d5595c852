"""How much of the work on some videos is done, when it will end, how many failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from tqdm import tqdm

from hvr_nb.batch.chain import StageRun

# seconds of each notebook on the demo (docs/benchmarks.md): how the work is spread, not how long it takes
SHARES = {"00_video": 8, "01_keypoints": 12, "02_masks": 30, "03_body": 40, "04_canonical": 8,
          "05_train": 107, "06_render": 76, "07_visualize": 27}  # fmt: skip
USUAL = 10  # of a notebook that is not in the table


class TotalProgress:
    """Progress over all notebooks of all clips; what had not changed does not count as work done.

    ``done`` and ``total`` are in the unit of ``SHARES``; ``ended`` and ``failed`` count clips.
    """

    def __init__(
        self,
        stages: Sequence[str],
        clips: Sequence[str],
        *,
        shown: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._stages = {stage: SHARES.get(stage, USUAL) for stage in stages}
        self._left = {clip: dict(self._stages) for clip in clips}
        self._lock, self.failed, self.ended = threading.Lock(), 0, 0
        self._clock, self._began, self._known = clock, clock(), set(clips)
        self._failures: set[str] = set()
        self.done, self.total = 0, sum(self._stages.values()) * len(self._left)
        self._bar = tqdm(
            total=self.total,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} so far, {remaining} to go{postfix}",
            desc=f"{len(clips)} videos",
            disable=not shown,
        )

    @property
    def seconds_left(self) -> float:
        """Seconds to go at the speed so far; NaN before anything was done."""
        spent = self._clock() - self._began
        return spent * (self.total - self.done) / self.done if self.done else float("nan")

    def ran(self, clip: str, run: StageRun) -> None:
        """A notebook of a clip has ended."""
        with self._lock:
            share = self._left.get(clip, {}).pop(run.stage, 0)
            self._count(0 if run.skipped else share, less=share if run.skipped else 0)

    def begins(self, clip: str) -> None:
        """Work on a clip begins; where it had ended before it is tried again and is work once more."""
        with self._lock:
            if clip in self._known and clip not in self._left:
                self._left[clip] = dict(self._stages)
                self.ended, self.failed = self.ended - 1, self.failed - (clip in self._failures)
                self._failures.discard(clip)
                self._count(0, less=-sum(self._stages.values()))

    def ends(self, clip: str, *, failed: bool) -> None:
        """A clip has ended; what it did not come to is no work any more."""
        with self._lock:
            if clip in self._left:
                self.ended, self.failed = self.ended + 1, self.failed + failed
                self._failures |= {clip} if failed else set()
                self._count(0, less=sum(self._left.pop(clip).values()))

    def follow(self, event: Mapping[str, object]) -> None:
        """Count an event of ``hvr_nb.batch.events``."""
        clip = str(event.get("clip", ""))
        if event["event"] == "began":
            self.begins(clip)
        elif event["event"] == "stage":
            skipped, seconds = bool(event.get("skipped")), float(event.get("seconds", 0))
            self.ran(clip, StageRun(str(event.get("stage", "")), skipped, seconds))
        elif event["event"] == "ended":
            self.ends(clip, failed=event.get("status") == "failed")

    def close(self) -> None:
        """End the bar."""
        self._bar.close()

    def _count(self, done: float, *, less: float) -> None:
        self.done, self.total = self.done + done, self.total - less
        self._bar.total = self.total
        self._bar.set_postfix_str(f"{self.ended} ended, {self.failed} failed", refresh=False)
        self._bar.update(done)
        self._bar.refresh()
