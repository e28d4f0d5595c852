"""``python -m hvr_nb``: the command line; ``--help`` lists the commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hvr_nb.cli.batch import add_batch
from hvr_nb.cli.clean import add_clean
from hvr_nb.cli.clips import add_clips, refresh_clips_page
from hvr_nb.cli.formats import add_export, add_import
from hvr_nb.cli.gallery import add_gallery
from hvr_nb.cli.pose3d import add_pose3d
from hvr_nb.cli.workbook import add_workbook
from hvr_nb.store.places import CLIPS, NOTEBOOKS
from hvr_nb.types import HvrError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m hvr_nb", description="One video of a person to an avatar.")
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="all notebooks on one video")
    run.add_argument("video", help="video file or folder of pictures")
    run.add_argument(
        "--clip", type=Path, help="clip folder to write (default: data/clips/<name of the video>)"
    )
    batch = add_batch(commands)
    demo = commands.add_parser("demo", help="all notebooks on the synthetic person, measured against truth")
    demo.add_argument("--clip", type=Path, default=CLIPS / "demo", help="clip folder to write")
    demo.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="parameter")
    demo.add_argument("--notebooks", type=Path, default=NOTEBOOKS, help=argparse.SUPPRESS)
    for command in (run, batch):
        command.add_argument(
            "-p",
            nargs=2,
            action="append",
            default=[],
            metavar=("NAME", "VALUE"),
            help="parameter: 05_train.iters 3000, or iters 3000 for all",
        )
        command.add_argument("--from", dest="from_stage", default="", metavar="STAGE", help="first notebook")
        command.add_argument("--to", dest="to_stage", default="", metavar="STAGE", help="last notebook")
        command.add_argument("--force", action="store_true", help="run also what has not changed")
        command.add_argument("--timeout", type=float, default=0, help="seconds a cell may take; 0 = no limit")
        command.add_argument("--notebooks", type=Path, default=NOTEBOOKS, help=argparse.SUPPRESS)
    add_clips(commands)
    add_import(commands)
    add_export(commands)
    add_pose3d(commands)
    add_gallery(commands)
    add_workbook(commands)
    add_clean(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code: 0 all done, 1 something failed, 130 interrupted."""
    args = parser().parse_args(arguments)
    try:
        return run_command(args)
    except HvrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on with the notebook that was running", file=sys.stderr)
        return 130


def run_command(args: argparse.Namespace) -> int:
    """Run the command, or the video of ``run``, and print what became of it."""
    if "act" in args:
        return args.act(args)
    from hvr_nb.batch import run_videos, summary
    from hvr_nb.batch.videos import missing_videos
    from hvr_nb.cli.overrides import overrides

    if args.command == "demo":
        from hvr_nb.cli.demo import run_demo

        try:
            run_demo(args.clip, args.notebooks, overrides(args.p, args.notebooks))
        finally:
            refresh_clips_page(args.clip.absolute().parent)
        return 0
    missing = missing_videos([args.video])
    if missing:
        raise HvrError(f"the video cannot be read, nothing was run: {missing[0]}")
    (done,) = run_videos(
        [args.video],
        CLIPS,
        notebooks_dir=args.notebooks,
        clips=[args.clip] if args.clip else (),
        overrides=overrides(args.p, args.notebooks),
        log=False,
        from_stage=args.from_stage,
        to_stage=args.to_stage,
        force=args.force,
        timeout=args.timeout,
    )
    for stage in done.stages:
        print(f"{stage.stage:14s} {'unchanged' if stage.skipped else f'{stage.seconds:6.1f} s'}")
    print(summary([done]))
    report = done.clip / "report.html"
    if done.status != "failed" and report.exists():
        print(f"report: {report}")
    page = refresh_clips_page(
        done.clip.absolute().parent, failed={done.clip.name: done.error} if done.error else {}
    )
    if page is not None:
        print(f"all clips: {page}")
    return 1 if done.status == "failed" else 0
