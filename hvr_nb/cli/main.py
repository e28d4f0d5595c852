"""``python -m hvr_nb``: the command line; ``--help`` lists the commands."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from hvr_nb.cli.clean import add_clean
from hvr_nb.cli.clips import add_clips, refresh_clips_page
from hvr_nb.cli.formats import add_export, add_import
from hvr_nb.cli.gallery import add_gallery
from hvr_nb.cli.pose3d import add_pose3d
from hvr_nb.cli.workbook import add_workbook
from hvr_nb.store.places import CLIPS, NOTEBOOKS
from hvr_nb.types import HvrError

PATH_ENDINGS = ("_from", "_file", "_checkpoint")  # of parameters that name a file of the user's


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m hvr_nb", description="One video of a person to an avatar.")
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="all notebooks on one video")
    run.add_argument("video", help="video file or folder of pictures")
    run.add_argument(
        "--clip", type=Path, help="clip folder to write (default: data/clips/<name of the video>)"
    )
    batch = commands.add_parser(
        "batch", help="all notebooks on several videos; one failing does not stop the rest"
    )
    batch.add_argument("videos", nargs="+", help="video files or folders of pictures")
    batch.add_argument("--clips", type=Path, default=CLIPS, help="folder for their clips")
    batch.add_argument("--workers", type=int, default=1, help="videos at a time")
    batch.add_argument("--retries", type=int, default=0, help="how often a video that failed is tried again")
    engine = batch.add_mutually_exclusive_group()
    engine.add_argument(
        "--dask", metavar="ADDRESS", help="run on this Dask scheduler; local: --workers processes"
    )
    engine.add_argument(
        "--slurm", metavar="SETTINGS", help='run as a SLURM job array, e.g. "partition=long time=120 mem=8G"'
    )
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
    """Run the command, or the videos of ``run`` or ``batch``, and print what became of it."""
    if "act" in args:
        return args.act(args)
    from hvr_nb.batch import run_videos, summary
    from hvr_nb.batch.videos import missing_videos

    if args.command == "demo":
        from hvr_nb.cli.demo import run_demo

        try:
            run_demo(args.clip, args.notebooks, overrides(args.p, args.notebooks))
        finally:
            refresh_clips_page(args.clip.absolute().parent)
        return 0
    single = args.command == "run"
    videos = [args.video] if single else args.videos
    missing = missing_videos(videos)
    if missing:
        raise HvrError(
            f"{len(missing)} of {len(videos)} videos cannot be read, nothing was run: {'; '.join(missing)}"
        )
    given = overrides(args.p, args.notebooks)
    with contextlib.nullcontext() if single else _engine(args) as executor:
        runs = run_videos(
            videos,
            CLIPS if single else args.clips,
            notebooks_dir=args.notebooks,
            clips=[args.clip] if single and args.clip else (),
            workers=1 if single else args.workers,
            executor=executor,
            retries=0 if single else args.retries,
            overrides=given,
            from_stage=args.from_stage,
            to_stage=args.to_stage,
            force=args.force,
            timeout=args.timeout,
        )
    for stage in runs[0].stages if single else ():
        print(f"{stage.stage:14s} {'unchanged' if stage.skipped else f'{stage.seconds:6.1f} s'}")
    print(summary(runs))
    for run in runs:
        report = run.clip / "report.html"
        if run.status != "failed" and report.exists():
            print(f"report: {report}")
    failed = {run.clip.name: run.error for run in runs if run.error}
    page = refresh_clips_page(runs[0].clip.absolute().parent, failed=failed, always=not single)
    if page is not None:
        print(f"all clips: {page}")
    return 1 if any(run.status == "failed" for run in runs) else 0


def _engine(args: argparse.Namespace):
    """Where the videos of ``batch`` run: None for threads of this process, or the executor of a cluster."""
    from hvr_nb.batch.backends import dask_executor, slurm_executor

    if args.dask:
        return dask_executor(args.dask, workers=args.workers)
    if args.slurm:
        return slurm_executor(args.slurm, args.clips / "cluster_logs")
    return contextlib.nullcontext()


def overrides(pairs: Sequence[Sequence[str]], notebooks_dir: Path) -> dict[str, dict[str, object]]:
    """Command line parameters (name, text) as values by stage; "" holds those for every notebook."""
    from hvr_nb.batch.chain import find_notebooks, stage_called
    from hvr_nb.batch.parameters import from_text, known, read_parameters
    from hvr_nb.methods import method_names

    notebooks = find_notebooks(notebooks_dir) if pairs else {}
    first = {}  # parameter -> the first notebook that declares it
    for path in notebooks.values():
        for name in read_parameters(path):
            first.setdefault(name, path)
    found: dict[str, dict[str, object]] = {}
    for name, text in pairs:
        stage, _, key = name.rpartition(".")
        stage = stage_called(stage, list(notebooks)) if stage else ""
        path = notebooks[stage] if stage else known(key, first, "no notebook has a parameter")
        if key == "method" and text not in method_names():
            raise HvrError(f"there is no method {text!r}; known methods: {', '.join(method_names())}")
        if key.endswith(PATH_ENDINGS) and Path(text).exists():
            text = str(Path(text).absolute())  # notebooks run in another folder
        found.setdefault(stage, {})[key] = from_text(path, key, text)
    return found
