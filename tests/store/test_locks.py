"""Two writers of one clip take turns; of two runs of its notebooks the second one is refused."""

import subprocess
import sys
import time

import numpy as np
import pytest
from small_clips import H, T, W, make

from hvr_nb.store import locks
from hvr_nb.store.clip import Clip
from hvr_nb.store.locks import running, writing
from hvr_nb.types import HvrError, Masks

SAVER = """
import sys, numpy as np
from hvr_nb.store.clip import Clip
from hvr_nb.types import Masks
clip, value = Clip.open(sys.argv[1]), int(sys.argv[2])
sys.stdin.readline()
for k in range(6):
    clip.save("masks", Masks(np.full((4, 24, 32), value, np.uint8), np.full((4, 24, 32), value, np.uint8)))
"""
HOLDER = """
import sys, time
from pathlib import Path
from hvr_nb.store.locks import running, writing
with {"running": running, "writing": writing}[sys.argv[2]](Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(900)
"""


def python(code, *arguments, **options):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], text=True, **options)


def holder(folder, kind):
    process = python(HOLDER, folder, kind, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "held\n"
    return process


def test_racing_saves_of_masks_are_never_mixed(tmp_path):
    clip = make(tmp_path)
    savers = [python(SAVER, tmp_path, value, stdin=subprocess.PIPE) for value in (10, 20, 30)]
    for saver in savers:
        saver.stdin.write("go\n")
        saver.stdin.flush()
    assert [saver.wait(600) for saver in savers] == [0, 0, 0]
    masks = Clip.open(tmp_path).masks
    assert masks.alpha.shape == (T, H, W)
    assert len(np.unique(np.stack([masks.alpha, masks.labels]))) == 1
    assert clip.fingerprint("masks") and not list(tmp_path.glob(".masks*"))


def test_a_second_run_is_refused_and_told_who_holds_the_clip(tmp_path):
    first = holder(tmp_path, "running")
    try:
        with pytest.raises(
            HvrError, match=f"is being written by process {first.pid} of .*; wait until it has ended"
        ):
            with running(tmp_path):
                pass
    finally:
        first.kill()
        first.wait()
    with running(tmp_path):  # the lock of one that was killed does not block
        pass


def test_a_writer_waits_for_another_and_gives_up_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.3)
    first = holder(tmp_path, "writing")
    try:
        began = time.monotonic()
        with pytest.raises(HvrError, match=f"process {first.pid}"):
            with writing(tmp_path):
                pass
        assert time.monotonic() - began >= 0.3
    finally:
        first.kill()
        first.wait()
    monkeypatch.setattr(locks, "PATIENCE", 600)
    second = holder(tmp_path, "writing")
    second.kill()
    with writing(tmp_path), writing(tmp_path):  # and one may hold it twice
        pass
    second.wait()


def test_a_run_may_write(tmp_path):
    clip = make(tmp_path)
    with running(tmp_path):
        clip.save("masks", Masks(np.zeros((T, H, W), np.uint8)))


def test_a_lock_file_of_nonsense_blocks_nobody(tmp_path):
    (tmp_path / ".running.lock").write_text('{"process": "x"}')
    with running(tmp_path):
        pass
