"""One thread for many small matrix products.

The products of a fit are too small to share: several threads spend most of their time waiting for
each other (measured: 43 s instead of 9 s of CPU for 60 frames on a busy two-core machine), and one
thread gives the same bits on every machine. The wheels of numpy and scipy each carry an OpenBLAS of
their own; with other builds (MKL, Accelerate) only torch is held to one thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy
import scipy

_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold numpy's and scipy's OpenBLAS and torch to one thread inside the block."""
    import torch

    before = [read() for read, _ in _libraries()]
    torch_before = torch.get_num_threads()
    try:
        for _, write in _libraries():
            write(1)
        torch.set_num_threads(1)
        yield
    finally:
        for (_, write), count in zip(_libraries(), before, strict=True):
            write(count)
        torch.set_num_threads(torch_before)


@functools.cache
def _libraries() -> list[tuple]:
    """(get, set) of the thread count of every OpenBLAS inside the wheels of numpy and scipy."""
    found = []
    for package in (numpy, scipy):
        root = Path(package.__file__).parent
        for folder in (root.with_name(f"{root.name}.libs"), root / ".dylibs"):
            for path in sorted(folder.glob("*openblas*")):
                with contextlib.suppress(OSError):
                    found.extend(_controls(ctypes.CDLL(str(path))))
    return found


def _controls(library: ctypes.CDLL) -> list[tuple]:
    for name in _NAMES:
        get, put = (getattr(library, name.format(verb), None) for verb in ("get", "set"))
        if get and put:
            return [(get, put)]
    return []
