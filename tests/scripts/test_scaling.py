"""The simulation of docs/scaling.md on cases whose answer is known."""

import numpy as np
import pytest

from hvr_nb.batch.progress import SHARES
from hvr_nb.store.markers import RunMarker, write_marker
from scripts.bench.scaling import Cluster, measured_times, simulate, table

QUIET = Cluster(wait=0.0, preempted=0.0, failed=0.0, broken=0.0)


def run(times, nodes, cluster):
    return simulate(np.asarray(times, float), nodes, cluster, np.random.default_rng(0))


def test_quiet_nodes_share_the_work_out():
    found = run(np.full((12, 4), 900.0), 3, QUIET)
    assert (found.hours, found.busy, found.again, found.done) == (4.0, 1.0, 0.0, 12)
    assert run(np.full((4, 4), 900.0), 3, QUIET).busy == pytest.approx(4 / 6)
    assert run(np.full((1, 2), 1800.0), 1000, QUIET).hours == 1.0


def test_a_broken_video_costs_its_second_notebook_for_every_try():
    cluster = Cluster(wait=0.0, preempted=0.0, failed=0.0, broken=1.0, retries=2)
    found = run([[3600.0, 1800.0, 3600.0]], 1, cluster)
    # the first notebook once, the second three times; a later try begins with the notebook that failed
    assert found.done == 0 and found.hours == 1 + 0.5 + 0.5 + 0.5


def test_preemption_loses_the_running_notebook_only():
    often = Cluster(wait=0.0, preempted=2.0, failed=0.0, broken=0.0)
    short, long = run(np.full((200, 8), 450.0), 5, often), run(np.full((200, 1), 3600.0), 5, often)
    assert short.done == long.done == 200
    # a notebook of t seconds succeeds with e^(-rate t): expected lost share of short ones is far smaller
    assert short.again < 0.2 < 0.5 < long.again


def test_waiting_is_counted_once_a_job():
    cluster = Cluster(wait=60.0, preempted=0.0, failed=0.0, broken=0.0)
    found = run(np.full((500, 1), 540.0), 1, cluster)
    assert found.busy == pytest.approx(0.9, abs=0.01)


def test_times_come_from_the_markers_of_finished_clips(tmp_path):
    for clip, stages in (("a", SHARES), ("b", list(SHARES)[:3])):
        for k, stage in enumerate(stages):
            marker = RunMarker({}, "", "", seconds=float(k))
            write_marker(tmp_path / clip / "runs" / f"{stage}.done.json", marker)
    assert measured_times(tmp_path).tolist() == [list(range(len(SHARES)))]
    assert measured_times(None).tolist() == [list(SHARES.values())]
    rows = table(measured_times(None), QUIET, nodes=(1, 2), videos=(4,)).splitlines()
    assert len(rows) == 3 and rows[2].startswith("| 4 | ")
