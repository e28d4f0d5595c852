"""Values and arrays of files that may hold pickles; nothing in them is run (docs/formats.md, 2)."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hvr_nb.store.unpickler import MAX_FILE, SPARSE_CLASS, InertArray, InertObject, read_member, unpickle
from hvr_nb.types import HvrError

MAX_DENSE = 1 << 26  # entries of a sparse matrix made dense
MAX_DEPTH = 32  # chumpy expressions, or lists and dictionaries, inside each other
MAX_ITEMS = 5_000_000  # values in the lists and dictionaries of one file


def dense(value, done: dict, depth: int = 0) -> np.ndarray:
    """The numbers (...) of an array, a sparse matrix or a chumpy expression; ``done`` keeps those known."""
    if depth > MAX_DEPTH:
        raise ValueError("expressions nested too deeply")
    if id(value) in done:
        return done[id(value)]

    def inner(key: str, state: dict | None = None) -> np.ndarray:
        return dense((state or value.state)[key], done, depth + 1)

    if isinstance(value, InertArray):
        if value.value is None:
            raise ValueError("an array without content")
        out = value.value
        if out.dtype.hasobject:
            out = dense(out.item(), done, depth + 1)  # as numpy saves one object in an npz
    elif isinstance(value, np.ndarray):  # a member of an npz that was not pickled
        out = value
    elif not isinstance(value, InertObject):
        out = _plain(value)
    elif SPARSE_CLASS.fullmatch(type(value).__name__):
        out = _dense_sparse(type(value).__name__[:3], value.state, inner)
    elif "x" in value.state:  # chumpy.Ch
        out = inner("x")
    elif {"a", "idxs", "preferred_shape"} <= value.state.keys():  # chumpy.reordering.Select
        shape = inner("preferred_shape").astype(int).ravel()
        out = inner("a").ravel()[inner("idxs").astype(np.int64)].reshape(shape)
    elif {"mtx", "vec"} <= value.state.keys():  # chumpy.linalg.MatVecMult
        out = inner("mtx") @ inner("vec")
    else:
        raise ValueError(f"a chumpy {type(value).__name__}, which is not understood")
    done[id(value)] = out
    return out


def _plain(value) -> np.ndarray:
    """A number, a text or a flat list of numbers (deeper lists can be made to explode)."""
    items = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(item, int | float | str | bytes) for item in items):
        raise ValueError(f"a {type(value).__name__}, not numbers")
    return np.asarray(value)


def _dense_sparse(kind: str, state: dict, inner: Callable) -> np.ndarray:
    """csc, csr or coo state as a dense array; indices are checked here, not in scipy's C code."""
    shape = tuple(int(n) for n in (state.get("_shape") or state["shape"]))
    if len(shape) != 2 or min(shape) < 0 or shape[0] * shape[1] > MAX_DENSE:
        raise ValueError(f"a sparse matrix of shape {shape}")
    data = inner("data").ravel()
    if kind == "coo":
        pair = dict(zip(("row", "col"), state.get("coords", ()), strict=False)) or state
        row, col = inner("row", pair), inner("col", pair)
    else:
        pointer, index = inner("indptr").astype(np.int64), inner("indices").astype(np.int64)
        major = shape[0] if kind == "csr" else shape[1]
        if len(pointer) != major + 1 or (np.diff(pointer) < 0).any() or pointer[-1] != len(data):
            raise ValueError("a sparse matrix whose index is broken")
        along = np.repeat(np.arange(major), np.diff(pointer))
        row, col = (along, index) if kind == "csr" else (index, along)
    if not (len(row) == len(col) == len(data)) or (row < 0).any() or (col < 0).any():
        raise ValueError("a sparse matrix whose index is broken")
    out = np.zeros(shape, data.dtype)
    np.add.at(out, (row, col), data)
    return out


def read_values(path: str | Path):
    """What a pickle, or an .npy file with a pickle in it, holds: dictionaries, lists, numbers, text, arrays.

    Args:
        path: a .pkl of any protocol, or an .npy that numpy wrote of any object; a plain array (...) too.

    Raises:
        HvrError: the file is missing, too big, damaged, or asks for anything but such values.
    """
    path = Path(path)
    size = path.stat().st_size if path.is_file() else 0
    if not 0 < size <= MAX_FILE:
        raise HvrError(f"{path} is missing or has {size} bytes, not 1 to {MAX_FILE}; check the path")
    try:
        data = path.read_bytes()
        content = read_member(data) if path.suffix == ".npy" else unpickle(data)
        return nested_values(content, [MAX_ITEMS])
    except HvrError as error:
        raise HvrError(f"{path} was refused: {error}; get the file again from its makers") from None
    except Exception as error:  # noqa: BLE001  a hostile or damaged file can fail in any way
        raise HvrError(f"{path} cannot be read ({error!r}); get it again") from error


def read_npz_values(path: str | Path, only: tuple[str, ...] = ()) -> dict:
    """The members of an npz by name: arrays (...), or values that numpy pickled; as ``read_values``.

    Args:
        only: members that are read, the others are left unread; () reads all.

    Raises:
        HvrError: as ``read_values``.
    """
    path, left = Path(path), [MAX_ITEMS]
    try:
        with zipfile.ZipFile(path) as file:
            if sum(info.file_size for info in file.infolist()) > MAX_FILE:
                raise HvrError(f"its arrays have more than {MAX_FILE} bytes")
            names = {name.removesuffix(".npy"): name for name in file.namelist()}
            members = {key: read_member(file.read(names[key])) for key in only or names}
        return {name: nested_values(value, left) for name, value in members.items()}
    except HvrError as error:
        raise HvrError(f"{path} was refused: {error}; get the file again from its makers") from None
    except Exception as error:  # noqa: BLE001  a hostile or damaged file can fail in any way
        raise HvrError(f"{path} cannot be read ({error!r}); get it again") from error


def nested_values(value, left: list[int], depth: int = 0):
    """A value with arrays in place of their stand-ins; ``left`` counts down the values still allowed."""
    left[0] -= 1
    if depth > MAX_DEPTH or left[0] < 0:
        raise ValueError("values nested too deeply, or too many")
    if isinstance(value, InertArray) and value.value is not None:
        value = value.value
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return nested_values(value.tolist(), left, depth + 1)
        return value if value.ndim else value.item()
    if isinstance(value, dict):
        return {
            str(nested_values(k, left, depth + 1)): nested_values(v, left, depth + 1)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [nested_values(v, left, depth + 1) for v in value]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    return dense(value, {})
