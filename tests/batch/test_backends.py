"""Real engines: a Dask scheduler with two workers, and submitit's local jobs; jobs die or time out."""

import functools
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from tiny_notebooks import video_file, write_notebook

from hvr_nb.batch.backends import Job, dask_executor, slurm_executor, submit_all
from hvr_nb.batch.status import batch_state
from hvr_nb.cli.main import main
from hvr_nb.threads import allotted_threads
from hvr_nb.types import HvrError


def work(number: int, once: str) -> tuple[int, int]:
    """Gives its number and threads; number 1 kills its process the first time, number 2 takes for ever."""
    if number == 1 and not Path(once).exists():
        Path(once).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 2:
        time.sleep(600)
    return number, allotted_threads()


def outcomes(jobs) -> list:
    found = []
    for job in jobs:
        try:
            found.append(job.result())
        except Exception as error:  # noqa: BLE001  every engine has its own
            found.append(type(error).__name__)
    return found


def test_a_dask_worker_that_is_killed_loses_nothing(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with dask_executor("local", workers=2) as executor:
        jobs = submit_all(executor, Job(work), [(k, str(tmp_path / "once")) for k in (0, 1, 3, 4)])
        assert outcomes(jobs) == [(0, 3), (1, 3), (3, 3), (4, 3)]
    assert (tmp_path / "once").exists()


# submitit waits 15 s for the result of a job that has ended without one. A limit of time is for all jobs, and
# on a busy machine three seconds are too few for any: the job that is too slow is alone.
SLOW = [pytest.param((0, 1, 3), marks=pytest.mark.slow), pytest.param((2,), marks=pytest.mark.slow)]


@pytest.mark.parametrize("numbers", [(0, 3), *SLOW], ids=["whole", "killed", "too slow"])
def test_jobs_of_submitit_that_die_or_time_out_stop_nobody(tmp_path, monkeypatch, numbers):
    pytest.importorskip("submitit", reason="the extra `cluster` is not installed")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # jobs import this file
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "5")
    settings = "timeout_min=0.05 signal_delay_s=1" if 2 in numbers else ""
    with slurm_executor(settings, tmp_path / "logs", cluster="local") as executor:
        jobs = submit_all(executor, Job(work), [(k, str(tmp_path / "once")) for k in numbers])
        found = outcomes(jobs)
    whole = {number: (number, 5) for number in (0, 3)}
    for number, result in zip(numbers, found, strict=True):
        assert result == whole.get(number) or result in ("UncompletedJobError", "FailedJobError")
    assert found.count("UncompletedJobError") + found.count("FailedJobError") == len({1, 2} & {*numbers})
    assert len(list((tmp_path / "logs").glob("*/*_log.out"))) == len(numbers)


def test_dask_workers_share_the_cores_out(monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(7)))
    with dask_executor("local", workers=2) as executor:
        assert executor.submit(allotted_threads).result() == 3


def test_threads_come_from_the_allocation_and_are_shared_out(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "8")
    assert [allotted_threads(n) for n in (1, 2, 3, 20)] == [8, 4, 2, 1]
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "many")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3})
    assert allotted_threads() == 4 and allotted_threads(2) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # whoever says it has reasons
    assert allotted_threads(2) == 3


def test_a_setting_without_a_value_is_refused(tmp_path):
    pytest.importorskip("submitit", reason="the extra `cluster` is not installed")
    refused = pytest.raises(HvrError, match="'partition' is no setting; write name=value")
    with refused, slurm_executor("time=3 partition", tmp_path, cluster="local"):
        pass


def test_engines_that_are_not_there(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with pytest.raises(HvrError, match="no Dask scheduler answers at 'nowhere'"), dask_executor("nowhere"):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HvrError, match="cannot be used.*srun"), slurm_executor("partition=a", tmp_path):
        pass
    monkeypatch.setitem(__import__("sys").modules, "submitit", None)
    with pytest.raises(HvrError, match=r"pip install 'hvr_nb\[cluster\]'"), slurm_executor("", tmp_path):
        pass


