"""Trained avatars in a clip's ``avatars/<method>/``: their inputs, and whether their files are complete.

A method writes its own files there; ``made_from.json`` beside them holds the fingerprints of the artefacts
it was trained on and the size and digest of every file.
"""

from __future__ import annotations

from pathlib import Path

from hvr_nb.store.digests import file_digest
from hvr_nb.store.files import SCHEMA, read_json, results, write_json
from hvr_nb.store.inside import is_plain
from hvr_nb.types import HvrError

RECORD = "made_from.json"
REMEDY = "run 05_train again"


def load_method(name: str):
    """The module of a reconstruction method.

    Methods stand above the store, so theirs is asked for at the package's front door, at run time.
    """
    import hvr_nb

    return hvr_nb.method(name)


def begin_avatar(folder: Path) -> None:
    """Say that an avatar is being written, so that one cut off half-way is not read."""
    write_json(folder / RECORD, {"schema": SCHEMA, "complete": False})


def finish_avatar(folder: Path, inputs: dict[str, str]) -> None:
    """Record what an avatar was made from, artefact -> fingerprint, and its files as they are now."""
    files = [p for p in results(folder, "*") if p.suffix in (".npz", ".json") and p.name != RECORD]
    kept = {p.name: [p.stat().st_size, file_digest(p)] for p in files}
    write_json(folder / RECORD, {"schema": SCHEMA, "complete": True, "inputs": inputs, "files": kept})


def avatar_inputs(folder: Path) -> dict[str, str]:
    """What a finished avatar was made from, artefact -> fingerprint; empty where that was not recorded.

    Raises:
        HvrError: there is no avatar, its training was stopped, or a file of it has changed.
    """
    if not (folder / "options.json").is_file():
        begun = " (its training was stopped)" if (folder / "checkpoint.pt").is_file() else ""
        raise HvrError(f"{folder.parents[1]} has no finished {folder.name} avatar{begun}; run 05_train first")
    if not (folder / RECORD).exists():  # an avatar of an earlier version
        return {}
    record = read_json(folder / RECORD, remedy=REMEDY)
    if not record.get("complete"):
        raise HvrError(f"{folder} holds an avatar that was not written to its end; {REMEDY}")
    files, inputs = record.get("files"), record.get("inputs")
    if not isinstance(files, dict) or not isinstance(inputs, dict):
        raise HvrError(f"{folder / RECORD} is damaged; {REMEDY}")
    for name, stated in files.items():
        path = folder / name
        if not is_plain(name) or not path.is_file() or [path.stat().st_size, file_digest(path)] != stated:
            raise HvrError(f"{path} is missing or not as 05_train wrote it; {REMEDY}")
    return inputs
