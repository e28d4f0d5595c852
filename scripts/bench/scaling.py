"""How long many videos take on many nodes:  python -m scripts.bench.scaling [--clips FOLDER]

A simulation from measured times of the notebooks, of one job a video and one job a node at a time: jobs wait
for the scheduler, nodes are taken away and their jobs go on after the last finished notebook, some attempts
fail and are tried again. It prints the tables of docs/scaling.md.
"""

from __future__ import annotations

import argparse
import heapq
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hvr_nb.batch.events import EventLog
from hvr_nb.batch.progress import SHARES
from hvr_nb.store.files import results
from hvr_nb.store.markers import read_marker

NODES, VIDEOS = (1, 10, 100, 1000), (10, 100, 1000, 10_000, 100_000)
SPREAD = 0.3  # of the logarithm of a notebook's time, where only one video was measured
LINES = 11  # events of one video: queued, began, eight notebooks, ended


@dataclass(frozen=True)
class Cluster:
    """What happens to jobs there."""

    wait: float = 30.0  # mean seconds until the scheduler starts a job on a free node
    preempted: float = 0.1  # times an hour that a node is taken away
    failed: float = 0.01  # share of attempts that fail for a reason that passes
    broken: float = 0.02  # share of videos that always fail, in their second notebook
    retries: int = 2


@dataclass(frozen=True)
class Outcome:
    """What became of a batch."""

    hours: float  # until the last video has ended
    busy: float  # share of the nodes' time in which notebooks ran that count
    again: float  # share of the notebooks' time that was spent on work that was lost
    done: int  # videos


def measured_times(clips: Path | None) -> np.ndarray:
    """(clips, notebooks) seconds from the markers of finished clips; without any, those of the demo."""
    rows = []
    for clip in sorted(clips.iterdir()) if clips else ():
        row = [read_marker(path).seconds for path in results(clip / "runs", "[0-9]*.done.json")]
        rows += [row] if len(row) == len(SHARES) else []
    return np.array(rows or [list(SHARES.values())], float)


def draw_times(measured: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, notebooks) seconds: rows of ``measured`` (clips, notebooks), or one row spread out."""
    if len(measured) > 1:
        return measured[rng.integers(0, len(measured), count)]
    return measured * rng.lognormal(-(SPREAD**2) / 2, SPREAD, (count, measured.shape[1]))


def simulate(times: np.ndarray, nodes: int, cluster: Cluster, rng: np.random.Generator) -> Outcome:
    """One batch: jobs in a queue, each taken by the node that is free first.

    Args:
        times: (videos, notebooks) seconds.
    """
    free = [0.0] * nodes
    broken = rng.random(len(times)) < cluster.broken
    queue = deque((k, 0, 0, 0.0) for k in range(len(times)))  # video, next notebook, tries, when it can begin
    useful = lost = last = 0.0
    done = 0
    while queue:
        video, stage, tries, ready = queue.popleft()
        now = max(heapq.heappop(free), ready) + rng.exponential(cluster.wait)
        ends = now + np.cumsum(times[video, stage:])
        taken = now + (rng.exponential(3600 / cluster.preempted) if cluster.preempted else np.inf)
        unlucky = rng.random() < cluster.failed
        fails = (
            min(max(0, 1 - stage), len(ends) - 1)
            if broken[video]
            else rng.integers(len(ends))
            if unlucky
            else -1
        )
        stop = ends[fails] if fails >= 0 else ends[-1]
        finished = int(np.searchsorted(ends, min(stop, taken), side="right"))
        finished = min(finished, fails) if fails >= 0 else finished
        until = ends[finished - 1] if finished else now
        useful, lost = useful + until - now, lost + min(stop, taken) - until
        now = min(stop, taken)
        if taken < stop:
            queue.append((video, stage + finished, tries, now))
        elif fails >= 0 and tries < cluster.retries:
            queue.append((video, stage + finished, tries + 1, now))
        else:
            done += fails < 0
        heapq.heappush(free, now)
        last = max(last, now)
    return Outcome(last / 3600, useful / (nodes * last), lost / (useful + lost), done)


def table(
    measured: np.ndarray,
    cluster: Cluster,
    *,
    nodes: Sequence[int] = NODES,
    videos: Sequence[int] = VIDEOS,
    seed: int = 0,
) -> str:
    """A table in Markdown, a row a number of videos: hours (share of the nodes' time that counted).

    Args:
        measured: (clips, notebooks) seconds.
    """
    heads = [f"{n} node{'s' * (n > 1)}" for n in nodes]
    lines = ["| videos | " + " | ".join(heads) + " |", "|---" * (len(nodes) + 1) + "|"]
    for count in videos:
        cells = []
        for n in nodes:
            rng = np.random.default_rng(seed)
            found = simulate(draw_times(measured, count, rng), n, cluster, rng)
            cells.append(f"{_hours(found.hours)} ({100 * found.busy:.0f} %)")
        lines.append(f"| {count:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.0f} days"


def events_a_second(count: int = 300) -> float:
    """Lines that one writer appends to ``events.jsonl`` on this machine's disk."""
    with tempfile.TemporaryDirectory() as folder:
        log = EventLog.begin(Path(folder), [])
        began = time.perf_counter()
        for k in range(count):
            log.add("stage", clip=str(k), stage="00_video", seconds=1.0, skipped=False)
        return count / (time.perf_counter() - began)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, help="folder of finished clips whose times are taken")
    parser.add_argument("--preempted", type=float, default=Cluster.preempted, help="times an hour and node")
    parser.add_argument("--wait", type=float, default=Cluster.wait, help="mean seconds until a job starts")
    args = parser.parse_args()
    measured = measured_times(args.clips)
    each = measured.sum(1).mean()
    print(f"{len(measured)} clips measured, {each:.0f} s a video on average\n")
    print(table(measured, Cluster(wait=args.wait, preempted=args.preempted)))
    print("\nnodes that nobody takes away:\n\n" + table(measured, Cluster(wait=args.wait, preempted=0.0)))
    rate, most = events_a_second(), max(NODES) * LINES / each
    print(f"\nevents.jsonl: {rate:.0f} lines a second from one writer; {max(NODES)} nodes need {most:.0f}")


if __name__ == "__main__":
    main()
