"""Golden numbers: results that have no simple value of their own, but must not change unnoticed.

They are those of the method as docs/benchmarks.md measured it. Who changes a method on purpose measures it
again and writes them anew: WRITE_GOLDEN=1 .venv/bin/python -m pytest tests/masks/test_golden.py
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest


def waves(values) -> list[float]:
    """The mean of numbers, and three means weighted by waves over their index, which tell where they are."""
    flat = np.asarray(values, np.float64).ravel()
    at = np.arange(flat.size)
    return [float(f"{(flat * np.cos(k * at)).mean():.9g}") for k in (0.0, 0.013, 1.3, 2.9)]


class Golden:
    """The numbers of one test file, in a JSON file of its name beside it."""

    def __init__(self, test_file: str):
        self.path = Path(test_file).with_suffix(".json")

    def check(self, name: str, values, *, rel: float = 1e-5, abs: float = 1e-6) -> None:
        """Compare ``values`` with what is written under ``name``."""
        table = json.loads(self.path.read_text()) if self.path.exists() else {}
        if os.environ.get("WRITE_GOLDEN"):
            table[name] = waves(values)
            self.path.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")
        assert waves(values) == pytest.approx(table[name], rel=rel, abs=abs), name
