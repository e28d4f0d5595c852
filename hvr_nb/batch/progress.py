"""One bar for many videos: how much of the work is done, when it will end, how many failed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from tqdm import tqdm

from hvr_nb.batch.chain import StageRun

# seconds of each notebook on the demo (docs/benchmarks.md): how the work is spread, not how long it takes
SHARES = {"00_video": 5, "01_keypoints": 6, "02_masks": 25, "03_body": 17, "04_canonical": 8,
          "05_train": 175, "06_render": 87, "07_visualize": 16}  # fmt: skip
USUAL = 10  # of a notebook that is not in the table


class TotalProgress:
    """Progress over all notebooks of all videos; what had not changed does not count as work done."""

    def __init__(self, stages: Sequence[str], clips: Sequence[str], *, shown: bool = True):
        self._left = {clip: {stage: SHARES.get(stage, USUAL) for stage in stages} for clip in clips}
        self._lock, self._failed, self._ended = threading.Lock(), 0, 0
        self._bar = tqdm(
            total=sum(sum(left.values()) for left in self._left.values()),
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} so far, {remaining} to go{postfix}",
            desc=f"{len(clips)} videos",
            disable=not shown,
        )

    @property
    def total(self) -> float:
        """The work that there is to do, in the unit of ``SHARES``."""
        return self._bar.total

    @property
    def done(self) -> float:
        """The work that was done."""
        return self._bar.n

    def ran(self, clip: str, run: StageRun) -> None:
        """A notebook of a clip has ended."""
        with self._lock:
            share = self._left[clip].pop(run.stage, 0)
            self._count(0 if run.skipped else share, less=share if run.skipped else 0)

    def ended(self, clip: str, *, failed: bool) -> None:
        """A clip has ended; what it did not come to is no work any more."""
        with self._lock:
            self._failed, self._ended = self._failed + failed, self._ended + 1
            self._count(0, less=sum(self._left.pop(clip, {}).values()))

    def close(self) -> None:
        """End the bar."""
        self._bar.close()

    def _count(self, done: float, *, less: float) -> None:
        self._bar.total -= less
        self._bar.set_postfix_str(f"{self._ended} ended, {self._failed} failed", refresh=False)
        self._bar.update(done)
        self._bar.refresh()
