"""Many videos: one chain each, a failing one does not stop the rest."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from hvr_nb.batch.backends import Job, submit_all
from hvr_nb.batch.chain import StageRun, chain_parameters, find_notebooks, run_chain, stages_between
from hvr_nb.batch.events import EventLog, following, here
from hvr_nb.batch.notebook import NotebookFailed, stop_running_kernels
from hvr_nb.batch.progress import TotalProgress
from hvr_nb.batch.status import aligned
from hvr_nb.store.measured import read_doubts
from hvr_nb.threads import ALLOTTED, allotted_threads
from hvr_nb.types import HvrError


@dataclass(frozen=True)
class VideoRun:
    """What became of one video."""

    video: str
    clip: Path
    seconds: float
    stages: list[StageRun] = field(default_factory=list)
    notebook: str = ""  # the one that failed
    error: str = ""  # why, one line
    doubts: tuple[str, ...] = ()  # checks that failed and were lived with, in words
    lost: bool = False  # its job ended without a word of its own

    @property
    def status(self) -> str:
        """ "failed", "doubtful" (a check failed), "unchanged" (nothing had to be run) or "done"."""
        if self.error or self.doubts:
            return "failed" if self.error else "doubtful"
        return "unchanged" if self.stages and all(s.skipped for s in self.stages) else "done"


def run_videos(
    videos: Sequence[str | Path],
    clips_dir: str | Path,
    *,
    notebooks_dir: str | Path = "notebooks",
    overrides: Mapping[str, Mapping[str, object]] | None = None,
    each: Sequence[Mapping[str, Mapping[str, object]]] = (),
    workers: int = 1,
    executor=None,
    retries: int = 0,
    clips: Sequence[Path] = (),
    log: bool = True,
    on_event: Callable[[dict], None] | None = None,
    **options,
) -> list[VideoRun]:
    """Run the chain on every video; Ctrl-C ends at once and leaves finished stages finished.

    Args:
        videos: files or folders of pictures. clips_dir: their clips go here, named after them.
        overrides: parameters as in ``run_chain``, the same for every video. each: more of them, one a video.
        workers: videos at a time on one machine, which share its cores out; each notebook has its own
            process, so threads do.
        executor: anything with ``submit`` in place of threads (``hvr_nb.batch.backends``); it runs one
            chain a job. retries: how often a video that failed is tried again, from the stage that failed.
        clips: the clip folders themselves, one a video, in place of names.
        log: keep ``events.jsonl`` in ``clips_dir`` and show progress over all videos.
            on_event: called with each event (``hvr_nb.batch.events``), whatever runs the jobs.
        options: ``from_stage``, ``to_stage``, ``force``, ``timeout`` of ``run_chain``; ``progress``: False
            shows none.

    Raises:
        HvrError: a parameter is unknown or two videos want the same clip; nothing has been run then.
    """
    folders = [Path(c).absolute() for c in clips] or clip_folders(videos, Path(clips_dir).absolute())
    notebooks = find_notebooks(notebooks_dir)
    given = [merged(overrides or {}, own) for own in each or [{}] * len(videos)]
    for own in given if each else given[:1]:
        chain_parameters(notebooks, {}, own)
    stages = stages_between(list(notebooks), options.get("from_stage", ""), options.get("to_stage", ""))
    shown, single = options.pop("progress", True), len(videos) == 1 and executor is None
    options |= {"notebooks_dir": Path(notebooks_dir).absolute(), "progress": shown and single}
    total = TotalProgress(stages, [folder.name for folder in folders], shown=shown and log and not single)
    events = _begin(Path(clips_dir).absolute(), stages, videos, folders, given) if log else None
    rows = [
        (str(video), folder, {**options, "overrides": own}, events, workers)
        for video, folder, own in zip(videos, folders, given, strict=True)
    ]

    def tell(event: dict) -> None:
        total.follow(event)
        if on_event is not None:
            on_event(event)

    pool = executor or ThreadPoolExecutor(max_workers=workers)
    run = _run_video if executor is None else Job(_run_video)
    try:
        with following(events, tell) if events else contextlib.nullcontext():
            return _run_rows(pool, run, rows, tries=1 + retries)
    except KeyboardInterrupt:
        if executor is None:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_running_kernels()
        raise
    finally:
        total.close()
        if executor is None:
            pool.shutdown()
        if events:
            _say(events, "over")


def _say(events: EventLog, event: str, **content) -> None:
    """Add an event where the disk takes it; without, the batch goes on."""
    with contextlib.suppress(HvrError):
        events.add(event, **content)


def _begin(clips_dir: Path, stages: list[str], videos, folders: list[Path], given: list[dict]) -> EventLog:
    log = EventLog.begin(clips_dir, stages)
    rows = zip(videos, folders, given, strict=True)
    log.add_all(
        "queued", [{"clip": f.name, "video": str(Path(v).absolute()), "given": g} for v, f, g in rows]
    )
    return log


def _run_rows(pool, run: Callable, rows: list[tuple], *, tries: int) -> list[VideoRun]:
    runs: dict[int, VideoRun] = {}
    for _ in range(tries):
        again = [k for k in range(len(rows)) if k not in runs or runs[k].error]
        jobs = submit_all(pool, run, [rows[k] for k in again])
        for k, job in zip(again, jobs, strict=True):
            video, folder, _, events, _ = rows[k]
            runs[k] = _outcome(job.result, video, folder)
            if events and runs[k].lost:
                _say(events, "ended", clip=folder.name, status="failed", error=runs[k].error)
    return [runs[k] for k in range(len(rows))]


def merged(*overrides: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, object]]:
    """Parameters by stage, of which the later ones count."""
    found: dict[str, dict[str, object]] = {}
    for one in overrides:
        for stage, values in one.items():
            found[stage] = {**found.get(stage, {}), **values}
    return found


def clip_folders(videos: Sequence[str | Path], clips_dir: Path) -> list[Path]:
    """One folder a video, called after its file; after folder and file where names clash."""
    paths = [Path(v).absolute() for v in videos]
    names = [p.stem for p in paths]
    names = [f"{p.parent.name}_{n}" if names.count(n) > 1 else n for p, n in zip(paths, names, strict=True)]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise HvrError(f"two videos would become the clip {twice[0]}; rename one or run it apart")
    return [clips_dir / name for name in names]


def missing_videos(videos: Sequence[str | Path]) -> list[str]:
    """Those that are not there or are empty, in words; looked at before hours of work begin."""
    found = []
    for path in map(Path, videos):
        try:
            if not path.exists():
                found.append(f"{path} does not exist")
            elif path.is_dir() and not any(path.iterdir()):
                found.append(f"{path} is an empty folder")
            elif path.is_file() and not path.stat().st_size:
                found.append(f"{path} is empty")
        except OSError as error:
            found.append(f"{str(path)[:200]} cannot be looked at ({error.strerror})")
    return found


def _run_video(video: str, folder: Path, options: dict, events: EventLog | None, workers: int) -> VideoRun:
    began = time.perf_counter()
    tell = functools.partial(_say, events, clip=folder.name) if events else lambda *_event, **_content: None

    def run() -> VideoRun:
        tell("began", **here())
        threads = allotted_threads(workers) if workers > 1 or ALLOTTED in os.environ else 0
        stages = run_chain(
            video, folder, **options, threads=threads, on_stage=lambda r: tell("stage", **vars(r))
        )
        doubts = [f"{stage}: {text}" for stage, texts in read_doubts(folder).items() for text in texts]
        return VideoRun(video, folder, 0.0, stages, doubts=tuple(doubts))

    found = replace(_outcome(run, video, folder), seconds=time.perf_counter() - began, lost=False)
    said = {key: getattr(found, key) for key in ("status", "seconds", "notebook", "error", "doubts")}
    tell("ended", **said)
    return found


def _outcome(run: Callable[[], VideoRun], video: str, folder: Path) -> VideoRun:
    """What ``run`` gives, or why it failed: whatever happens to one video, the others go on."""
    try:
        return run()
    except NotebookFailed as error:
        notebook, reason = error.notebook, error.reason
    except (HvrError, OSError) as error:
        notebook, reason = "", str(error)
    except Exception as error:  # noqa: BLE001  a worker that died, a file that no check foresaw
        notebook, reason = "", f"{type(error).__name__}: {error}"
    return VideoRun(video, folder, 0.0, notebook=notebook, error=" ".join(reason.split()), lost=True)


def summary(runs: Sequence[VideoRun]) -> str:
    """A table of what became of every video, one line each."""
    rows = [("video", "status", "seconds", "failing notebook", "error or doubt")]
    rows += [
        (r.video, r.status, f"{r.seconds:.0f}", r.notebook, r.error or "; ".join(r.doubts)) for r in runs
    ]
    return aligned(rows)
