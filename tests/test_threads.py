"""One thread inside the block, the old number after it, also after an error."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from hvr_nb import threads
from hvr_nb.types import HvrError


def blas() -> dict[str, int]:
    """Threads of every BLAS that is loaded, by its file."""
    return {lib["filepath"]: lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


@pytest.fixture
def two_threads():
    with threads.threadpool_limits(2):
        before = torch.get_num_threads()
        torch.set_num_threads(2)
        yield
        torch.set_num_threads(before)


def test_threads_are_held_and_given_back(two_threads):
    before = blas()
    assert set(before.values()) == {2}
    with threads.one_thread():
        assert set(blas().values()) == {1} and torch.get_num_threads() == 1
        np.ones((200, 200)) @ np.ones((200, 200))
    assert blas() == before and torch.get_num_threads() == 2
    with pytest.raises(RuntimeError), threads.one_thread():
        raise RuntimeError
    assert blas() == before and torch.get_num_threads() == 2


def test_frames_come_in_order_whoever_is_done_first(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    both, began = threading.Barrier(2), []

    def work(frame):
        began.append(frame)
        if frame < 2:
            both.wait(60)  # one thread alone would wait for ever
        if frame == 7:
            raise HvrError("frame 7")
        if frame > 7:
            time.sleep(0.02)  # a real frame takes time too: 992 empty ones are done before the error is read

    assert list(threads.over_frames(work, range(6))) == list(range(6))
    assert list(threads.over_frames(lambda k: k < 2 or work(k), range(4), at_once=1)) == [0, 1, 2, 3]
    began.clear()
    with pytest.raises(HvrError, match="frame 7"):
        list(threads.over_frames(work, range(6, 1000)))
    assert len(began) < 900, "what has not begun is left alone"


def test_every_blas_of_numpy_and_scipy_is_held():
    """Also where nothing has used them yet: each package brings a library of its own."""
    code = (
        "from hvr_nb.threads import one_thread\n"
        "with one_thread():\n"
        "    import numpy, scipy.linalg, scipy.sparse.linalg, scipy.optimize, threadpoolctl\n"
        "    for lib in threadpoolctl.threadpool_info():\n"
        "        if lib['user_api'] == 'blas': print(lib['num_threads'], lib['filepath'])\n"
    )
    env = os.environ | {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    ).stdout
    found = [line.split(" ", 1) for line in out.splitlines()]
    assert found and {count for count, _ in found} == {"1"}, out


def test_a_worker_of_the_tests_keeps_to_its_core():
    """conftest says so before anything reads it: with several threads each, workers wait for each other."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("only with workers")
    import numba

    assert torch.get_num_threads() == numba.config.NUMBA_NUM_THREADS == int(os.environ["OMP_NUM_THREADS"])


def test_compiled_loops_keep_to_the_threads_that_were_asked_for():
    """numba's loops share torch's OpenMP: with more threads than it, they would change torch's sums."""
    code = """
import hvr_nb, numba, numpy, torch
@numba.njit(parallel=True)
def loop(x):
    for i in numba.prange(len(x)):
        x[i] += 1
loop(numpy.zeros(9))
print(torch.get_num_threads())
"""
    plain = {k: v for k, v in os.environ.items() if k != "NUMBA_NUM_THREADS"} | {"OMP_NUM_THREADS": "1"}
    out = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True)
    assert out.stdout.strip() == "1", out.stdout + out.stderr


def test_loops_meet_only_where_their_layer_is_known_to_bear_it(monkeypatch):
    def not_known():
        raise ValueError("no loop has run")

    for layer, bears in ((lambda: "workqueue", False), (lambda: "omp", True), (not_known, False)):
        monkeypatch.setattr("numba.threading_layer", layer)
        assert threads.loops_may_meet() is bears
