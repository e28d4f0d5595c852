"""``runs/<notebook>.done.json``: that a notebook was run to its end, with what and from what.

``runs/<notebook>.failed.json`` says why its last run did not end.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from hvr_nb.store.files import read_json, results, write_json
from hvr_nb.types import HvrError


@dataclass(frozen=True)
class RunMarker:
    """What is known of the last finished run of a notebook."""

    params: dict[str, object]  # values given to its parameters cell
    notebook: str  # sha256 of the notebook
    version: str  # of the package
    inputs: dict[str, str] = field(default_factory=dict)  # what it read -> fingerprint
    outputs: dict[str, str] = field(default_factory=dict)  # what it wrote -> sha256 of the content
    seconds: float = 0.0


def marker_path(notebook: Path) -> Path:
    """Where the marker of an executed notebook lies."""
    return notebook.with_suffix(".done.json")


def failure_path(notebook: Path) -> Path:
    """Where it is kept why an executed notebook failed."""
    return notebook.with_suffix(".failed.json")


def write_failure(notebook: Path, reason: str) -> None:
    """Keep why the last run of an executed notebook failed, one line."""
    write_json(failure_path(notebook), {"reason": reason})


def read_failures(runs: Path) -> dict[str, str]:
    """Why notebooks failed in their last run, name -> one line, of a clip's folder ``runs``."""
    found = {}
    for path in results(runs, "*.failed.json"):
        name = path.name.removesuffix(".failed.json")
        found[name] = str(read_json(path, remedy=f"run {name} again").get("reason", ""))
    return found


def write_marker(path: Path, marker: RunMarker) -> None:
    """Write a marker, atomically."""
    write_json(path, asdict(marker))


def read_marker(path: Path) -> RunMarker:
    """Read a marker.

    Raises:
        HvrError: it is missing, damaged or of another version.
    """
    remedy = f"run {path.name.removesuffix('.done.json')} again"
    found = read_json(path, remedy=remedy)
    texts = [found.get("notebook"), found.get("version")]
    tables = [found.get(key, {}) for key in ("params", "inputs", "outputs")]
    if all(isinstance(table, dict) for table in tables):
        texts += [value for table in tables[1:] for value in table.values()]
    seconds = found.get("seconds", 0.0)
    if (
        not all(isinstance(table, dict) for table in tables)
        or not all(isinstance(text, str) for text in texts)
        or type(seconds) not in (int, float)
        or not abs(seconds) < 1e12
    ):
        raise HvrError(f"{path} is damaged; {remedy}")
    return RunMarker(tables[0], texts[0], texts[1], tables[1], tables[2], float(seconds))
