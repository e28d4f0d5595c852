"""A wing's tests on a changed copy of the tree, in a forked process that stands ready with its imports."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numba

from hvr_nb.store.places import ROOT
from scripts.bench.mutants.changes import Change

SPARE = 30  # CPU seconds beyond ten times what the tests take unchanged
MEMORY = 16 << 30  # bytes of address space; a changed size must not fill the machine
WALL = 900  # seconds


@dataclass(frozen=True)
class Reach:
    """Which tests run which lines of a wing, and how long each takes."""

    lines: dict[str, dict[int, list[str]]]  # module -> line -> tests; a test file stands for all in it
    seconds: dict[str, float]  # test -> seconds

    def tests(self, module: str, change: Change) -> list[str]:
        """The tests that run a change, the quickest first; none where only compiled code runs it."""
        rows = self.lines.get(module, {})
        found = {t for line in range(change.first, change.last + 1) for t in rows.get(line, ())}
        found |= {t for t in self.seconds if t.split("::")[0] in found}
        return sorted(found & set(self.seconds), key=self.seconds.get)


def copy_tree(folder: Path) -> Path:
    """A copy of what the tests need, without caches; models are linked."""
    for name in ("hvr_nb", "scripts", "tests", "notebooks", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "environment.yml", "Makefile", "README.md"):
        shutil.copy(ROOT / name, folder)
    (folder / "data").mkdir()
    os.symlink(ROOT / "data" / "models", folder / "data" / "models")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """The copy's code, one thread, a cache of compiled loops of its own."""
    return os.environ | {
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "HVR_SHARED_DATA": os.environ.get("HVR_SHARED_DATA", str(ROOT.parent / "shared" / "data")),
    }


def reach(folder: Path, wing: str) -> Reach:
    """Run a wing's tests once, unchanged, and note which lines each of them runs."""
    command = [sys.executable, "-m", "pytest", "-p", "scripts.bench.mutants.reach", f"tests/{wing}"]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(folder) | {"HVR_REACH": f"hvr_nb/{wing}"},
    )
    if done.returncode:
        raise SystemExit(f"tests/{wing} fails before anything is changed:\n{done.stdout[-3000:]}")
    found = json.loads((folder / "reach.json").read_text())
    lines = {m: {int(k): v for k, v in rows.items()} for m, rows in found["lines"].items()}
    return Reach(lines, found["seconds"])


def killed(folder: Path, module: str, change: Change, tests: list[str], seconds: float) -> bool:
    """Whether the tests notice a change; one that hangs, crashes or takes all memory is noticed too."""
    path = folder / module
    source = path.read_text()
    path.write_text(change.applied(source))
    try:
        child = os.fork()
        if child == 0:
            _run_tests(folder, tests, seconds, compiled="numba" in source)
        _, status = os.waitpid(child, 0)
    finally:
        path.write_text(source)
    return status != 0


def _run_tests(folder: Path, tests: Iterable[str], seconds: float, *, compiled: bool) -> None:
    """In the forked child: run pytest and end with its exit status."""
    import pytest

    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (int(10 * seconds + SPARE),) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.alarm(WALL)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    os.environ.update(environment(folder))
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    for name in [n for n in sys.modules if n.split(".")[0] in ("hvr_nb", "scripts")]:
        del sys.modules[name]  # to be imported from the copy
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        # other modules' compiled loops may hold the changed one's: none of them is believed
        numba.config.CACHE_DIR = str(Path(scratch) / "numba") if compiled else str(folder / "numba")
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={scratch}/t", *tests])
    os._exit(int(code))
