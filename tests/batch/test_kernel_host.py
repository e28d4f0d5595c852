"""Kernels forked from a process that has imported what their notebooks import."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from tiny_notebooks import waited_for, write_notebook

from hvr_nb.batch import kernel_host, notebook, run_chain
from hvr_nb.batch.kernel_host import ForkedKernel, KernelHost, imports_of
from hvr_nb.batch.notebook import NotebookFailed, run_notebook
from hvr_nb.store.atomic_files import is_running
from scripts.bench.torture.stand_in import execute_in_process

LOOK = """
import json, os, sys
there = "colorsys" in sys.modules
import colorsys
state = dict(there=there, pid=os.getpid(), parent=os.getppid(), session=os.getsid(0), folder=os.getcwd(), n=n)
state |= dict(batch=os.environ["HVR_NB_BATCH"], input=os.readlink("/proc/self/fd/0"))
json.dump(state, open(file, "w"))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked only on Linux")


def looked(tmp_path, host, number) -> dict:
    book = write_notebook(tmp_path / "00_x.ipynb", 'n: int = 0  # a number\nfile: str = ""  # a file', LOOK)
    file = tmp_path / f"{number}.json"
    params = {"n": number, "file": str(file)}
    run_notebook(book, tmp_path / "out.ipynb", cwd=tmp_path, params=params, host=host)
    return json.loads(file.read_text())


def test_each_kernel_is_a_process_of_its_own_that_has_its_imports(tmp_path):
    book = write_notebook(tmp_path / "00_x.ipynb", "n: int = 0  # a number", LOOK)
    with KernelHost([book]) as host:
        a, b = (looked(tmp_path, host, k) for k in (1, 2))
        assert is_running(a["parent"])
    assert a["there"] and b["there"], "imported before they began"
    assert a["parent"] == b["parent"] != os.getpid() and a["pid"] != b["pid"]
    assert a["session"] == a["pid"], "it can be interrupted with all that it starts"
    assert (a["n"], b["n"], a["batch"], a["input"]) == (1, 2, "1", "/dev/null")
    assert Path(a["folder"]) == tmp_path
    assert not any(map(is_running, (a["pid"], b["pid"], a["parent"]))), "nothing is left"


def test_without_a_host_a_kernel_starts_on_its_own(tmp_path, monkeypatch):
    assert looked(tmp_path, None, 1)["parent"] == os.getpid()
    book = tmp_path / "00_x.ipynb"
    for module, name, value in ((kernel_host, "CUDA", tmp_path), (os, "pidfd_open", forbidden)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)  # a GPU's driver does not survive a fork
            with KernelHost([book]) as host:
                found = looked(tmp_path, host, 2)
        assert found["parent"] == os.getpid() and not found["there"]


def forbidden(*_):
    raise PermissionError("as in some containers")


def test_a_host_that_dies_costs_nothing_but_time(tmp_path):
    with KernelHost([]) as host:
        first = looked(tmp_path, host, 1)
        os.kill(first["parent"], signal.SIGKILL)
        assert looked(tmp_path, host, 2)["parent"] == os.getpid()


def test_a_host_that_hangs_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel_host, "PATIENCE", 0.5)
    late = write_notebook(
        tmp_path / "late.ipynb", "n: int = 0  # a number", "import sys", "from late import x"
    )
    (tmp_path / "late.py").write_text("import time\ntime.sleep(900)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with KernelHost([late]) as host:
        assert looked(tmp_path, host, 1)["parent"] == os.getpid()


def test_a_chain_has_a_host_where_it_saves_something(tmp_path, monkeypatch):
    """Not for the last notebook alone."""
    for name in ("00_a", "01_b"):
        write_notebook(tmp_path / f"{name}.ipynb", 'clip: str = "x"  # clip', "pass")
    hosts = []
    monkeypatch.setattr(KernelHost, "began", property(lambda self: bool(hosts)))
    monkeypatch.setattr(
        notebook, "_execute", lambda *given: hosts.append(given[-1]) or execute_in_process(*given)
    )
    options = {"notebooks_dir": tmp_path, "progress": False, "force": True}
    run_chain("", tmp_path / "clip", **options)
    assert hosts[0] is hosts[1] is not None
    hosts.clear()
    run_chain("", tmp_path / "clip", from_stage="01", **options)
    assert hosts == [None]


def test_imports_that_fail_are_left_to_the_notebook(tmp_path):
    book = write_notebook(tmp_path / "00_x.ipynb", "n: int = 0  # a number", "import nobody_has_this")
    with (
        KernelHost([book]) as host,
        pytest.raises(NotebookFailed, match="ModuleNotFoundError: No module"),
    ):
        run_notebook(book, tmp_path / "out.ipynb", cwd=tmp_path, params={}, host=host)


def test_a_kernel_that_dies_is_noticed(tmp_path):
    kill = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    book = write_notebook(tmp_path / "00_x.ipynb", "n: int = 0  # a number", kill)
    with KernelHost([book]) as host, pytest.raises(NotebookFailed, match="its kernel was killed"):
        run_notebook(book, tmp_path / "out.ipynb", cwd=tmp_path, params={}, host=host)


RUN = """
import sys
from hvr_nb.batch.kernel_host import KernelHost
from hvr_nb.batch.notebook import run_notebook
with KernelHost([sys.argv[1]]) as host:
    run_notebook(sys.argv[1], sys.argv[2], cwd=".", params={}, host=host)
"""


def test_kernels_end_with_the_run_that_was_killed(tmp_path):
    code = 'import os, time\nopen("pid.new", "w").write(f"{os.getpid()} {os.getppid()}")\n'
    code += 'os.rename("pid.new", "pid")\ntime.sleep(900)'
    book = write_notebook(tmp_path / "00_x.ipynb", "n: int = 0  # a number", code)
    run = subprocess.Popen([sys.executable, "-c", RUN, book, tmp_path / "out.ipynb"], cwd=tmp_path)
    left = waited_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().split())
    run.kill()
    run.wait()
    assert waited_for(lambda: not any(is_running(int(pid)) for pid in left))


def test_a_watched_process():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    kernel = ForkedKernel(process.pid)
    assert kernel.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        kernel.wait(0.01)
    kernel.terminate()
    assert kernel.wait(60) == 0 == kernel.poll()
    kernel.kill()  # of one that is over: nothing
    process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert ForkedKernel(process.pid).wait() == 0


def test_import_statements_are_found(tmp_path):
    first = "import os, sys as s\nx = 1\nfrom json import (\n    dumps,\n    loads,\n)"
    book = write_notebook(tmp_path / "a.ipynb", "n: int = 0  # a number", first, "if x:\n    import late")
    assert imports_of(book) == ["import os, sys as s", "from json import dumps, loads"]
    broken = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import os\nthis is broken (")])
    nbformat.write(broken, tmp_path / "b.ipynb")
    (tmp_path / "c.ipynb").write_text("no notebook")
    assert [imports_of(tmp_path / name) for name in ("b.ipynb", "c.ipynb", "d.ipynb")] == [[], [], []]
