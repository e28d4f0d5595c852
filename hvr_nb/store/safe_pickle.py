"""Reading SMPL pickles without running what is in them (docs/formats.md, 2).

A pickle is a program; a user's model file is data. Every name a file asks for is answered from a
closed table of stand-ins that can only hold values, anything else is refused. Chumpy and scipy
objects become inert records, from which the numbers are then taken: no chumpy is needed.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hvr_nb.types import HvrError

MAX_FILE = 1 << 30  # bytes; SMPL with 300 shape components is a quarter of this
MAX_DENSE = 1 << 26  # entries of a sparse matrix made dense
MAX_DEPTH = 32  # chumpy expressions, or lists and dictionaries, inside each other
MAX_ITEMS = 5_000_000  # values in the lists and dictionaries of one file
_DTYPE = re.compile(r"[<>|=]?([biufc](1|2|4|8|16)|[SU]\d{1,5}|O8?)")
_CHUMPY = re.compile(r"chumpy(\.[A-Za-z_]\w*)*")
_SPARSE_MODULE = re.compile(r"scipy\.sparse(\._?[a-z]+)?")
_SPARSE_CLASS = re.compile(r"(csc|csr|coo)_(matrix|array)")
_NAME = re.compile(r"[A-Za-z_]\w*")


class _Record:
    """Stands in for an instance of a foreign class: keeps its state, runs nothing."""

    def __new__(cls, *_args, **_kwargs):
        made = object.__new__(cls)
        made.state = {}
        return made

    def __init__(self, *_args, **_kwargs):
        pass

    def __setstate__(self, state):
        self.state = state if isinstance(state, dict) else {}


class _Array(_Record):
    """Stands in for an array until its bytes are known."""

    value: np.ndarray | None = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, raw = state
        self.value = _fill(_dtype_of(dtype), tuple(shape), raw, "F" if fortran else "C")


class _DType(_Record):
    """Stands in for ``numpy.dtype``: a plain type and its byte order."""

    def __init__(self, spec, *_args):
        if not _DTYPE.fullmatch(str(spec)):
            raise ValueError(f"array type {spec!r}")
        self.dtype = np.dtype(str(spec))

    def __setstate__(self, state):
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Call:
    """A function of the table; a file can call it and do nothing else with it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable):
        self._function = function

    def __call__(self, *args):
        return self._function(*args)

    def __setstate__(self, _state):
        raise ValueError("a function cannot be changed")


