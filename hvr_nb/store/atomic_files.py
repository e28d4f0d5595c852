"""Writing so that nothing is ever half there: beside the place, flushed to the disk, then renamed.

What a killed run leaves behind is called ``.<name>.<machine>-<process>-<n>.partial<suffix>``; ``sweep``
removes it when the process that wrote it is gone. No reader takes a file whose name begins with a dot.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from hvr_nb.types import HvrError

DAY = 86400  # seconds after which a half-written file of another machine is taken for abandoned
_MACHINE = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_COUNT = itertools.count()
# The machine was not part of the name in the first versions.
_LEFTOVER = re.compile(r"\.(.+)\.(?:([0-9a-f]{8})-)?(\d+)(?:-\d+)?\.(partial|old)(\.\w+)?")
_CLUTTER = {".DS_Store", "Thumbs.db", "desktop.ini"}  # what file browsers leave behind
_FULL, _CLOSED = (errno.ENOSPC, errno.EDQUOT), (errno.EACCES, errno.EPERM, errno.EROFS)
_BLOCKED = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)


@contextlib.contextmanager
def explain_disk(path: Path) -> Iterator[None]:
    """Turn what a person can mend about the disk into HvrError that names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise HvrError(f"the disk is full: {path} was not written; free space and run again") from error
        if error.errno == errno.EFBIG:
            raise HvrError(
                f"{path} was not written: the disk or a limit of this user takes no file of its size; "
                "choose another folder or raise the limit (ulimit -f)"
            ) from error
        if error.errno in _CLOSED:
            raise HvrError(f"{path} may not be written ({error.strerror}); choose another folder") from error
        if error.errno in _BLOCKED:
            raise HvrError(
                f"{path} cannot be written ({error.strerror}: {error.filename}); choose another place"
            ) from error
        raise


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.stem}.{_MACHINE}-{os.getpid()}-{next(_COUNT)}.{kind}{path.suffix}")


def _flush(path: Path) -> None:
    """Have the disk keep a file's content, or a folder's list of names, before anything else happens."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):  # not every disk can
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and move it into place when the block succeeds.

    After a power cut there is the old file or the whole new one, never one of no length.

    Raises:
        HvrError: the disk is full or closed; nothing half-written stays behind.
    """
    path = Path(path)
    partial = _beside(path, "partial")
    flushed_later = any(_LEFTOVER.fullmatch(parent.name) for parent in path.parents)  # by ``atomic_folder``
    with explain_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            if not flushed_later:
                _flush(partial)
            os.replace(partial, path)
            if not flushed_later:
                _flush(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path, *, ours: set[str]) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` and put it in ``path``'s place when the block succeeds.

    Args:
        path: the folder to make or to replace.
        ours: files in the old folder that may be thrown away ("alpha/000001.png").

    Raises:
        HvrError: the old folder holds other files too, or the disk is full; nothing is touched.
    """
    path = Path(path)
    refuse_foreign(path, ours)
    partial, old = _beside(path, "partial"), _beside(path, "old")
    with explain_disk(path):
        partial.mkdir(parents=True)
        try:
            yield partial
            for root, _, names in os.walk(partial, topdown=False):
                for name in names:
                    _flush(Path(root, name))
                _flush(Path(root))
            if path.exists():
                os.replace(path, old)
            os.replace(partial, path)
            _flush(path.parent)
        finally:
            _remove(partial)
            _put_back(old, path)


def refuse_foreign(folder: str | Path, ours: set[str]) -> None:
    """Raise HvrError where ``folder`` holds files that are not among ``ours``."""
    if Path(folder).is_file():
        raise HvrError(f"{folder} is a file where a folder is written; move it away")
    for file in sorted(Path(folder).rglob("*")):
        if file.is_dir() and not file.is_symlink():
            continue
        if file.name not in _CLUTTER and file.relative_to(folder).as_posix() not in ours:
            raise HvrError(f"{file} was not written by this project and would be lost; move it away")


def sweep(folder: str | Path) -> None:
    """Remove what killed runs left half-written below a folder; a folder they had set aside is put back."""
    for root, folders, names in os.walk(folder):  # follows no links
        for name in [*folders, *names]:
            found, path = _LEFTOVER.fullmatch(name), Path(root, name)
            if not found or _in_use(path, found[2], int(found[3])):
                continue
            if found[4] == "old":
                _put_back(path, path.with_name(found[1] + (found[5] or "")))
            else:
                _remove(path)
        folders[:] = [name for name in folders if not _LEFTOVER.fullmatch(name)]


def _in_use(path: Path, machine: str | None, process: int) -> bool:
    """Whether a half-written file may still be written to."""
    try:
        fresh = abs(time.time() - path.lstat().st_mtime) < DAY  # a clock may have been far ahead
    except OSError:
        return True
    return fresh and (machine not in (None, _MACHINE) or is_running(process))


def is_running(process: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # of another user
        return True
    return True


def _put_back(old: Path, path: Path) -> None:
    """Give a folder that was set aside its place again, unless its successor has it."""
    with contextlib.suppress(OSError):
        if old.exists() and not path.exists():
            os.replace(old, path)
    _remove(old)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
