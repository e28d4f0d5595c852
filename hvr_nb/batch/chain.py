"""The chain of one video: notebooks 00 to 07 in order, those already done left alone."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from hvr_nb import __version__
from hvr_nb.batch.kernel_host import KernelHost
from hvr_nb.batch.notebook import run_notebook
from hvr_nb.batch.parameters import check_parameters, known, read_parameters
from hvr_nb.store.atomic_files import sweep
from hvr_nb.store.avatars import RECORD, avatar_inputs
from hvr_nb.store.clip import STAGES, Clip
from hvr_nb.store.digests import file_digest, tree_digest
from hvr_nb.store.files import results
from hvr_nb.store.inside import refuse_escapes
from hvr_nb.store.locks import running
from hvr_nb.store.markers import RunMarker, marker_path, read_marker
from hvr_nb.store.mask_pictures import is_whole, read_manifest
from hvr_nb.store.measured import read_numbers
from hvr_nb.store.places import ASSETS, DETECTOR, MODELS
from hvr_nb.types import HvrError

ARTEFACTS = tuple(STAGES)
# notebooks whose results are folders: (what they read, what they write)
LATER = {
    "05_train": (ARTEFACTS, ("avatars",)),
    "06_render": ((*ARTEFACTS, "avatars"), ("renders",)),
    "07_visualize": ((*ARTEFACTS, "avatars", "renders", "metrics"), ("player.html", "report.html")),
}
WISHED = {"gallery": "gallery.html"}  # parameter -> what a notebook writes only where it is not 0
OPEN_BODY = ASSETS / "open_body.npz"
DAMAGED, WHOLE = "damaged", "whole"  # states of what has no fingerprint


@dataclass(frozen=True)
class StageRun:
    """What became of one notebook of a chain."""

    stage: str  # e.g. "03_body"
    skipped: bool  # nothing had changed since it was run
    seconds: float


def run_chain(
    video: str | Path,
    clip_folder: str | Path,
    *,
    notebooks_dir: str | Path = "notebooks",
    overrides: Mapping[str, Mapping[str, object]] | None = None,
    from_stage: str = "",
    to_stage: str = "",
    force: bool = False,
    timeout: float = 0,
    threads: int = 0,
    progress: bool = True,
    on_stage: Callable[[StageRun], None] | None = None,
) -> list[StageRun]:
    """Run the notebooks of one video; what has not changed since the last run is not run again.

    Args:
        video: file or folder of pictures; "" where 00_video makes its own.
        clip_folder: the clip to write; executed notebooks go to its ``runs/``.
        notebooks_dir: where ``NN_name.ipynb`` lie; also the working folder of the kernels.
        overrides: stage -> parameters, e.g. ``{"05_train": {"iters": 3000}}``; the key "" gives them
            to every notebook that knows the name.
        from_stage, to_stage: first and last notebook, "03" or "03_body"; "" = all.
        force: run also what has not changed. timeout: seconds a cell may take; 0 = no limit.
        threads: of each notebook; 0 = as the libraries choose.
        progress: show a bar. on_stage: called after each notebook.

    Raises:
        HvrError: a parameter or stage is unknown, another run works on the clip, or a link leads out of it;
            nothing has been run then.
        NotebookFailed: a notebook failed; finished stages stay finished.
    """
    notebooks = find_notebooks(notebooks_dir)
    folder = Path(clip_folder).absolute()
    if str(video) and not Path(video).exists():
        raise HvrError(f"there is no video {video}; give a video file or a folder of pictures")
    given = {"video": str(Path(video).absolute()) if str(video) else "", "clip": str(folder)}
    params = chain_parameters(notebooks, given, overrides or {})
    chosen = stages_between(list(notebooks), from_stage, to_stage)
    done = []
    refuse_escapes(folder)
    with running(folder), KernelHost(notebooks[stage] for stage in chosen) as host:
        sweep(folder)
        with tqdm(chosen, desc=folder.name, unit="notebook", disable=not progress) as bar:
            for stage in bar:
                bar.set_postfix_str(stage)
                useful = host if host.began or stage != chosen[-1] else None
                limits = {"timeout": timeout, "threads": threads, "host": useful}
                ran = _run_stage(notebooks[stage], folder, params[stage], force, **limits)
                done.append(ran)
                if on_stage is not None:
                    on_stage(ran)
    return done


def find_notebooks(folder: str | Path) -> dict[str, Path]:
    """The numbered notebooks of a folder, stage -> file, in order."""
    found = {path.stem: path.absolute() for path in sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))}
    if not found:
        raise HvrError(f"{folder} has no numbered notebooks; give the folder with 00_video.ipynb")
    return found


def chain_parameters(
    notebooks: Mapping[str, Path], given: Mapping[str, object], overrides: Mapping[str, Mapping[str, object]]
) -> dict[str, dict]:
    """Checked parameters of every stage: those of ``given`` it declares, then its overrides."""
    declared = {stage: read_parameters(path) for stage, path in notebooks.items()}
    params = {stage: {k: v for k, v in given.items() if k in declared[stage]} for stage in notebooks}
    everywhere = {name: None for names in declared.values() for name in names}
    for stage, values in overrides.items():
        for key in () if stage else values:
            known(key, everywhere, "no notebook has a parameter")
        for target in [stage_called(stage, list(notebooks))] if stage else list(notebooks):
            params[target] |= {k: v for k, v in values.items() if stage or k in declared[target]}
    return {stage: check_parameters(notebooks[stage], params[stage]) for stage in notebooks}


def stage_called(name: str, stages: list[str]) -> str:
    """The stage meant by "05", "05_train" or "train"."""
    for stage in stages:
        if name in (stage, *stage.split("_", 1)):
            return stage
    return known(name, dict.fromkeys(stages), "there is no notebook")


def stages_between(stages: list[str], first: str, last: str) -> list[str]:
    """The notebooks from ``first`` to ``last``; "" is an end."""
    a = stages.index(stage_called(first, stages)) if first else 0
    b = stages.index(stage_called(last, stages)) if last else len(stages) - 1
    if b < a:
        raise HvrError(f"{stages[b]} comes before {stages[a]}; swap from_stage and to_stage")
    return stages[a : b + 1]


def _run_stage(notebook: Path, folder: Path, params: dict, force: bool, **limits) -> StageRun:
    out, began = folder / "runs" / notebook.name, time.perf_counter()
    defaults = {name: p.default for name, p in read_parameters(notebook).items()}
    values = {**defaults, **params}
    method = str(values.get("method", ""))
    reads, writes = reads_and_writes(notebook.stem)
    writes = (*writes, *(file for name, file in WISHED.items() if values.get(name)))
    inputs = {key: _or_damaged(fingerprint, folder, key, method) for key in reads}
    inputs |= _files_given(values, notebook.parent)
    outputs = functools.partial(_written, folder, (*writes, f"metrics/{notebook.stem}.json"), method)
    wanted = RunMarker(params, file_digest(notebook), __version__, inputs, outputs())
    if not force and _finished(out, wanted):
        return StageRun(notebook.stem, True, time.perf_counter() - began)
    seconds = run_notebook(
        notebook, out, cwd=notebook.parent, params=params, inputs=inputs, outputs=outputs, **limits
    )
    return StageRun(notebook.stem, False, seconds)


def _written(folder: Path, names: tuple[str, ...], method: str) -> dict[str, str]:
    """sha256 of the content of everything a stage wrote, so that it runs again where a file was damaged."""
    return {name: _or_damaged(content, folder, name, method) for name in names}


def _or_damaged(state: Callable[..., str], folder: Path, key: str, method: str) -> str:
    try:
        return state(folder, key, method=method)
    except HvrError:
        return DAMAGED


def _finished(out: Path, wanted: RunMarker) -> bool:
    """Whether ``out`` was run to its end with these parameters, notebook and inputs, and its outputs exist.

    Where the clip lies is no parameter of the result: a folder that was moved is not run again.
    """
    if not (out.exists() and marker_path(out).exists()):
        return False
    try:
        found = read_marker(marker_path(out))
    except HvrError:  # a damaged marker proves nothing
        return False
    if DAMAGED in wanted.outputs.values():
        return False
    found, wanted = (
        replace(m, params={k: v for k, v in m.params.items() if k != "clip"}, seconds=0.0)
        for m in (found, wanted)
    )
    return found == wanted


def reads_and_writes(stage: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of what a stage reads and writes: artefacts of a clip, folders and files in it."""
    if stage in LATER:
        reads, writes = LATER[stage]
        return (*reads, "models"), writes
    writes = tuple(name for name, (maker, _) in STAGES.items() if maker == stage)
    reads = {name: None for made in writes for name in STAGES[made][1] if name not in writes}
    if stage == "01_keypoints":
        return (*reads, "detector"), writes
    return (*reads, "models") if stage >= "03" else tuple(reads), writes


