"""One writer at a time: a lock on a clip's folder, which the system releases when its holder ends.

``writing`` is held while an artefact is written and others wait for it; ``running`` is held through all
notebooks of a clip, and a second run is refused. The lock files stay; what counts is who holds them.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from hvr_nb.store.atomic_files import explain_disk
from hvr_nb.types import HvrError

PATIENCE = 600  # seconds to wait for another writer; the masks of a long clip take a minute


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold a clip's folder while something in it is replaced; wait for who holds it now.

    Raises:
        HvrError: it was not let go for ten minutes.
    """
    with _held(folder / ".writing.lock", PATIENCE, "wait until it has finished, or stop it"):
        yield


@contextlib.contextmanager
def running(folder: Path) -> Iterator[None]:
    """Hold a clip's folder through a run of its notebooks.

    Raises:
        HvrError: another run holds it; its process and machine are named.
    """
    with _held(folder / ".running.lock", 0, "wait until it has ended, or stop it"):
        yield


@contextlib.contextmanager
def _held(path: Path, patience: float, remedy: str) -> Iterator[None]:
    with explain_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(
            path, timeout=patience, is_singleton=True
        )  # so that the same thread may hold it twice
        try:
            lock.acquire()
        except Timeout:
            raise HvrError(f"{path.parent} is being written by {_holder(path)}; {remedy}") from None
    try:
        with contextlib.suppress(OSError):
            path.write_text(json.dumps({"process": os.getpid(), "machine": socket.gethostname()}))
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    """Who holds a lock, as far as is known."""
    try:
        held = json.loads(path.read_text())
        return f"process {int(held['process'])} of {str(held['machine'])[:80]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
