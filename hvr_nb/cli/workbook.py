"""``python -m hvr_nb workbook``: copies of the notebooks to open, run and change; the notebooks stay clean.

Batch runs read ``notebooks/``. What somebody types into a copy in ``workbook/`` stays theirs: it is never a
default of a later run, and never overwritten.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.digests import file_digest
from hvr_nb.store.files import read_json, results, write_json
from hvr_nb.store.places import FILMS, NOTEBOOKS, ROOT

WORKBOOK = ROOT / "workbook"
RECORD = ".copied.json"  # name -> sha256 of the copy as it was made


def add_workbook(commands) -> None:
    """Add the command to the command line's subparsers."""
    command = commands.add_parser(
        "workbook", help="copy the notebooks into workbook/, to run and change there"
    )
    command.set_defaults(act=_act)


def copy_notebooks(folder: str | Path = WORKBOOK, notebooks: str | Path = NOTEBOOKS) -> list[str]:
    """Copy the notebooks into ``folder``; a copy that somebody ran or changed is kept.

    Returns:
        names of the copies that are kept although the notebook is another one now.

    Raises:
        HvrError: the folder cannot be written.
    """
    folder, kept = Path(folder), []
    record = folder / RECORD
    made = read_json(record, remedy="delete it") if record.exists() else {}
    for source in results(notebooks, "*.ipynb"):
        copy, now = folder / source.name, file_digest(source)
        if not copy.exists() or file_digest(copy) == made.get(source.name, ""):
            with atomic(copy) as partial:
                partial.write_bytes(source.read_bytes())
            made[source.name] = now
        elif made.get(source.name) != now:
            kept.append(source.name)
    write_json(record, made)
    return kept


def _act(_args: argparse.Namespace) -> int:
    FILMS.mkdir(parents=True, exist_ok=True)
    for name in copy_notebooks():
        print(f"workbook/{name} is yours and kept; {name} has changed: rename yours to get the new one")
    print(f"the workbook: {WORKBOOK}")
    return 0
