"""An unpickler that runs nothing: a closed table of names, everything else refused (docs/formats.md, 2).

A pickle is a program; a user's model file is data. Every name that a file asks for is answered by a stand-in
that can only hold values. Objects of chumpy and scipy become inert, too; ``safe_pickle.py`` takes the numbers
out of them, so chumpy is not needed.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
from collections.abc import Callable

import numpy as np

from hvr_nb.types import HvrError

MAX_FILE = 1 << 30  # bytes; SMPL with 300 shape components is a quarter of this
_DTYPE = re.compile(r"[<>|=]?([biufc](1|2|4|8|16)|[SU]\d{1,5}|O8?)")
_CHUMPY = re.compile(r"chumpy(\.[A-Za-z_]\w*)*")
_SPARSE_MODULE = re.compile(r"scipy\.sparse(\._?[a-z]+)?")
SPARSE_CLASS = re.compile(r"(csc|csr|coo)_(matrix|array)")
_NAME = re.compile(r"[A-Za-z_]\w*")


class InertObject:
    """Stands in for an instance of a foreign class: keeps its state, runs nothing."""

    def __new__(cls, *_args, **_kwargs):
        """Made without arguments, as pickles make objects."""
        made = object.__new__(cls)
        made.state = {}
        return made

    def __init__(self, *_args, **_kwargs):
        pass

    def __setstate__(self, state):
        self.state = state if isinstance(state, dict) else {}


class InertArray(InertObject):
    """Stands in for an array until its bytes are known."""

    value: np.ndarray | None = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, raw = state
        self.value = fill_array(dtype_of(dtype), tuple(shape), raw, "F" if fortran else "C")


class _DType(InertObject):
    """Stands in for ``numpy.dtype``: a plain type and its byte order."""

    def __init__(self, spec, *_args):
        if not _DTYPE.fullmatch(str(spec)):
            raise ValueError(f"array type {spec!r}")
        self.dtype = np.dtype(str(spec))

    def __setstate__(self, state):
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class TableFunction:
    """A function of the table; a file can call it and do nothing else with it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable):
        self._function = function

    def __call__(self, *args):
        """What a pickle gets that calls it."""
        return self._function(*args)

    def __setstate__(self, _state):
        raise ValueError("a function cannot be changed")


class TableName:
    """A name that may be passed on but neither called nor changed."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __setstate__(self, _state):
        raise ValueError(f"{self.name} cannot be changed")


def dtype_of(dtype) -> np.dtype:
    """The plain type of a stand-in for ``numpy.dtype``."""
    if not isinstance(dtype, _DType):
        raise ValueError("an array without a type")
    return dtype.dtype


def fill_array(dtype: np.dtype, shape: tuple, raw, order: str) -> np.ndarray:
    """An array of ``shape`` (...) from its bytes, or from a list of objects; ``order`` is "C" or "F"."""
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


def _reconstruct(kind, _shape, _code) -> InertArray:
    if kind is not _NDARRAY:
        raise ValueError("a rebuilt array that is no numpy.ndarray")
    return InertArray()


def _frombuffer(data, dtype, shape, order) -> InertArray:
    out = InertArray()
    out.value = fill_array(dtype_of(dtype), tuple(shape), data, "F" if order == "F" else "C")
    return out


def _scalar(dtype, raw=b"") -> InertArray:
    return _frombuffer(raw, dtype, (), "C")


def _reconstructor(cls, _base, _state) -> InertObject:
    if not (isinstance(cls, type) and issubclass(cls, InertObject)):
        raise ValueError("a rebuilt object of a foreign class")
    return cls()


def _encode(text, encoding="latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"encoding {encoding!r}")
    return text.encode("latin1")


_NDARRAY = TableName("numpy.ndarray")
_TABLE = {
    ("copy_reg", "_reconstructor"): TableFunction(_reconstructor),
    ("copyreg", "_reconstructor"): TableFunction(_reconstructor),
    ("numpy", "dtype"): TableFunction(_DType),
    ("numpy", "ndarray"): _NDARRAY,
    ("_codecs", "encode"): TableFunction(_encode),
    ("collections", "OrderedDict"): TableFunction(dict),
    **{(m, "object"): TableName("object") for m in ("__builtin__", "builtins")},
    **{(m, n): TableFunction(list) for m in ("__builtin__", "builtins") for n in ("set", "frozenset")},
    **{(f"numpy.{c}.multiarray", "_reconstruct"): TableFunction(_reconstruct) for c in ("core", "_core")},
    **{(f"numpy.{c}.multiarray", "scalar"): TableFunction(_scalar) for c in ("core", "_core")},
    **{(f"numpy.{c}.numeric", "_frombuffer"): TableFunction(_frombuffer) for c in ("core", "_core")},
}


class ClosedUnpickler(pickle._Unpickler):
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
        """The stand-in of a name, from the closed table; any other name is refused."""
        if (module, name) in _TABLE:
            return _TABLE[module, name]
        plain = isinstance(module, str) and isinstance(name, str) and _NAME.fullmatch(name)
        if plain and (_CHUMPY.fullmatch(module) or _is_sparse(module, name)):
            return type(name, (InertObject,), {})
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
    return bool(_SPARSE_MODULE.fullmatch(module) and SPARSE_CLASS.fullmatch(name))


def unpickle(data: bytes):
    """What a pickle holds, foreign objects as inert records; raises what a damaged one makes it raise."""
    return ClosedUnpickler(io.BytesIO(data), encoding="latin1", fix_imports=False).load()


def read_member(data: bytes, *, unpickle: Callable = unpickle):
    """The array (...) of an .npy file's bytes, or what numpy pickled into it, by ``unpickle``."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
    if header(stream)[2].hasobject:
        return unpickle(data[stream.tell() :])
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
