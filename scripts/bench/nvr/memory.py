"""Memory and file sizes of both sides: peaks in separate processes, tensors counted exactly."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from hvr_nb.learning.loop import save_checkpoint, step_rng
from scripts.bench.nvr.ours import Ours, as_avatar, start_ours, warm_up, with_rays
from scripts.bench.nvr.reference_step import make_reference

SIDES = ("data", "ours", "reference")
STEPS = 3  # taken at the measured number of samples


def peaks_in_children(module: str, options: list[str]) -> dict[str, float]:
    """Peak megabytes of processes of ``python -m module`` that only run ``run_side``, by side."""
    running = {
        side: subprocess.Popen(
            [sys.executable, "-m", module, *options, "--memory-of", side], stdout=subprocess.PIPE, text=True
        )
        for side in SIDES
    }
    printed = {side: child.communicate()[0] for side, child in running.items()}
    failed = [side for side, child in running.items() if child.returncode]
    if failed:
        raise SystemExit(f"measuring the memory of {' and '.join(failed)} failed; the error stands above")
    return {side: float(text.split()[-1]) for side, text in printed.items()}


def run_side(side: str, scene, sizes, *, samples: int, warm: int) -> float:
    """Train one side for some steps (``data``: nothing) and return the process's peak, megabytes.

    The reference reaches its peak in the second step, ours after it has searched for empty cells and applied
    pose corrections (``warm`` steps).
    """
    if side == "ours":
        ours = start_ours(scene, iters=2 * warm, device="cpu")
        warm_up(ours, warm)
        ours = with_rays(ours, rays_for(samples))
        for k in range(warm, warm + STEPS):
            ours.step(k, step_rng(0, k))
    elif side == "reference":
        step, *_ = make_reference(scene, sizes)
        for k in range(STEPS):
            step(step_rng(0, k), side_for(samples))
    return peak()


def rays_for(samples: int) -> int:
    """Our rays of 16 samples that make ``samples``."""
    return samples // 16


def side_for(samples: int) -> int:
    """Side of the reference's patch, pixels, whose rays of 64 samples make ``samples``."""
    return int(np.sqrt(samples / 64))


def peak() -> float:
    """Peak megabytes of this process.

    ``ru_maxrss`` of a new process starts at its parent's peak on Linux, so the kernel's figure for
    the process itself is read where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1024**2 if sys.platform == "darwin" else 1024)


def tensor_megabytes(parameters, optimisers) -> float:
    """Megabytes of parameters, their gradients and what the optimisers keep of them."""
    parameters = list(parameters)
    kept = [t for o in optimisers for s in o.state.values() for t in s.values() if torch.is_tensor(t)]
    grads = [p.grad if p.grad is not None else p for p in parameters if p.requires_grad]
    return sum(t.numel() * t.element_size() for t in (*parameters, *grads, *kept)) / 1e6


def file_sizes(ours: Ours, scene, net, optimiser) -> dict[str, float]:
    """Megabytes on disk: the files of the avatar, and the checkpoints of the training."""
    with tempfile.TemporaryDirectory(dir=scene.clip.folder) as name:
        folder = Path(name)
        as_avatar(ours, scene).save(folder / "avatar")
        save_checkpoint(folder / "ours.pt", ours.state, 0, {})
        torch.save({"net": net.state_dict(), "optim": optimiser.state_dict()}, folder / "reference.pt")
        return {
            "avatar_mb": sum(p.stat().st_size for p in (folder / "avatar").iterdir()) / 1e6,
            "training_checkpoint_mb": (folder / "ours.pt").stat().st_size / 1e6,
            "reference_checkpoint_mb": (folder / "reference.pt").stat().st_size / 1e6,
        }
