"""Fixtures shared by the tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real footage and motion capture; tests that need it skip without it."""
    root = Path(os.environ.get("HVR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.exists():
        pytest.skip(f"no real footage at {root} (set HVR_SHARED_DATA)")
    return root
