"""Result files of other systems, whatever container they chose: torch, joblib, npy, npz or plain pickle.

Nothing in them is run. Torch files go through ``weights_only``; the others through the closed table of
``unpickler`` with the few names added that results need: joblib's arrays, whose bytes follow in the stream,
tensors inside pickles, and defaultdict.
"""

from __future__ import annotations

import bz2
import io
import lzma
import math
import pickle
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

from hvr_nb.store.safe_pickle import MAX_ITEMS, nested_values, read_npz_values
from hvr_nb.store.unpickler import (
    MAX_FILE,
    ClosedUnpickler,
    InertArray,
    InertObject,
    TableFunction,
    TableName,
    dtype_of,
    fill_array,
    read_member,
)
from hvr_nb.types import HvrError

_PADDED = "numpy_array_alignment_bytes"


class _Wrapper(InertObject):
    """joblib's stand-in of an array; the bytes follow it in the stream."""


def _defaultdict(*_factory) -> dict:
    return {}


def _storage(data):
    """What ``torch.storage._load_from_bytes`` would load with full trust, loaded with none."""
    import torch

    return torch.load(io.BytesIO(bytes(data)), weights_only=True, map_location="cpu")


def _tensor(storage, offset, size, stride, *_rest) -> np.ndarray:
    import torch

    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    if isinstance(storage, torch.storage.TypedStorage):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about what its own files hold
            dtype, count = storage.dtype, storage.size()
            storage = storage.untyped()
    else:
        dtype, count = torch.uint8, len(storage) if isinstance(storage, torch.UntypedStorage) else -1
    last = int(offset) + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if min((*size, *stride, int(offset)), default=0) < 0 or (math.prod(size) and last >= count):
        raise ValueError(f"a tensor of shape {size} in a storage of {count} values")
    return torch.empty(0, dtype=dtype).set_(storage, int(offset), size, stride).numpy().copy()


_MORE = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Wrapper,
    ("joblib.numpy_pickle_utils", "NumpyArrayWrapper"): _Wrapper,
    ("collections", "defaultdict"): TableFunction(_defaultdict),
    **{(m, n): TableName(n) for m in ("builtins", "__builtin__") for n in ("dict", "list", "int", "float")},
    ("torch.storage", "_load_from_bytes"): TableFunction(_storage),
    ("torch._utils", "_rebuild_tensor_v2"): TableFunction(_tensor),
}


class _ResultReader(ClosedUnpickler):
    """The restricted unpickler with the names that results need."""

    dispatch = dict(ClosedUnpickler.dispatch)

    def __init__(self, stream: io.BytesIO):
        super().__init__(stream, encoding="latin1", fix_imports=False)
        self._stream = stream

    def find_class(self, module, name):
        return _MORE[module, name] if (module, name) in _MORE else super().find_class(module, name)

    def _load_build(self):
        """BUILD; joblib's array is read from the stream right after it."""
        super().load_build()
        if isinstance(self.stack[-1], _Wrapper):
            self.stack[-1] = self._array(self.stack[-1].state)

    dispatch[pickle.BUILD[0]] = _load_build

    def _array(self, state: dict):
        dtype, shape = dtype_of(state["dtype"]), tuple(int(n) for n in state["shape"])
        if dtype.hasobject:
            return _ResultReader(self._stream).load()
        if state.get(_PADDED) is not None:
            self._stream.read(self._stream.read(1)[0])
        raw = self._stream.read(min(math.prod(shape) * dtype.itemsize, MAX_FILE))
        out = InertArray()
        out.value = fill_array(dtype, shape, raw, "F" if state.get("order") == "F" else "C")
        return out


def read_results(path: str | Path):
    """What a result file holds: dictionaries (keys as text), lists, numbers, text and arrays (...).

    Args:
        path: a torch file, an npz, an npy or a (joblib) pickle, compressed or not, told by its content.

    Raises:
        HvrError: missing, too large, damaged, or it asks for anything but such values.
    """
    path = Path(path)
    size = path.stat().st_size if path.is_file() else 0
    if not 0 < size <= MAX_FILE:
        raise HvrError(f"{path} is missing or has {size} bytes, not 1 to {MAX_FILE}; check the path")
    try:
        zipped = zipfile.is_zipfile(path)
        if not zipped or _is_torch(path):
            return nested_values(_content(path, zipped=zipped), [MAX_ITEMS])
    except HvrError as error:
        raise HvrError(f"{path} was refused: {error}; write the results again") from None
    except Exception as error:  # noqa: BLE001  a hostile or damaged file can fail in any way
        raise HvrError(f"{path} cannot be read ({error!r}); write the results again") from error
    return read_npz_values(path)


def _is_torch(path: Path) -> bool:
    """Whether a zip file is torch's; HvrError where it holds too much."""
    with zipfile.ZipFile(path) as file:
        if sum(info.file_size for info in file.infolist()) > MAX_FILE:
            raise HvrError(f"it holds more than {MAX_FILE} bytes")
        return any(name.endswith("/data.pkl") for name in file.namelist())


def _content(path: Path, *, zipped: bool):
    data = path.read_bytes()
    if zipped or data.startswith(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9"):  # torch's files, new and old
        import torch

        return _plain_tensors(torch.load(io.BytesIO(data), weights_only=True, map_location="cpu"))
    if data.startswith(b"\x93NUMPY"):
        return read_member(data, unpickle=lambda rest: _ResultReader(io.BytesIO(rest)).load())
    return _ResultReader(io.BytesIO(_decompressed(data))).load()


def _decompressed(data: bytes) -> bytes:
    """The bytes behind zlib, gzip, bzip2 or xz, none of which may grow beyond ``MAX_FILE``."""
    if data[:1] == b"\x78":
        machine = zlib.decompressobj()
    elif data.startswith(b"\x1f\x8b"):
        machine = zlib.decompressobj(31)
    elif data.startswith(b"BZh"):
        machine = bz2.BZ2Decompressor()
    elif data.startswith((b"\xfd7zXZ", b"\x5d\x00")):
        machine = lzma.LZMADecompressor()
    else:
        return data
    out = machine.decompress(data, MAX_FILE)
    if not machine.eof:
        raise HvrError(f"it unpacks to more than {MAX_FILE} bytes, or is cut short")
    return out


def _plain_tensors(value):
    """Tensors as arrays, in nested dictionaries and lists."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().float().numpy() if value.is_floating_point() else value.detach().numpy()
    if isinstance(value, dict):
        return {key: _plain_tensors(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_tensors(item) for item in value]
    return value
