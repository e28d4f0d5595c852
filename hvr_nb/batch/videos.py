"""Many videos: one chain each, a failing one does not stop the rest."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from hvr_nb.batch.backends import Job, submit_all
from hvr_nb.batch.chain import StageRun, chain_parameters, find_notebooks, run_chain, stages_between
from hvr_nb.batch.notebook import NotebookFailed, stop_running_kernels
from hvr_nb.batch.progress import TotalProgress
from hvr_nb.store.measured import read_doubts
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
    workers: int = 1,
    executor=None,
    retries: int = 0,
    clips: Sequence[Path] = (),
    **options,
) -> list[VideoRun]:
    """Run the chain on every video; Ctrl-C ends at once and leaves finished stages finished.

    Args:
        videos: files or folders of pictures. clips_dir: their clips go here, named after them.
        overrides: parameters as in ``run_chain``, the same for every video.
        workers: videos at a time; each notebook has its own process, so threads do.
        executor: anything with ``submit`` in place of threads (``hvr_nb.batch.backends``); it runs one
            chain a job. retries: how often a video that failed is tried again, from the stage that failed.
        clips: the clip folders themselves, one a video, in place of names.
        options: ``from_stage``, ``to_stage``, ``force``, ``timeout`` of ``run_chain``.

    Raises:
        HvrError: a parameter is unknown or two videos want the same clip; nothing has been run then.
    """
    folders = [Path(c).absolute() for c in clips] or clip_folders(videos, Path(clips_dir).absolute())
    chain_parameters(find_notebooks(notebooks_dir), {}, overrides or {})
    pool = executor or ThreadPoolExecutor(max_workers=workers)
    together = len(videos) > 1 and executor is None and options.pop("progress", True)
    options = {"progress": len(videos) == 1 and executor is None, **options}
    options |= {"notebooks_dir": Path(notebooks_dir).absolute(), "overrides": overrides}
    stages = stages_between(
        list(find_notebooks(notebooks_dir)), options.get("from_stage", ""), options.get("to_stage", "")
    )
    total = TotalProgress(stages, [folder.name for folder in folders], shown=bool(together))
    run, shared = (_run_video, total) if executor is None else (Job(_run_video), None)
    rows = [(str(video), folder, options, shared) for video, folder in zip(videos, folders, strict=True)]
    try:
        runs: dict[int, VideoRun] = {}
        for _ in range(1 + retries):
            again = [k for k in range(len(rows)) if k not in runs or runs[k].error]
            jobs = submit_all(pool, run, [rows[k] for k in again])
            runs |= {k: _outcome(job.result, *rows[k][:2]) for k, job in zip(again, jobs, strict=True)}
        return [runs[k] for k in range(len(rows))]
    except KeyboardInterrupt:
        if executor is None:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_running_kernels()
        raise
    finally:
        total.close()
        if executor is None:
            pool.shutdown()


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
        if not path.exists():
            found.append(f"{path} does not exist")
        elif path.is_dir() and not any(path.iterdir()):
            found.append(f"{path} is an empty folder")
        elif path.is_file() and not path.stat().st_size:
            found.append(f"{path} is empty")
    return found


def _run_video(
    video: str | Path, folder: Path, options: dict, total: TotalProgress | None = None
) -> VideoRun:
    began = time.perf_counter()

    def run() -> VideoRun:
        ran = functools.partial(total.ran, folder.name) if total else None
        stages = run_chain(video, folder, **options, on_stage=ran)
        doubts = [f"{stage}: {text}" for stage, texts in read_doubts(folder).items() for text in texts]
        return VideoRun(str(video), folder, 0.0, stages, doubts=tuple(doubts))

    outcome = replace(_outcome(run, str(video), folder), seconds=time.perf_counter() - began)
    if total:
        total.ended(folder.name, failed=bool(outcome.error))
    return outcome


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
    return VideoRun(video, folder, 0.0, notebook=notebook, error=" ".join(reason.split()))


def summary(runs: Sequence[VideoRun]) -> str:
    """A table of what became of every video, one line each."""
    rows = [("video", "status", "seconds", "failing notebook", "error or doubt")]
    rows += [
        (r.video, r.status, f"{r.seconds:.0f}", r.notebook, r.error or "; ".join(r.doubts)) for r in runs
    ]
    widths = [max(len(row[c]) for row in rows) for c in range(4)]
    return "\n".join(
        "  ".join([*(v.ljust(w) for v, w in zip(row, widths, strict=False)), row[4]]).rstrip() for row in rows
    )
