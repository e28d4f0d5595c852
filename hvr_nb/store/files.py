"""Reading and writing files so that nothing is ever half there: JSON, pictures, arrays, folders.

Everything is written beside its place and moved there when it is whole; what cannot be read is an
HvrError that names the file and says what to do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from hvr_nb.types import Camera, HvrError

SCHEMA = 1
_FULL, _CLOSED = (errno.ENOSPC, errno.EDQUOT), (errno.EACCES, errno.EPERM, errno.EROFS)
_CLUTTER = {".DS_Store", "Thumbs.db", "desktop.ini"}  # what file browsers leave behind
_DAMAGE = (ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, NotImplementedError,
           RuntimeError, zipfile.BadZipFile, zlib.error)  # fmt: skip


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what a person can mend about the disk into HvrError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise HvrError(f"the disk is full: {path} was not written; free space and run again") from error
        if error.errno in _CLOSED:
            raise HvrError(f"{path} may not be written ({error.strerror}); choose another folder") from error
        raise


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and move it into place when the block succeeds.

    Raises:
        HvrError: the disk is full or closed; nothing half-written stays behind.
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path, *, ours: set[str]) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` and put it in ``path``'s place when the block succeeds.

    Args:
        path: the folder to make or to replace.
        ours: files in the old folder that may be thrown away ("alpha/000001.png").

    Raises:
        HvrError: the old folder holds other files too, or the disk is full; nothing is touched.
    """
    path = Path(path)
    refuse_foreign(path, ours)
    partial, old = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.old")
    with _writing(path):
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
            if path.exists():
                os.replace(path, old)
            os.replace(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def refuse_foreign(folder: Path, ours: set[str]) -> None:
    """Raise HvrError where ``folder`` holds files that are not among ``ours``."""
    if Path(folder).is_file():
        raise HvrError(f"{folder} is a file where a folder is written; move it away")
    for file in sorted(Path(folder).rglob("*")):
        if file.is_file() and file.name not in _CLUTTER and file.relative_to(folder).as_posix() not in ours:
            raise HvrError(f"{file} was not written by this project and would be lost; move it away")


def write_json(path: Path, value: dict) -> None:
    """Write ``value`` as indented JSON, atomically; arrays become lists, paths text."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(value, indent=1, sort_keys=True, default=_plain) + "\n")


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else str(value)


def read_json(path: Path, *, remedy: str) -> dict:
    """Read a JSON object; ``remedy`` ends the error message of a missing or damaged file."""
    try:
        value = json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise HvrError(f"{path} is missing; {remedy}") from None
    except (ValueError, OSError) as error:
        raise HvrError(f"{path} is damaged ({error}); {remedy}") from error
    if not isinstance(value, dict):
        raise HvrError(f"{path} is damaged (no JSON object); {remedy}")
    return value


def write_image(path: Path, image: np.ndarray) -> None:
    """Write RGB (H, W, 3) or grey (H, W) uint8 or uint16 as PNG, atomically."""
    ok, data = cv2.imencode(
        ".png", image[..., ::-1] if image.ndim == 3 else image, [cv2.IMWRITE_PNG_COMPRESSION, 1]
    )
    if not ok:
        raise HvrError(f"{path}: the image could not be encoded")
    with atomic(path) as partial:
        partial.write_bytes(data.tobytes())


def read_image(path: Path, *, remedy: str) -> np.ndarray:
    """Read a PNG or JPEG as RGB (H, W, 3) or grey (H, W) uint8 (uint16 where the file has 16 bits)."""
    data = np.fromfile(path, np.uint8) if Path(path).is_file() else np.zeros(0, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if image is None:
        raise HvrError(f"{path} is missing or damaged; {remedy}")
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., 2::-1])


def write_npz(path: Path, value, meta: dict) -> None:
    """Write a dataclass of arrays (a nested Camera too) as compressed npz with ``meta``."""
    arrays = {name: np.asarray(item) for name, item in _flat(value)}
    opaque = [name for name, a in arrays.items() if a.dtype.hasobject]
    if opaque:
        raise HvrError(f"{path}: {', '.join(opaque)} cannot be stored; only numbers and text can")
    text = json.dumps({"schema": SCHEMA, **meta}, sort_keys=True, default=_plain)
    with atomic(path) as partial:
        np.savez_compressed(partial, **arrays, __meta__=np.asarray(text))


def _flat(value, prefix: str = "") -> Iterator[tuple[str, object]]:
    for f in dataclasses.fields(value):
        item = getattr(value, f.name)
        if dataclasses.is_dataclass(item):
            yield from _flat(item, f"{prefix}{f.name}.")
        elif item is not None:
            yield prefix + f.name, item


def _load(path: Path, names: tuple[str, ...] | None, remedy: str) -> tuple[dict, dict]:
    """Arrays (all, or those named) and the meta of an npz; nothing in it is ever unpickled."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in (file.files if names is None else names)}
            meta = json.loads(str(file["__meta__"]))
        stated = meta.get("schema")
    except FileNotFoundError:
        raise HvrError(f"{path} is missing; {remedy}") from None
    except _DAMAGE as error:
        raise HvrError(f"{path} is damaged ({error}); {remedy}") from error
    if stated != SCHEMA:
        raise HvrError(f"{path} has schema {stated}, this version reads {SCHEMA}; {remedy}")
    return arrays, meta


def read_npz(path: Path, kind: type, *, remedy: str) -> tuple[object, dict]:
    """Read what ``write_npz`` wrote: (dataclass, meta). Object arrays are never unpickled."""
    arrays, meta = _load(path, None, remedy)
    try:
        return _build(kind, arrays, ""), meta
    except KeyError as error:
        raise HvrError(f"{path} lacks {error}; {remedy}") from error


def read_npz_meta(path: Path, *, remedy: str) -> dict:
    """The ``meta`` of an npz that ``write_npz`` wrote, without reading its arrays."""
    return _load(path, (), remedy)[1]


def _build(kind: type, arrays: dict, prefix: str):
    values = {}
    for f in dataclasses.fields(kind):
        name = prefix + f.name
        if name in arrays:
            a = arrays[name]
            values[f.name] = a if a.ndim else a.item()
            if "tuple" in str(f.type):
                values[f.name] = tuple(a.tolist())
        elif any(key.startswith(name + ".") for key in arrays):
            values[f.name] = _build(Camera, arrays, name + ".")
        elif f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise KeyError(name)
    return kind(**values)