@pytest.mark.slow
def test_videos_on_a_dask_cluster(tmp_path, capsys):
    """Real kernels in workers of their own: what works is done, what fails is a row and tried again."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    books = tmp_path / "notebooks"
    asked = 'video: str = ""  # file\nclip: str = "x"  # clip'
    once = 'from pathlib import Path\nhere = Path(clip)\nhere.mkdir(exist_ok=True)\nnote = here / "tries"\n'
    once += 'note.write_text(note.read_text() + "x" if note.exists() else "x")\n'
    once += 'assert Path(video).read_text() != "broken", "broken film"\n'
    once += 'assert Path(video).read_text() != "unlucky" or len(note.read_text()) > 1, "bad luck"'
    write_notebook(books / "00_video.ipynb", asked, once)
    texts = {"good": "7", "bad": "broken", "late": "unlucky"}
    videos = [str(video_file(tmp_path / f"{name}.mp4", text)) for name, text in texts.items()]
    where = ["--clips", str(tmp_path / "clips"), "--notebooks", str(books)]
    code = main(["batch", *videos, *where, "--dask", "local", "--workers", "2", "--retries", "1"])
    table = capsys.readouterr().out.splitlines()
    status = {line.split()[0].rpartition("/")[2]: line.split()[1] for line in table if line.startswith("/")}
    assert code == 1 and status == {"good.mp4": "done", "bad.mp4": "failed", "late.mp4": "done"}
    tries = {name: (tmp_path / "clips" / name / "tries").read_text() for name in texts}
    assert tries == {"good": "x", "bad": "xx", "late": "xx"}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "dask", "submitit"])
def test_thirty_videos_with_three_broken_on_each_engine(tmp_path, monkeypatch, capsys, engine):
    """Real kernels: 27 are done, three have their reasons, and a second call does only those three.

    Ten videos for submitit, whose local jobs all start at once.
    """
    count, broken = (10, (2, 4, 7)) if engine == "submitit" else (30, (4, 11, 29))
    modules = {"dask": "distributed", "submitit": "submitit"}
    if engine in modules:
        pytest.importorskip(modules[engine], reason="the extra `cluster` is not installed")
    if engine == "submitit":  # its local executor in place of SLURM
        local = functools.partial(slurm_executor, cluster="local")
        monkeypatch.setattr("hvr_nb.batch.backends.slurm_executor", local)
    cell = "from pathlib import Path\nPath(clip).mkdir(exist_ok=True)\nnote = Path(clip, 'tries')\n"
    cell += "note.write_text(note.read_text() + 'x' if note.exists() else 'x')\n"
    cell += "assert Path(video).read_text() != 'broken', f'broken film {Path(video).stem}'"
    write_notebook(tmp_path / "nb" / "00_video.ipynb", 'video: str = ""\nclip: str = ""', cell)
    videos = [
        video_file(tmp_path / f"v{k:02d}.mp4", "broken" if k in broken else "fine") for k in range(count)
    ]
    where = ["--clips", str(tmp_path / "clips"), "--notebooks", str(tmp_path / "nb"), "--workers", "2"]
    where += {"threads": [], "dask": ["--dask", "local"], "submitit": ["--slurm", "timeout_min=5"]}[engine]
    assert main(["batch", *map(str, videos), *where]) == 1
    out = capsys.readouterr().out
    assert all(f"broken film v{k:02d}" in out for k in broken) and "to try again: 3 videos" in out
    assert [v.status for v in batch_state(tmp_path / "clips").videos].count("done") == count - 3
    assert main(["batch", str(tmp_path / "clips" / "again.csv"), *where]) == 1
    tries = [(tmp_path / "clips" / f"v{k:02d}" / "tries").read_text() for k in range(count)]
    assert tries == ["xx" if k in broken else "x" for k in range(count)]
