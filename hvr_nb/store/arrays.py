"""Values as npz files: every field one array, ``__meta__`` saying what the value was made from.

Nothing in such a file is ever unpickled, and nothing is read before its stated size has been compared with
what the value declares and with what the file holds.
"""

from __future__ import annotations

import dataclasses
import json
import math
import typing
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.checks import check_layout, check_value
from hvr_nb.store.files import SCHEMA, plain
from hvr_nb.store.memory import free_memory
from hvr_nb.types import DAMAGE, HvrError

META = "__meta__"
MAX_META = 16 << 20  # bytes


def write_npz(path: str | Path, value, meta: dict) -> None:
    """Write a dataclass of arrays (a nested one too) as compressed npz with ``meta``.

    Raises:
        HvrError: an array holds objects, or the disk is full or closed.
    """
    arrays = {name: np.asarray(item) for name, item in _flat(value)}
    opaque = [name for name, a in arrays.items() if a.dtype.hasobject]
    if opaque:
        raise HvrError(f"{path}: {', '.join(opaque)} cannot be stored; only numbers and text can")
    text = json.dumps({"schema": SCHEMA, **meta}, sort_keys=True, default=plain)
    with atomic(path) as partial:
        np.savez_compressed(partial, **arrays, **{META: np.asarray(text)})


def _flat(value, prefix: str = "") -> Iterator[tuple[str, object]]:
    for f in dataclasses.fields(value):
        item = getattr(value, f.name)
        if dataclasses.is_dataclass(item):
            yield from _flat(item, f"{prefix}{f.name}.")
        elif item is not None:
            yield prefix + f.name, item


def read_npz(
    path: str | Path, kind: type, *, remedy: str, sizes: Mapping[str, int] | None = None
) -> tuple[object, dict]:
    """Read what ``write_npz`` wrote: (value, meta).

    Args:
        kind: the dataclass. remedy: ends the error message. sizes: known lengths, e.g. frames ``{"T": 60}``.

    Raises:
        HvrError: the file is missing or damaged, of another schema, or holds what ``kind`` does not declare.
    """
    with _Npz(path, remedy) as file:
        value = file.value(kind, "", dict(sizes or {}))
        check_value(value, sizes)
        return value, file.meta


def read_npz_meta(path: str | Path, *, remedy: str) -> dict:
    """The ``meta`` of an npz that ``write_npz`` wrote, without reading its arrays."""
    with _Npz(path, remedy) as file:
        return file.meta


class _Npz:
    """An open npz whose members are looked at before they are read."""

    def __init__(self, path: str | Path, remedy: str):
        self.path, self.remedy = Path(path), remedy

    def __enter__(self) -> _Npz:
        if not self.path.is_file():
            raise HvrError(f"{self.path} is {'no file' if self.path.exists() else 'missing'}; {self.remedy}")
        try:
            self.zip = zipfile.ZipFile(self.path)
        except DAMAGE as error:
            raise self.damaged(error) from error
        try:
            self.names = {name.removesuffix(".npy") for name in self.zip.namelist()}
            shape, dtype = self.header(META)
            if shape != () or dtype.kind != "U" or dtype.itemsize > MAX_META:
                raise ValueError(f"{META} is no text")
            self.meta = json.loads(str(self.read(META)))
            stated = self.meta["schema"]
        except DAMAGE as error:
            self.zip.close()
            raise self.damaged(error) from error
        if stated != SCHEMA:
            self.zip.close()
            raise HvrError(f"{self.path} has schema {stated}, this version reads {SCHEMA}; {self.remedy}")
        return self

    def __exit__(self, kind, error, _trace) -> None:
        self.zip.close()
        if isinstance(error, DAMAGE):
            raise self.damaged(error) from error

    def damaged(self, error: BaseException) -> HvrError:
        said = str(error) or type(error).__name__
        return HvrError(f"{self.path} is damaged ({said}); {self.remedy}")

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and type that a member states; refuse one that does not have so many bytes."""
        info = self.zip.getinfo(f"{name}.npy")
        with self.zip.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            read = (
                np.lib.format.read_array_header_1_0
                if version[0] == 1
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(stream)
            held = info.file_size - stream.tell()
        if dtype.hasobject:
            raise ValueError(f"{name} holds objects")
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != held:
            raise ValueError(f"{name} states shape {shape} and holds {held} bytes")
        return shape, dtype

    def read(self, name: str) -> np.ndarray:
        needed, free = self.zip.getinfo(f"{name}.npy").file_size, free_memory()
        if needed > free:
            raise ValueError(f"{name} needs {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free")
        with self.zip.open(f"{name}.npy") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)

    def value(self, kind: type, prefix: str, sizes: dict[str, int]):
        """The dataclass whose fields are the members that begin with ``prefix``."""
        types, values = typing.get_type_hints(kind), {}
        for f in dataclasses.fields(kind):
            name = prefix + f.name
            if name in self.names:
                shape, dtype = self.header(name)
                check_layout(f, shape, dtype, sizes)
                values[f.name] = _field_value(f.name, types[f.name], self.read(name))
            elif dataclasses.is_dataclass(types[f.name]):
                values[f.name] = self.value(types[f.name], name + ".", {})
            elif f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
                raise ValueError(f"it lacks {name}")
        return kind(**values)


def _field_value(name: str, kind, array: np.ndarray):
    """An array as a field of a dataclass holds it: numbers, texts and tuples as Python's own."""
    if typing.get_origin(kind) is tuple:
        if array.ndim != 1:
            raise ValueError(f"{name} is no list")
        return tuple(array.tolist())
    if kind in (int, float, str, bool):
        wanted = {int: "iu", float: "fiu", str: "U", bool: "b"}[kind]
        if array.ndim or array.dtype.kind not in wanted:
            raise ValueError(f"{name} is not of type {kind.__name__}")
        return kind(array.item())
    return array if array.ndim else array.item()
