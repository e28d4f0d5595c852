"""One thread for many small matrix products.

The products of a fit are too small to share: several threads spend most of their time waiting for each other
(measured: 58 s instead of 7 s of CPU for 60 frames on a busy machine of two cores), and one thread gives the
same bits on every machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import scipy.linalg  # noqa: F401  (threadpoolctl limits the libraries that are loaded; scipy has a BLAS of its own)
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold the BLAS libraries of numpy and scipy and torch to one thread inside the block."""
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # its MKL is linked into it, where threadpoolctl does not see it
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
