"""Fixtures shared by the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hvr_nb  # noqa: F401  (before torch: it says how waiting threads behave)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real footage and motion capture; tests that need it skip without it."""
    root = Path(os.environ.get("HVR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.exists():
        pytest.skip(f"no real footage at {root} (set HVR_SHARED_DATA)")
    return root


@pytest.fixture(scope="session")
def detector() -> Path:
    """The folder with the detector's models, fetched if absent; skips where that is not possible."""
    from hvr_nb.blazepose import MODEL_FOLDER

    script = Path(__file__).parents[1] / "scripts" / "fetch_detector.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no detector models: {done.stderr.strip()}")
    return MODEL_FOLDER
