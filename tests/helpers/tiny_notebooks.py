"""Notebooks of a few lines, for the batch runner."""

import time
from pathlib import Path

from hvr_nb.batch import notebook
from scripts.bench.torture.stand_in import execute_in_process
from scripts.bench.torture.stand_in import write_cells as write_notebook

__all__ = ["execute_here", "ran", "video_file", "waited_for", "write_notebook"]


def video_file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def ran(stages):
    return [s.stage for s in stages if not s.skipped]


def execute_here(monkeypatch):
    """Notebooks run in this process, without a kernel."""
    monkeypatch.setattr(notebook, "_execute", execute_in_process)


def waited_for(condition):
    """What a condition gives as soon as it is true; the deadline only ends a hang."""
    deadline = time.monotonic() + 600
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()
