"""Where the chains of many videos run: a Dask cluster or SLURM; each gives an executor for ``run_videos``.

An executor has ``submit`` and its jobs have ``result``, as in ``concurrent.futures``. Here, threads do
(``run_videos`` with ``workers``), because every notebook has a process of its own. The engines are
``dask.distributed`` and ``submitit``, the extra ``cluster`` of the package; nothing is shared but files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from hvr_nb.threads import allotted_threads
from hvr_nb.types import HvrError

# words of --slurm that submitit knows by another name; all others are handed to sbatch as they are
_SUBMITIT = {"partition", "time", "mem", "gres", "qos", "account", "comment", "constraint", "exclude"}
_CAP = "array_parallelism"  # jobs of one array that run at a time
INSTALL = "run: pip install 'hvr_nb[cluster]'"


class Job:
    """A function that runs elsewhere and starts again after a preemption.

    Args:
        function: what runs; it and its arguments are pickled.
    """

    def __init__(self, function: Callable):
        self.function = function

    def __call__(self, *arguments):
        """Run it."""
        return self.function(*arguments)

    def checkpoint(self, *arguments):
        """What submitit runs after a preemption: the same, which goes on after the last finished stage."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


@contextlib.contextmanager
def dask_executor(address: str, *, workers: int = 1, retries: int = 0) -> Iterator:
    """Jobs on a Dask cluster. A worker that dies loses its job to another worker.

    Args:
        address: of a scheduler, e.g. "tcp://node1:8786"; "local" starts workers as processes here. Start
            the workers of a cluster with one thread each (``dask worker --nthreads 1``).
        workers: how many "local" starts. retries: how often a job that raised is tried again.

    Raises:
        HvrError: dask is not installed, or no scheduler answers at the address.
    """
    try:
        import distributed
    except ImportError as error:
        raise HvrError(f"dask.distributed is not installed; {INSTALL}") from error
    cluster = None
    try:
        if address == "local":
            # Dask would give every worker one thread, however many cores there are
            threads = {"OMP_NUM_THREADS": str(allotted_threads(workers))}
            options = dict(processes=True, threads_per_worker=1, dashboard_address=None, env=threads)
            cluster = distributed.LocalCluster(n_workers=workers, **options)
        client = distributed.Client(cluster or address, timeout="20s")
    except (OSError, ValueError, TimeoutError) as error:
        raise HvrError(
            f"no Dask scheduler answers at {address!r} ({error}); give its address, or local"
        ) from error
    with cluster or contextlib.nullcontext(), client:
        yield client.get_executor(pure=False, retries=retries)


@contextlib.contextmanager
def slurm_executor(settings: str, logs: str | Path, *, cluster: str = "slurm") -> Iterator:
    """Jobs as one SLURM job array; a job that is preempted is queued again.

    Args:
        settings: words of sbatch with their values, e.g. "partition=long time=120 mem=8G gres=gpu:1
            cpus_per_task=4"; ``array_parallelism=20`` caps the jobs that run at a time.
        logs: folder for what the jobs print.
        cluster: "local" runs them as processes of this machine, as tests do.

    Raises:
        HvrError: submitit is not installed, there is no SLURM here, or a word has no value.
    """
    try:
        import submitit
    except ImportError as error:
        raise HvrError(f"submitit is not installed; {INSTALL}") from error
    given = _settings(settings)
    try:
        engine = {"slurm": submitit.SlurmExecutor, "local": submitit.LocalExecutor}[cluster]
        executor = engine(folder=Path(logs).absolute() / "%j")
        if cluster == "slurm":
            known = {k: v for k, v in given.items() if k in _SUBMITIT | {_CAP, "cpus_per_task"}}
            rest = {k: v for k, v in given.items() if k not in known}
            executor.update_parameters(**known, **({"additional_parameters": rest} if rest else {}))
        else:
            executor.update_parameters(**given)
    except (RuntimeError, ValueError, NotImplementedError) as error:
        raise HvrError(f"the settings {settings!r} cannot be used ({error}); see `sbatch --help`") from error
    yield executor


def submit_all(executor, function: Callable, rows: list[tuple]) -> list:
    """One job a row of arguments, in one go where the executor can (a job array)."""
    together = getattr(executor, "batch", contextlib.nullcontext)
    with together():
        return [executor.submit(function, *row) for row in rows]


def _settings(text: str) -> dict[str, int | float | str]:
    found: dict[str, int | float | str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not (name.isidentifier() and equals and value):
            raise HvrError(f"{word!r} is no setting; write name=value, e.g. partition=long time=120")
        found[name] = value
        for kind in (float, int):
            with contextlib.suppress(ValueError):
                found[name] = kind(value)
    return found