class _Token:
    """A name that may be passed on but neither called nor changed."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __setstate__(self, _state):
        raise ValueError(f"{self.name} cannot be changed")


def _dtype_of(dtype) -> np.dtype:
    if not isinstance(dtype, _DType):
        raise ValueError("an array without a type")
    return dtype.dtype


def _fill(dtype: np.dtype, shape: tuple, raw, order: str) -> np.ndarray:
    count = math.prod(int(n) for n in shape)
    if dtype.hasobject:
        if not isinstance(raw, list) or len(raw) != count:
            raise ValueError("an object array of the wrong size")
        out = np.empty(count, object)
        out[:] = raw
        return out.reshape(shape, order=order)
    data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
    if min(shape, default=0) < 0 or len(data) != count * dtype.itemsize:
        raise ValueError(f"an array of shape {shape} with {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _reconstruct(kind, _shape, _code) -> _Array:
    if kind is not _NDARRAY:
        raise ValueError("a rebuilt array that is no numpy.ndarray")
    return _Array()


def _frombuffer(data, dtype, shape, order) -> _Array:
    out = _Array()
    out.value = _fill(_dtype_of(dtype), tuple(shape), data, "F" if order == "F" else "C")
    return out


def _scalar(dtype, raw=b"") -> _Array:
    return _frombuffer(raw, dtype, (), "C")


def _reconstructor(cls, _base, _state) -> _Record:
    if not (isinstance(cls, type) and issubclass(cls, _Record)):
        raise ValueError("a rebuilt object of a foreign class")
    return cls()


def _encode(text, encoding="latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"encoding {encoding!r}")
    return text.encode("latin1")


_NDARRAY = _Token("numpy.ndarray")
_TABLE = {
    ("copy_reg", "_reconstructor"): _Call(_reconstructor),
    ("copyreg", "_reconstructor"): _Call(_reconstructor),
    ("numpy", "dtype"): _Call(_DType),
    ("numpy", "ndarray"): _NDARRAY,
    ("_codecs", "encode"): _Call(_encode),
    ("collections", "OrderedDict"): _Call(dict),
    **{(m, "object"): _Token("object") for m in ("__builtin__", "builtins")},
    **{(m, n): _Call(list) for m in ("__builtin__", "builtins") for n in ("set", "frozenset")},
    **{(f"numpy.{c}.multiarray", "_reconstruct"): _Call(_reconstruct) for c in ("core", "_core")},
    **{(f"numpy.{c}.multiarray", "scalar"): _Call(_scalar) for c in ("core", "_core")},
    **{(f"numpy.{c}.numeric", "_frombuffer"): _Call(_frombuffer) for c in ("core", "_core")},
}


class _Reader(pickle._Unpickler):
    """The pure Python unpickler (a hostile memo index costs it nothing) over the closed table."""

    # Opcodes that ask for objects from outside the file.
    dispatch = {
        code: run
        for code, run in pickle._Unpickler.dispatch.items()
        if code
        not in {
            pickle.EXT1[0],
            pickle.EXT2[0],
            pickle.EXT4[0],
            pickle.PERSID[0],
            pickle.BINPERSID[0],
            pickle.NEXT_BUFFER[0],
            pickle.READONLY_BUFFER[0],
        }
    }

    def find_class(self, module, name):
        if (module, name) in _TABLE:
            return _TABLE[module, name]
        plain = isinstance(module, str) and isinstance(name, str) and _NAME.fullmatch(name)
        if plain and (_CHUMPY.fullmatch(module) or _is_sparse(module, name)):
            return type(name, (_Record,), {})
        raise HvrError(f"it asks for {module}.{name}, which numbers have no use for")

    def _load_bytearray8(self):
        """BYTEARRAY8, without allocating what the file only claims to hold."""
        (size,) = struct.unpack("<Q", self.read(8))
        data = self.read(min(size, MAX_FILE))
        if len(data) != size:
            raise EOFError("a byte array longer than the file")
        self.append(data)

    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray8


def _is_sparse(module: str, name: str) -> bool:
    return bool(_SPARSE_MODULE.fullmatch(module) and _SPARSE_CLASS.fullmatch(name))


def unpickle(data: bytes):
    """What a pickle holds, foreign objects as inert records; raises what a damaged one makes it raise."""
    return _Reader(io.BytesIO(data), encoding="latin1", fix_imports=False).load()


def dense(value, done: dict, depth: int = 0) -> np.ndarray:
    """The numbers (...) of an array, a sparse matrix or a chumpy expression; ``done`` keeps those known."""
    if depth > MAX_DEPTH:
        raise ValueError("expressions nested too deeply")
    if id(value) in done:
        return done[id(value)]

    def inner(key: str, state: dict | None = None) -> np.ndarray:
        return dense((state or value.state)[key], done, depth + 1)

    if isinstance(value, _Array):
        if value.value is None:
            raise ValueError("an array without content")
        out = value.value
        if out.dtype.hasobject:
            out = dense(out.item(), done, depth + 1)  # as numpy saves one object in an npz
    elif isinstance(value, np.ndarray):  # a member of an npz that was not pickled
        out = value
    elif not isinstance(value, _Record):
        out = _plain(value)
    elif _SPARSE_CLASS.fullmatch(type(value).__name__):
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
        return _nested(content, [MAX_ITEMS])
    except HvrError as error:
        raise HvrError(f"{path} was refused: {error}; get the file again from its makers") from None
    except Exception as error:  # noqa: BLE001  a hostile or damaged file can fail in any way
        raise HvrError(f"{path} cannot be read ({error!r}); get it again") from error


def read_npz_values(path: str | Path) -> dict:
    """The members of an npz by name: arrays (...), or values that numpy pickled; as ``read_values``.

    Raises:
        HvrError: as ``read_values``.
    """
    path, left = Path(path), [MAX_ITEMS]
    try:
        with zipfile.ZipFile(path) as file:
            if sum(info.file_size for info in file.infolist()) > MAX_FILE:
                raise HvrError(f"its arrays have more than {MAX_FILE} bytes")
            members = {name.removesuffix(".npy"): read_member(file.read(name)) for name in file.namelist()}
        return {name: _nested(value, left) for name, value in members.items()}
    except HvrError as error:
        raise HvrError(f"{path} was refused: {error}; get the file again from its makers") from None
    except Exception as error:  # noqa: BLE001  a hostile or damaged file can fail in any way
        raise HvrError(f"{path} cannot be read ({error!r}); get it again") from error


def _nested(value, left: list[int], depth: int = 0):
    """A value with arrays in place of their stand-ins; ``left`` counts down the values still allowed."""
    left[0] -= 1
    if depth > MAX_DEPTH or left[0] < 0:
        raise ValueError("values nested too deeply, or too many")
    if isinstance(value, _Array) and value.value is not None:
        value = value.value
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return _nested(value.tolist(), left, depth + 1)
        return value if value.ndim else value.item()
    if isinstance(value, dict):
        return {str(_nested(k, left, depth + 1)): _nested(v, left, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_nested(v, left, depth + 1) for v in value]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    return dense(value, {})


def read_member(data: bytes, *, unpickle: Callable = unpickle):
    """The array (...) of an .npy file's bytes, or what numpy pickled into it, by ``unpickle``."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
    if header(stream)[2].hasobject:
        return unpickle(data[stream.tell() :])
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
