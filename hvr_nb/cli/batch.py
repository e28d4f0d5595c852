"""``python -m hvr_nb batch``: all notebooks on several videos, here or on a cluster, and how that stands."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path

from hvr_nb.cli.clips import refresh_clips_page
from hvr_nb.store.places import CLIPS
from hvr_nb.types import HvrError

AGAIN = "again.csv"
PAUSE = 20  # the page over all clips is made anew after so many times as long as making it took


def add_batch(commands) -> argparse.ArgumentParser:
    """Add the command to the command line's subparsers."""
    command = commands.add_parser(
        "batch", help="all notebooks on several videos; one failing does not stop the rest"
    )
    command.add_argument(
        "videos", nargs="*", help="video files, folders of pictures, or lists of them (.csv, .toml)"
    )
    command.add_argument("--clips", type=Path, default=CLIPS, help="folder for their clips")
    command.add_argument("--workers", type=int, default=1, help="videos at a time, which share the cores")
    command.add_argument(
        "--retries", type=int, default=0, help="how often a video that failed is tried again"
    )
    command.add_argument(
        "--status", type=Path, metavar="FOLDER", help="only say how the batch in this folder of clips stands"
    )
    engine = command.add_mutually_exclusive_group()
    engine.add_argument(
        "--dask", metavar="ADDRESS", help="run on this Dask scheduler; local: --workers processes"
    )
    engine.add_argument(
        "--slurm", metavar="SETTINGS", help='run as a SLURM job array, e.g. "partition=long time=120 mem=8G"'
    )
    command.set_defaults(act=_act)
    return command


def _act(args: argparse.Namespace) -> int:
    from hvr_nb.batch import run_videos, summary
    from hvr_nb.cli.overrides import overrides

    if args.status:
        return _status(args.status)
    given = overrides(args.p, args.notebooks)
    listed = _listed(args)
    with _engine(args) as executor:
        runs = run_videos(
            [one.video for one in listed],
            args.clips,
            notebooks_dir=args.notebooks,
            clips=_folders(listed, args.clips),
            workers=args.workers,
            executor=executor,
            retries=args.retries,
            overrides=given,
            each=[one.given for one in listed],
            on_event=_Pages(args.clips.absolute()),
            from_stage=args.from_stage,
            to_stage=args.to_stage,
            force=args.force,
            timeout=args.timeout,
        )
    print(summary(runs))
    for run in runs:
        report = run.clip / "report.html"
        if run.status != "failed" and report.exists():
            print(f"report: {report}")
    failed = {run.clip.name: run.error for run in runs if run.error}
    page = refresh_clips_page(args.clips.absolute(), failed=failed, always=True)
    if page is not None:
        print(f"all clips: {page}")
    _say_again(args.clips)
    return 1 if any(run.status == "failed" for run in runs) else 0


def _listed(args: argparse.Namespace) -> list:
    """The videos of the command line and of the lists on it."""
    from hvr_nb.batch.videos import missing_videos
    from hvr_nb.cli.video_list import LISTS, ListedVideo, read_video_list

    if not args.videos:
        raise HvrError("give videos, or a list of them (.csv, .toml)")
    lists = [path for path in args.videos if Path(path).suffix.lower() in LISTS]
    missing = missing_videos([path for path in args.videos if path not in lists])
    if missing:
        raise HvrError(
            f"{len(missing)} of {len(args.videos)} videos cannot be read, nothing was run: "
            f"{'; '.join(missing)}"
        )
    return [
        one
        for path in args.videos
        for one in (read_video_list(path, args.notebooks) if path in lists else [ListedVideo(Path(path))])
    ]


def _folders(listed: list, clips: Path) -> list[Path]:
    """Their clips: as the list says, else after the video; no two the same."""
    from hvr_nb.batch.videos import clip_folders

    unnamed = iter(clip_folders([one.video for one in listed if not one.clip], clips.absolute()))
    folders = [clips.absolute() / one.clip if one.clip else next(unnamed) for one in listed]
    twice = sorted({folder.name for folder in folders if folders.count(folder) > 1})
    if twice:
        raise HvrError(f"two videos would become the clip {twice[0]}; give one another name")
    return folders


class _Pages:
    """Makes the page over all clips anew when a clip has ended, but spends little of the time on it."""

    def __init__(self, folder: Path):
        self.folder, self.failed, self.next = folder, {}, 0.0

    def __call__(self, event: dict) -> None:
        """Look at an event of the batch."""
        if event["event"] != "ended":
            return
        self.failed.pop(event["clip"], "")
        if event.get("error"):
            self.failed[event["clip"]] = event["error"]
        began = time.monotonic()
        if began >= self.next:
            refresh_clips_page(self.folder, failed=self.failed, always=True)
            self.next = time.monotonic() + PAUSE * (time.monotonic() - began)


def _engine(args: argparse.Namespace):
    """Where the videos run: None for threads of this process, or the executor of a cluster."""
    from hvr_nb.batch.backends import dask_executor, slurm_executor

    if args.dask:
        return dask_executor(args.dask, workers=args.workers)
    if args.slurm:
        return slurm_executor(args.slurm, args.clips / "cluster_logs")
    return contextlib.nullcontext()


def _status(folder: Path) -> int:
    from hvr_nb.batch.status import batch_state, state_table

    print(state_table(batch_state(folder)))
    _say_again(folder)
    return 0


def _say_again(folder: Path) -> None:
    """Write the list of what is to be tried again, and say where it is."""
    from hvr_nb.batch.status import batch_state
    from hvr_nb.cli.video_list import ListedVideo, write_video_list

    again = [ListedVideo(Path(v.video), v.clip, v.given) for v in batch_state(folder).again]
    try:
        path = write_video_list(folder / AGAIN, again)
    except HvrError as error:
        print(f"error: {error}", file=sys.stderr)
        return
    if path is not None:
        print(f"to try again: {len(again)} videos, python -m hvr_nb batch {path} --clips {folder}")