def fingerprint(folder: Path, key: str, *, method: str = "") -> str:
    """State of one thing a stage reads; "" where it is missing.

    Args:
        folder: the clip. key: an artefact, "avatars", "renders" (of ``method``), "metrics",
            "models", "detector" (its network files) or a file name.
    """
    if key in STAGES:
        return Clip(folder).fingerprint(key)
    if key == "models":
        found = sorted([*results(MODELS, "**/*.pkl"), *results(MODELS, "**/*.npz")])
        return tree_digest([p for p in [OPEN_BODY] if p.exists()], OPEN_BODY.parent) + _stamps(found)
    if key == "detector":
        return _stamps(sorted(results(DETECTOR, "*.tflite")))
    if key == "renders":
        return tree_digest(results(folder / key / method, "**/manifest.json"), folder)
    if key == "avatars":
        return tree_digest(results(folder / key / method, "*"), folder)
    if key == "metrics":
        return tree_digest([p for p in results(folder / key, "*.json") if p.stem < "07"], folder)
    return content(folder, key, method=method)


def content(folder: Path, key: str, *, method: str = "") -> str:
    """State of one thing a stage wrote: sha256 of its content; "" where it is missing.

    Masks that were retouched and an avatar that was trained by hand count as what the stage wrote: they are
    somebody's work. So the state of an avatar and of the numbers of a stage is only whether they are whole.

    Args:
        folder: the clip. key: an artefact, "avatars" or "renders" (of ``method``) or a file name.

    Raises:
        HvrError: it is damaged.
    """
    clip = Clip(folder)
    if key == "masks" and clip.has(key):
        meta = read_manifest(folder / key)
        if not is_whole(folder / key, meta):
            raise HvrError(f"{folder / key} has pictures that are missing or damaged; run 02_masks again")
        return meta["hash"]
    if key == "frames" and clip.has(key):
        return clip.fingerprint(key) + tree_digest(results(folder / key, "*.png"), folder)
    if key in STAGES:
        return clip.fingerprint(key)
    if key == "avatars" and (folder / key / method / RECORD).is_file():
        avatar_inputs(folder / key / method)
        return WHOLE
    if key == "avatars":  # of an earlier version
        return tree_digest(results(folder / key / method, "*"), folder)
    if key == "renders":
        return tree_digest(results(folder / key / method, "**/*"), folder)
    if key.startswith("metrics/") and (folder / key).is_file():
        read_numbers(folder / key)
        return WHOLE
    return tree_digest([p for p in [folder / key] if p.is_file()], folder)


def _files_given(params: Mapping[str, object], cwd: Path) -> dict[str, str]:
    """Fingerprints of the files and folders that parameters name; of a clip its avatars count, too."""
    found = {}
    for name, value in params.items():
        path = cwd / value if isinstance(value, str) and value and name != "clip" else None
        if path is not None and path.is_file():
            found[f"file {name}"] = file_digest(path)
        elif path is not None and path.is_dir():
            found[f"file {name}"] = _stamps([*results(path, "*"), *results(path, f"avatars/*/{RECORD}")])
    return found


def _stamps(paths: list[Path]) -> str:
    """One hash of the names, sizes and times of files whose contents would take long to read."""
    rows = [f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}\n" for p in paths]
    return hashlib.sha256("".join(rows).encode()).hexdigest() if rows else ""
