"""sha256 of files: one content, one digest."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from hvr_nb.store.files import results


def file_digest(path: Path) -> str:
    """sha256 of a file's content, in hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(files: Iterable[Path], top: Path) -> str:
    """sha256 of the places below ``top`` and the contents of files; "" where there are none."""
    rows = [f"{path.relative_to(top).as_posix()} {file_digest(path)}\n" for path in files]
    return hashlib.sha256("".join(rows).encode()).hexdigest() if rows else ""


def pictures_digest(folders: Iterable[Path]) -> str:
    """sha256 of names and contents of the PNGs in some folders; cached while sizes and times are the same."""
    files = [p for folder in folders for p in results(folder, "*.png")]
    stamps = [(p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return _digest_files(tuple(files), tuple(stamps))


@functools.lru_cache(maxsize=16)
def _digest_files(files: tuple[Path, ...], _stamps: tuple) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.parent.name}/{path.name}".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
