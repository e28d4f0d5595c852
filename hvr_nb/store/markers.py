"""``runs/<notebook>.done.json``: that a notebook was run to its end, with what and from what."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from hvr_nb.store.files import read_json, write_json
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
