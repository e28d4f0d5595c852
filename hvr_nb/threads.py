"""How many threads work on what: one for many small matrix products, all that are allotted for whole frames.

The products of a fit are too small to share: several threads spend most of their time waiting for each other
(measured: 58 s instead of 7 s of CPU for 60 frames on a busy machine of two cores), and one thread gives the
same bits on every machine.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import scipy.linalg  # noqa: F401  (threadpoolctl limits the libraries that are loaded; scipy has a BLAS of its own)
from threadpoolctl import threadpool_limits

ALLOTTED = "SLURM_CPUS_PER_TASK"


def allotted_threads(workers: int = 1) -> int:
    """Threads for one of ``workers`` jobs of this machine.

    They are what ``OMP_NUM_THREADS`` says; else the cores that SLURM allotted, or those of the machine,
    shared out.
    """
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said):
        return int(said)
    allotted = os.environ.get(ALLOTTED, "")
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # macOS
    cores = int(allotted) if allotted.isdigit() else here
    return max(1, cores // max(1, workers))


def over_frames(
    work: Callable[[int], object], frames: Iterable[int], *, at_once: int | None = None
) -> Iterator[int]:
    """Do ``work(frame)`` for every frame on the threads that are allotted; gives each frame when it is done.

    For numpy, OpenCV and compiled loops, which let other threads work meanwhile. The frames may not depend on
    each other; they come in order. The first error is raised.

    Args:
        at_once: at most so many frames at a time; None: as many as threads are allotted.
    """
    threads = allotted_threads()
    with ThreadPoolExecutor(min(threads, at_once or threads)) as pool:
        jobs = [(frame, pool.submit(work, frame)) for frame in frames]
        try:
            for frame, job in jobs:
                job.result()
                yield frame
        finally:
            pool.shutdown(cancel_futures=True)


def loops_may_meet() -> bool:
    """Whether numba's parallel loops may run in several threads at once.

    Its layer "workqueue" (where there is no OpenMP) ends the process then. False too where none has run yet,
    as only then the layer is known.
    """
    try:
        import numba

        return numba.threading_layer() in ("omp", "tbb")
    except ValueError:  # no loop has run
        return False
    except ImportError:  # torch and numpy do the work
        return True


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
