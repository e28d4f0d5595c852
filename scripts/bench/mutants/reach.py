"""A pytest plugin: which test runs which lines of a wing (its folder in HVR_REACH); written to reach.json."""

import json
import os
from pathlib import Path

import coverage
import pytest

CALLED = {}  # test -> seconds
watch = coverage.Coverage(data_file=None, include=[f"{os.environ['HVR_REACH']}/*"], config_file=False)


def pytest_configure():
    """Lines run while modules are imported have no context: they say nothing of a test."""
    watch.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """What a fixture runs is for every test of the file."""
    watch.switch_context(item.nodeid.split("::")[0])
    yield
    watch.switch_context(item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """After a test nothing counts."""
    watch.switch_context("")
    yield


def pytest_runtest_logreport(report):
    """Note the seconds of a test."""
    CALLED[report.nodeid] = CALLED.get(report.nodeid, 0.0) + report.duration


def pytest_sessionfinish():
    """Write what was found."""
    watch.stop()
    data = watch.get_data()
    lines = {
        str(Path(file).relative_to(Path.cwd())): {
            line: [c for c in who if c] for line, who in data.contexts_by_lineno(file).items() if any(who)
        }
        for file in data.measured_files()
    }
    Path("reach.json").write_text(json.dumps({"lines": lines, "seconds": CALLED}))
