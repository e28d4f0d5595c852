"""A clip made smaller: what notebooks wrote and write again when asked is removed, what somebody made stays.

A file is removed only where the marker of a finished run proves that it is what the run wrote: its content
has the digest that the marker holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hvr_nb.batch.chain import content
from hvr_nb.store.files import results
from hvr_nb.store.inside import refuse_escapes
from hvr_nb.store.locks import running
from hvr_nb.store.markers import RunMarker, marker_path, read_marker
from hvr_nb.types import HvrError

# what can be left out of a clip -> the notebook that makes it again
REMADE = {"renders": "06_render", "canonical": "04_canonical"}


@dataclass(frozen=True)
class Removable:
    """One thing that can go, or that stays although it is of a kind that can."""

    what: str  # a key of ``REMADE``
    place: str  # in the clip
    files: tuple[Path, ...]
    size: int  # bytes
    kept: str = ""  # why it stays; "" where it can go


def removable(clip_folder: str | Path, *, keep: Sequence[str] = ()) -> list[Removable]:
    """What of a clip its notebooks can write again, and what looks like it but is somebody's work.

    Args:
        keep: keys of ``REMADE`` to leave out.

    Raises:
        HvrError: ``keep`` has an unknown word, there is no clip, or a link leads out of it.
    """
    folder = Path(clip_folder)
    for word in keep:
        if word not in REMADE:
            raise HvrError(f"there is nothing called {word!r} to keep; choose of {', '.join(REMADE)}")
    if not (folder / "clip.json").is_file():
        raise HvrError(f"{folder} is no clip; give the folder of one, e.g. data/clips/demo")
    refuse_escapes(folder)
    found = [] if "renders" in keep else _renders(folder)
    if "canonical" not in keep and (folder / "canonical.npz").is_file():
        files = (folder / "canonical.npz",)
        marker = _marker(folder, "04_canonical")
        found.append(_proved("canonical", folder, files, marker, content(folder, "canonical")))
    return found


def clean_clip(clip_folder: str | Path, *, keep: Sequence[str] = ()) -> list[Removable]:
    """Remove what ``removable`` says can go; returns it.

    Raises:
        HvrError: as ``removable``; or another run works on the clip.
    """
    folder = Path(clip_folder)
    removable(folder, keep=keep)  # refuses before a lock is made in a folder that is no clip
    with running(folder):
        going = [row for row in removable(folder, keep=keep) if not row.kept]
        for row in going:
            for path in row.files:
                path.unlink(missing_ok=True)
            for parent in sorted({p for path in row.files for p in path.parents}, reverse=True):
                if folder in parent.parents:
                    with contextlib.suppress(OSError):  # what is not empty stays
                        parent.rmdir()
    return going


def _renders(folder: Path) -> list[Removable]:
    marker, found = _marker(folder, "06_render"), []
    for place in sorted(p for p in (folder / "renders").glob("*") if p.is_dir()):
        files = tuple(results(place, "**/*"))
        now = content(folder, "renders", method=place.name)
        found.append(_proved("renders", folder, files, marker, now, place=place))
    return [row for row in found if row.files]


def _proved(what, folder: Path, files, marker: RunMarker | None, now: str, *, place=None) -> Removable:
    """A row that can go where the marker's digest is the present one."""
    wrote = marker.outputs.get(what, "") if marker else ""
    why = "" if wrote and wrote == now else f"not what the last run of {REMADE[what]} wrote"
    where = str((place or files[0]).relative_to(folder))
    return Removable(what, where, files, sum(p.stat().st_size for p in files), why)


def _marker(folder: Path, stage: str) -> RunMarker | None:
    try:
        return read_marker(marker_path(folder / "runs" / f"{stage}.ipynb"))
    except HvrError:  # none, or damaged: it proves nothing
        return None
