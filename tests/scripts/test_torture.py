"""A short round of ``make torture``: nothing is lost, nothing hangs, every bad input is named or survived."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hvr_nb.types import HvrError
from scripts.bench.torture.child import HANG, KILLED, MEMORY, NAMED, RAW, in_child
from scripts.bench.torture.kills import Chain, state_of

ROOT = Path(__file__).parents[2]


SHORT_ROUND = """
import random, sys
from pathlib import Path
from scripts.bench.torture.__main__ import torture_readers
from scripts.bench.torture.kills import Chain, kill_and_resume
folder, rng = Path(sys.argv[1]), random.Random(0)
(folder / "chain").mkdir()
chain = Chain(folder / "chain")
print([kill_and_resume(chain, rng, k)[1] for k in range(2)])
count = torture_readers(folder / "files", 30, rng, folder / "kept")
print(count["inputs"], count["named"] + count["done"])
"""


def test_kills_and_bad_inputs_do_no_harm(tmp_path):
    """Two killed runs and 30 inputs, in a process of its own: a fork of one that has threads may hang."""
    command = [sys.executable, "-c", SHORT_ROUND, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[[], []]", "30 30"]


@pytest.mark.slow
def test_a_short_round_finds_nothing(tmp_path):
    command = [sys.executable, "-m", "scripts.bench.torture", "2", "--seed", "5"]
    command += ["--keep", str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=1200)
    counts = dict(pair.split("=") for pair in done.stdout.splitlines()[-1].split())
    assert list(counts) == ["kills", "equal", "leftovers", "inputs", "raw", "hangs", "over_memory"]
    equal, runs = counts["equal"].split("/")
    assert equal == runs and int(runs) > 8 and int(counts["kills"]) >= 2, done.stdout
    wrong = [counts[key] for key in ("leftovers", "raw", "hangs", "over_memory")]
    assert wrong == ["0"] * 4, done.stdout
    assert int(counts["inputs"]) == 80 and not (tmp_path / "kept").exists()


def raises(error):
    raise error


@pytest.mark.parametrize(
    ("work", "how"),
    [
        (lambda: raises(HvrError("the file is damaged")), NAMED),
        (lambda: raises(KeyError("raw")), RAW),
        (lambda: time.sleep(60), HANG),
        (lambda: bytes(1 << 30), MEMORY),
        (lambda: os.kill(os.getpid(), 9), KILLED),
    ],
)
def test_how_work_ends_is_told_apart(work, how):
    assert in_child(work, seconds=0.5 if how == HANG else 60, memory=1 << 28).how == how


def test_a_chain_that_loses_something_is_found_out(tmp_path):
    """A change of any file, a missing one and a left-over are faults."""
    chain = Chain(tmp_path)
    assert chain.operations > 50 and chain.faults(tmp_path / "undisturbed" / "clip") == []
    clip = tmp_path / "other" / "clip"
    assert chain.run(clip).how == "done" and chain.faults(clip) == []
    (clip / "camera.npz").write_bytes(b"x")
    (clip / "player.html").unlink()
    (clip / "metrics" / ".05_train.0badcafe-1-0.partial.json").write_text("")
    left = "left over: metrics/.05_train.0badcafe-1-0.partial.json"
    assert chain.faults(clip) == [left, "differs: camera.npz", "differs: player.html"]
    assert state_of(clip) != state_of(tmp_path / "undisturbed" / "clip")
