"""Time of a training step of both sides, taken in turns in one process."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from hvr_nb.learning.loop import step_rng
from scripts.bench.nvr.memory import rays_for, side_for
from scripts.bench.nvr.ours import Ours, wait, with_rays

BLOCK = 20  # steps of ours between two of the reference, fewer where they are larger


def compare_steps(
    ours: Ours, reference: Callable, optimiser, *, samples: int, first: int, repeats: int
) -> dict:
    """Milliseconds a step, median of ``repeats`` turns, both sides drawing ``samples`` ray samples a step.

    Ours draws samples / 16 rays of 16 samples, the reference a patch of samples / 64 pixels of 64
    samples; both before either leaves out any that are empty. Every turn is a block of steps of ours,
    one step of the reference as it is, and one with torch's fused Adam instead of the plain one.

    Args:
        ours: a training ``first`` steps old. reference: ``step(rng, side)`` of ``make_reference``.
    """
    ours = with_rays(ours, rays_for(samples))
    block = max(3, BLOCK * 16384 // samples)
    ours_block(ours, first, 2)
    reference(step_rng(1, 0), side_for(samples))  # moments are allocated in the first step
    rows = []
    for k in range(repeats):
        row = ours_block(ours, first + k * block, block)
        for name, fused in (("reference", False), ("fused", True)):
            optimiser.param_groups[0]["fused"] = fused
            start = time.perf_counter()
            log = reference(step_rng(2, k), side_for(samples))
            row[f"{name}_ms"] = 1e3 * (time.perf_counter() - start)
            if not fused:
                row |= {f"reference_{n}": log[n] for n in ("drawn", "live", "pairs")}
                row |= {f"{n[:-2]}_ms": 1e3 * log[n] for n in ("forward_s", "backward_s", "adam_s")}
        rows.append(row)
    optimiser.param_groups[0]["fused"] = None
    out = {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
    out["ratio"] = out["reference_ms"] / out["ours_ms"]
    out["ratio_fused"] = out["fused_ms"] / out["ours_ms"]
    out["ratio_per_live"] = out["ratio"] * out["ours_live"] / max(out["reference_live"], 1)
    return out


def ours_block(ours: Ours, first: int, block: int) -> dict:
    """Median time of a block of our steps, and the samples drawn and looked at."""
    drawn = ours.options.rays * ours.options.samples
    taken, live = [], []
    for k in range(first, first + block):
        wait(ours.field.low.device)
        start = time.perf_counter()
        log = ours.step(k, step_rng(0, k))
        wait(ours.field.low.device)
        taken.append(1e3 * (time.perf_counter() - start))
        live.append(drawn * log["live"])
    return {"ours_ms": float(np.median(taken)), "ours_drawn": drawn, "ours_live": float(np.mean(live))}


def render_ms(avatar, camera, frames, *, repeats: int) -> float:
    """Median milliseconds of a rendered picture over ``repeats`` of the frames."""
    taken = []
    for k in range(repeats + 1):
        frame = int(frames[k % len(frames)])
        start = time.perf_counter()
        avatar.render(camera, avatar.body.frame(frame), frame=frame)
        taken.append(1e3 * (time.perf_counter() - start))
    return float(np.median(taken[1:]))  # the first one compiles
