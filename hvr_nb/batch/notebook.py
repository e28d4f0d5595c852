"""One notebook through papermill: parameters checked, this interpreter's kernel, success written last."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.sign import NotebookNotary
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from hvr_nb import __version__
from hvr_nb.batch.kernel_host import PATIENCE, HostedProvisioner, KernelHost
from hvr_nb.batch.parameters import check_parameters
from hvr_nb.batch.readable import write_readable
from hvr_nb.store.digests import file_digest
from hvr_nb.store.markers import RunMarker, failure_path, marker_path, write_failure, write_marker
from hvr_nb.types import HvrError

LEAST_FREE = 1 << 20  # bytes
_running: set[int] = set()  # process ids of the kernels that run now


class NotebookFailed(HvrError):
    """A notebook did not run to its end."""

    def __init__(self, notebook: str, reason: str, out: Path):
        super().__init__(f"{notebook} failed: {reason} (see {out})")
        self.notebook = notebook  # e.g. "03_body"
        self.reason = reason  # one line


def run_notebook(
    notebook: str | Path,
    out: str | Path,
    *,
    cwd: str | Path,
    params: Mapping[str, object],
    inputs: Mapping[str, str] | None = None,
    timeout: float = 0,
    threads: int = 0,
    outputs: Callable[[], dict[str, str]] = dict,
    host: KernelHost | None = None,
) -> float:
    """Run a notebook and keep the executed copy.

    Args:
        notebook: the notebook to run; it is not changed. out: the executed copy.
        cwd: working folder of its kernel. params: values for its parameters cell.
        inputs: fingerprints of what it reads, kept in the marker ``<out>.done.json``.
        timeout: seconds a cell may take; 0 = as long as it likes.
        threads: for its sums (OMP_NUM_THREADS); 0 = as the libraries choose.
        outputs: called afterwards for the fingerprints of what it wrote, kept there too.
        host: starts its kernel; None: it is started on its own.

    Returns:
        seconds it took.

    Raises:
        HvrError: a parameter is unknown or of the wrong type, or the disk is full.
        NotebookFailed: a cell failed, timed out, or the kernel died.
    """
    notebook, out = Path(notebook).absolute(), Path(out).absolute()
    params = check_parameters(notebook, params)
    marker_path(out).unlink(missing_ok=True)
    failure_path(out).unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    try:
        with _failures_explained(notebook.stem, out):
            _execute(notebook, out, Path(cwd).absolute(), params, timeout, threads, host)
            NotebookNotary().sign(nbformat.read(out, as_version=4))  # unsigned, Lab would strip the iframes
    except NotebookFailed as error:
        write_failure(out, error.reason)
        raise
    finally:
        if out.exists():
            write_readable(out)
    seconds = time.perf_counter() - began
    written = RunMarker(
        params, file_digest(notebook), __version__, dict(inputs or {}), outputs(), round(seconds, 2)
    )
    write_marker(marker_path(out), written)
    return seconds


def _execute(
    notebook: Path, out: Path, cwd: Path, params: dict, timeout: float, threads: int, host: KernelHost | None
) -> None:
    config = Config()
    config.KernelManager.transport_encryption = "auto"  # ipykernel warns about plain TCP otherwise
    environment = {"HVR_NB_BATCH": "1", "HVR_NB_RUN_DIR": str(out.parent)}
    environment["TQDM_DISABLE"] = "1"  # nobody watches; the saved notebook would keep the bars
    environment |= {"OMP_NUM_THREADS": str(threads)} if threads else {}
    papermill.execute_notebook(
        str(notebook),
        str(out),
        params,
        cwd=str(cwd),
        kernel_name="python3",
        language="python",
        progress_bar=False,
        start_timeout=PATIENCE,  # busy machines miss papermill's 60 seconds, and its 4 for last words
        iopub_timeout=PATIENCE,
        execution_timeout=timeout or None,
        coalesce_streams=True,
        store_widget_state=False,
        config=config,
        kernel_manager_class=_kernel_manager(environment, host),
    )


def _kernel_manager(environment: dict[str, str], host: KernelHost | None) -> type:
    """A manager whose kernels run this very Python, whatever kernels are installed, with ``environment``."""

    class ThisPython(AsyncKernelManager):
        """Starts ``sys.executable -m ipykernel_launcher``."""

        @property
        def kernel_spec(self) -> KernelSpec:
            """The kernel to start, in place of a search for an installed one."""
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(
                argv=command,
                display_name="Python 3",
                language="python",
                metadata={"supported_encryption": ["curve"]},
            )

        async def start_kernel(self, **options) -> None:
            """Start it with the extra environment variables."""
            options["env"] = {**os.environ, **(options.get("env") or {}), **environment}
            if host is not None and self.provisioner is None:
                self.kernel_id = self.kernel_id or str(uuid.uuid4())
                whose = {"kernel_id": self.kernel_id, "kernel_spec": self.kernel_spec, "parent": self}
                self.provisioner = HostedProvisioner(**whose)
                self.provisioner.host = host
            await self._async_start_kernel(**options)
            _running.add(self.provisioner.pid)

        async def cleanup_resources(self, restart: bool = False) -> None:
            """Forget the process that has ended."""
            _running.discard(getattr(self.provisioner, "pid", 0))
            await self._async_cleanup_resources(restart=restart)

    return ThisPython


def stop_running_kernels() -> None:
    """Kill the kernels that run now, so that an interrupted batch run ends at once."""
    for pid in list(_running):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def _failures_explained(name: str, out: Path):
    """Turn what papermill raises into errors that say what happened in one line."""
    try:
        yield
    except PapermillExecutionError as error:
        reason = f"{error.ename}: {_first_line(error.evalue)}"
        raise NotebookFailed(name, reason, out) from error
    except CellTimeoutError as error:
        raise NotebookFailed(name, f"a cell took too long: {_first_line(str(error))}", out) from error
    except DeadKernelError as error:
        reason = "its kernel was killed (often: the machine ran out of memory)"
        raise NotebookFailed(name, reason, out) from error
    except (RuntimeError, OSError) as error:
        if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT) or _is_full(out.parent):
            raise HvrError(f"the disk is full: {out} was not written; free space and run again") from error
        if isinstance(error, OSError):
            raise
        raise NotebookFailed(name, f"its kernel did not start: {_first_line(str(error))}", out) from error


def _is_full(folder: Path) -> bool:
    """Whether the disk of a folder has no room for a notebook."""
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE
    except OSError:
        return False


def _first_line(text: str) -> str:
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[0] if lines else ""
