"""joblib's pickles, written without joblib."""

import io
import pickle
import zlib
from types import ModuleType

import numpy as np


class NumpyArrayWrapper:
    def __init__(self, array):
        self.subclass, self.shape, self.order = np.ndarray, array.shape, "C"
        self.dtype, self.allow_mmap, self.numpy_array_alignment_bytes = array.dtype, True, 16


NumpyArrayWrapper.__module__ = "joblib.numpy_pickle"


class _Joblib(pickle._Pickler):
    """The layout of joblib: an array is a wrapper, then a pad length, the pad and the bytes in the stream."""

    def __init__(self, stream):
        super().__init__(stream, protocol=4)
        self.stream = stream

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, np.ndarray) and obj.ndim:
            super().save(NumpyArrayWrapper(obj), save_persistent_id)
            self.framer.commit_frame(force=True)
            pad = 16 - (self.stream.tell() + 1) % 16
            self.stream.write(bytes([pad]) + b"\xff" * pad + np.ascontiguousarray(obj).tobytes())
            return
        super().save(obj, save_persistent_id)


def joblib_file(path, value, monkeypatch, *, compress=False):
    module = ModuleType("joblib.numpy_pickle")
    module.NumpyArrayWrapper = NumpyArrayWrapper
    monkeypatch.setitem(__import__("sys").modules, "joblib", ModuleType("joblib"))
    monkeypatch.setitem(__import__("sys").modules, "joblib.numpy_pickle", module)
    stream = io.BytesIO()
    _Joblib(stream).dump(value)
    path.write_bytes(zlib.compress(stream.getvalue(), 3) if compress else stream.getvalue())
    return path
