"""Kernels that start at once: forked from a process that has imported what the notebooks import.

Importing torch, numba and the wings takes some four seconds, and a chain has eight notebooks. Here one
process, the host, imports them and becomes a kernel for each notebook by ``fork``, which copies nothing
until it is written. It does no sums itself, so no thread of it is lost in a copy. A kernel is otherwise
what it would be alone: its own process, session, working folder and environment.

Only on Linux, and not where CUDA is: a driver that is in use does not survive a fork.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat
from jupyter_client.provisioning import LocalProvisioner

PATIENCE = 300  # seconds for a kernel's start and its last words, and until a host that hangs is given up
CUDA = Path("/dev/nvidiactl")  # there where NVIDIA's driver is loaded


class ForkedKernel:
    """A kernel of a host, with what jupyter_client asks of a ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid = pid
        try:
            self._watch = os.pidfd_open(pid)
        except ProcessLookupError:  # it has ended already
            self._watch = -1

    def poll(self) -> int | None:
        """None while it runs, then 0: only its host knows how it ended."""
        over = self._watch < 0 or bool(select.select([self._watch], [], [], 0)[0])
        return 0 if over else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; then its number is not watched any more."""
        if self._watch >= 0:
            if not select.select([self._watch], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("kernel", timeout)
            os.close(self._watch)
            self._watch = -1
        return 0

    def send_signal(self, number: int) -> None:
        """Send a signal where it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._watch, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class KernelHost:
    """Starts the kernels of some notebooks; its process begins with the first of them."""

    def __init__(self, notebooks: Iterable[Path]):
        self._notebooks, self._process, self._line = list(notebooks), None, None
        self._usable = sys.platform == "linux" and not CUDA.exists() and _can_watch()

    @property
    def began(self) -> bool:
        """Whether its process runs; for a single notebook it is not worth its start."""
        return self._process is not None

    def __enter__(self) -> KernelHost:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):  # it has died
                self._line.close()  # it ends when nobody can ask any more
            self._process.wait()

    def start(self, command: list[str], *, cwd: str, env: Mapping[str, str]) -> ForkedKernel | None:
        """A kernel of the ``command`` (python -m ipykernel_launcher ...); None where that cannot be."""
        if not self._usable:
            return None
        try:
            if self._process is None:
                self._begin(env)
            arguments = command[command.index("ipykernel_launcher") :]
            self._line.write(json.dumps({"argv": arguments, "cwd": cwd, "env": dict(env)}) + "\n")
            self._line.flush()
            return ForkedKernel(json.loads(self._line.readline()))
        except (OSError, ValueError):  # it has died or hangs: kernels start on their own again
            self._usable = False
            if self._process is not None:
                self._process.kill()
            return None

    def _begin(self, env: Mapping[str, str]) -> None:
        """Begin the process; ``env`` holds what is read at an import (threads, progress bars)."""
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        imports = list(dict.fromkeys(line for path in self._notebooks for line in imports_of(path)))
        with theirs:
            command = [sys.executable, "-m", __name__]
            self._process = subprocess.Popen(command, stdin=theirs, env=dict(env), start_new_session=True)
        self._line = ours.makefile("rw", encoding="utf-8")
        ours.close()  # the file keeps it open
        self._line.write(json.dumps(imports) + "\n")


class HostedProvisioner(LocalProvisioner):
    """Launches a kernel from a host, and as its own process where that cannot."""

    host: KernelHost

    async def launch_kernel(self, cmd: list[str], **kwargs) -> dict:
        """Launch it; arguments and result as jupyter_client's own."""
        where = str(kwargs.get("cwd") or Path.cwd())
        self.process = self.host.start(cmd, cwd=where, env=kwargs["env"])
        if self.process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid  # it leads a session of its own
        self.cwd = where
        return self.connection_info


def _can_watch() -> bool:
    """Whether a process may be watched that is not our child; some containers forbid it."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def imports_of(notebook: Path) -> list[str]:
    """The import statements of a notebook's code cells, a line each; none where it cannot be read."""
    try:
        cells = [c.source for c in nbformat.read(notebook, as_version=4).cells if c.cell_type == "code"]
        nodes = [node for source in cells for node in ast.parse(source).body]
    except (OSError, ValueError, SyntaxError):  # running it will say what is wrong
        return []
    return [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def _serve() -> dict | None:
    """Import, then fork a kernel for every line that comes: its request in the copy, None at the end."""
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # read by this import: kernels end with their host
    from ipykernel import kernelapp  # noqa: F401

    asked, answer = (os.fdopen(os.dup(0), mode, encoding="utf-8") for mode in "rw")
    for statement in json.loads(asked.readline()):
        with contextlib.suppress(Exception):  # the notebook itself will say what is wrong
            exec(statement, {})
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    while text := asked.readline():
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asked.close()
            answer.close()
            return json.loads(text)
        answer.write(f"{pid}\n")
        answer.flush()
    return None


def _reap() -> None:
    """Forget the kernels that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _become_kernel(request: dict) -> None:
    """Go on as ``python -m ipykernel_launcher`` would, until the kernel is shut down."""
    from ipykernel import kernelapp

    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["argv"]
    kernelapp.launch_new_instance()


if __name__ == "__main__":
    if Path(sys.path[0]).absolute() == Path.cwd():  # as ipykernel_launcher: a kernel adds its own folder
        del sys.path[0]
    wanted = _serve()
    if wanted is not None:
        _become_kernel(wanted)
