"""What notebooks 00 to 04 hold in memory for clips of any length:  python -m scripts.bench.long_clips VIDEO

The film is looped, forwards and backwards, to the lengths asked for, and goes through the notebooks. Printed
are seconds and the largest memory of each notebook's process: what is its own (RssAnon) without pages of
files, which the system takes back when it needs them. The last line is the growth for a frame between the
shortest and the longest clip, in bytes and in sizes of a raw frame.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from hvr_nb.batch import run_chain
from hvr_nb.store.places import NOTEBOOKS
from hvr_nb.store.video import read_video, write_video

EVERY = 0.05  # seconds between two looks at the memory


def looped(frames: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """``count`` of the frames (T, H, W, 3), forwards and backwards in turn."""
    last = max(1, len(frames) - 1)
    for k in range(count):
        turn, place = divmod(k, last)
        yield frames[min(last - place if turn % 2 else place, len(frames) - 1)]


class Watcher:
    """The largest own memory of the processes below this one, since it was last asked."""

    def __init__(self):
        self._most, self._over = 0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._over.wait(EVERY):
            self._most = max([self._most, *(own_memory(child.pid) for child in me.children(recursive=True))])

    def most(self) -> int:
        """Bytes, and begin anew."""
        most, self._most = self._most, 0
        return most

    def stop(self) -> None:
        """End it."""
        self._over.set()


def own_memory(process: int) -> int:
    """Bytes of a process that no file is behind."""
    try:
        found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:  # it has ended
        return 0
    return int(found[1]) << 10 if found else 0


def measure(
    film: Path, count: int, frames: np.ndarray, given: dict, last: str
) -> dict[str, tuple[float, int]]:
    """Seconds and bytes of each notebook for a clip of ``count`` of the frames (T, H, W, 3)."""
    found, watcher = {}, Watcher()
    with tempfile.TemporaryDirectory() as folder:
        path = write_video(Path(folder) / film.with_suffix(".mp4").name, looped(frames, count), fps=30)
        watcher.most()
        run_chain(
            path,
            Path(folder) / "clip",
            notebooks_dir=NOTEBOOKS,
            overrides=given,
            to_stage=last,
            progress=False,
            on_stage=lambda ran: found.update({ran.stage: (ran.seconds, watcher.most())}),
        )
    watcher.stop()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path, help="a film of one person")
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 400], help="lengths of the clips")
    parser.add_argument("--side", type=int, default=160, help="pixels, longer side of the frames")
    parser.add_argument("--to", default="04", help="last notebook")
    args = parser.parse_args()
    frames = read_video(args.video, max_side=args.side, stop=300).frames
    raw, rows = frames[0].nbytes, {}
    print(f"frames of {frames.shape[2]}x{frames.shape[1]}, {raw / 1e3:.0f} kB each")
    for count in args.frames:
        rows[count] = measure(args.video, count, frames, {"02_masks": {"quality": "quick"}}, args.to)
        for stage, (seconds, most) in rows[count].items():
            print(f"{count:6d} frames  {stage:14s} {seconds:7.1f} s  {most / 1e6:7.0f} MB", flush=True)
    low, high = min(rows), max(rows)
    growth = {s: (rows[high][s][1] - rows[low][s][1]) / max(1, high - low) for s in rows[low]}
    print("growth a frame: " + " ".join(f"{s}={g:.0f}B({g / raw:.2f})" for s, g in growth.items()))


if __name__ == "__main__":
    main()
