"""Ten tiny videos through a real SLURM on this machine, one preempted:  python -m scripts.bench.cluster

A cluster of one node is started from Debian's packages (slurmctld, slurmd, munge) in a temporary folder, by
root, as their daemons ask for. The notebooks are two of a few lines, run in kernels of their own. While the
second notebook of one video runs, a job of a partition of higher rank takes the node. Afterwards all ten must
be done, and the preempted one must have gone on after its first notebook. The last line has the counts.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from hvr_nb.batch import run_videos, slurm_executor
from hvr_nb.batch.status import batch_state
from hvr_nb.store.places import ROOT
from hvr_nb.types import HvrError
from scripts.bench.torture.stand_in import write_cells

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo", "scontrol")
PORTS = 16817, 16818
PATIENCE = 60  # seconds until the node is idle
CONFIG = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={top}/munge.sock
StateSaveLocation={top}/state
SlurmdSpoolDir={top}/spool
SlurmctldPidFile={top}/slurmctld.pid
SlurmdPidFile={top}/slurmd.pid
SlurmctldLogFile={top}/slurmctld.log
SlurmdLogFile={top}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MpiDefault=none
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=low Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=high Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10
"""
COUNT = """
from pathlib import Path
Path(clip).mkdir(parents=True, exist_ok=True)
note = Path(clip, "{name}")
note.write_text(note.read_text() + "x" if note.exists() else "x")
"""
FIRST = COUNT.format(name="first")
SECOND = (
    COUNT.format(name="second")
    + """
import os
import time
assert os.environ["OMP_NUM_THREADS"] == os.environ["SLURM_CPUS_PER_TASK"]
if Path(clip).name == "v3" and note.read_text() == "x":
    time.sleep(600)  # until it is preempted
"""
)


@contextlib.contextmanager
def slurm_here(top: Path) -> Iterator[None]:
    """A cluster of one node, and the environment that its commands need.

    Raises:
        HvrError: it cannot be started here.
    """
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        why = (
            f"{', '.join(missing)} missing: apt-get install slurmctld slurmd munge" if missing else "not root"
        )
        raise HvrError(f"no SLURM can be started here ({why})")
    for name in ("state", "spool"):
        (top / name).mkdir()
    host, key = socket.gethostname().split(".")[0], top / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    config = top / "slurm.conf"
    config.write_text(CONFIG.format(host=host, top=top, ports=PORTS, cpus=os.cpu_count()))
    os.environ["SLURM_CONF"] = str(config)
    files = {
        "key-file": key,
        "socket": top / "munge.sock",
        "pid-file": top / "munge.pid",
        "log-file": top / "munge.log",
        "seed-file": top / "munge.seed",
    }
    subprocess.run(["munged", "--force", *[f"--{k}={v}" for k, v in files.items()]], check=True)
    try:
        for daemon in ("slurmctld", "slurmd"):
            subprocess.run([daemon, "-c"], check=True)
        for _ in range(PATIENCE):
            states = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True).stdout
            if "idle" in states:
                break
            time.sleep(1)
        else:
            raise HvrError(f"the node does not get ready: {(top / 'slurmctld.log').read_text()[-400:]}")
        yield
    finally:
        subprocess.run(["scontrol", "shutdown"], capture_output=True)
        for _ in range(PATIENCE):  # they write until they have ended
            if not list(top.glob("slurm*.pid")):
                break
            time.sleep(0.5)
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((top / "munge.pid").read_text()), 15)


def preempt(note: Path, cpus: int) -> None:
    """Take the node with a job of higher rank once a notebook has left a note."""
    while not note.exists():
        time.sleep(0.2)
    command = ["sbatch", "-p", "high", "-c", str(cpus), "-o", os.devnull, "--wrap", "sleep 1"]
    subprocess.run(command, check=True, capture_output=True)


def run(top: Path) -> str:
    """Ten videos, one preempted; the last line."""
    asked = 'video: str = ""  # film\nclip: str = ""  # clip'
    write_cells(top / "notebooks" / "00_video.ipynb", asked, FIRST)
    write_cells(top / "notebooks" / "02_masks.ipynb", 'clip: str = ""  # clip', SECOND)
    videos = [top / f"v{k}.mp4" for k in range(10)]
    for video in videos:
        video.write_text("film")
    cpus, clips = os.cpu_count(), top / "clips"
    os.environ.pop("OMP_NUM_THREADS", None)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])  # jobs run from here, not installed
    threading.Thread(target=preempt, args=(clips / "v3" / "second", cpus), daemon=True).start()
    settings = f"partition=low time=10 cpus_per_task={cpus}"
    with slurm_executor(settings, top / "logs") as executor:
        runs = run_videos(videos, clips, notebooks_dir=top / "notebooks", executor=executor)
    for one in runs:
        if one.error:
            print(f"{one.video}: {one.error}")
    tries = {v.clip: v.tries for v in batch_state(clips).videos}
    first, second = (len((clips / "v3" / name).read_text()) for name in ("first", "second"))
    return (
        f"done={sum(run.status == 'done' for run in runs)}/10 preempted={sum(n > 1 for n in tries.values())} "
        f"first_notebook_runs={first} second_notebook_runs={second}"
    )


def main() -> None:
    """Start the cluster, run, stop it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with slurm_here(Path(folder)):
            line = run(Path(folder))
            print(f"{time.monotonic() - began:.0f} s with a SLURM of one node\n{line}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except HvrError as error:
        sys.exit(f"error: {error}")
