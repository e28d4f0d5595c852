"""The training loop: step, log, checkpoint, resume.

Every step draws its random numbers from ``(seed, step)``, and a checkpoint holds everything that a step
changes. So a run that was killed and resumed ends with the same bits as an uninterrupted one.
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import HvrError

CHECKPOINT_SCHEMA = 1


def step_rng(seed: int, step: int) -> np.random.Generator:
    """The random generator of one step, which depends on ``seed`` and ``step`` only."""
    return np.random.default_rng([seed, step])


def train(
    step: Callable[[int, np.random.Generator], Mapping[str, float]],
    state: Mapping[str, object],
    *,
    iters: int,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    every: int = 1000,
    log_every: int = 50,
    identity: str = "",
    desc: str = "training",
    progress: Callable[[int, Mapping[str, list[float]]], object] | None = None,
) -> dict[str, list[float]]:
    """Call ``step`` for steps 0..iters-1.

    Args:
        step: ``step(k, rng)`` changes the state and returns named numbers to log.
        state: everything that a step changes, by name; each has ``state_dict`` and
            ``load_state_dict`` with tensors and plain numbers.
        checkpoint: file to resume from and to write; None writes nothing.
        every: steps between checkpoints. log_every: steps between rows of the history.
        identity: the options of the run. A checkpoint of a run with other options, or a damaged one, is
            ignored with a warning, and training starts anew; so is one with more steps than ``iters``.
        progress: called after every step with the steps done and the history so far. Where it answers True,
            a checkpoint is written and training ends there.

    Returns:
        the history: "step", "seconds" of training so far, and a list for every logged number. Its last step
        is below ``iters`` where ``progress`` has stopped the training.

    Raises:
        HvrError: a logged number is not finite.
    """
    first, history = 0, {"step": [], "seconds": []}
    if checkpoint is not None and Path(checkpoint).exists():
        try:
            first, history = load_checkpoint(checkpoint, state, identity, most=iters)
        except HvrError as error:
            warnings.warn(f"training starts anew: {error}", stacklevel=2)
    before = history["seconds"][-1] if history["seconds"] else 0.0
    began = time.perf_counter()
    bar = tqdm(range(first, iters), initial=first, total=iters, desc=desc, unit="step", mininterval=1.0)
    for k in bar:
        numbers = step(k, step_rng(seed, k))
        if (k + 1) % log_every == 0 or k + 1 == iters:
            _record(history, k + 1, before + time.perf_counter() - began, numbers)
            bar.set_postfix({name: f"{value:.3g}" for name, value in numbers.items()}, refresh=False)
        stop = progress is not None and progress(k + 1, history) is True and k + 1 < iters
        if checkpoint is not None and ((stop or (k + 1) % every == 0) and k + 1 < iters):
            save_checkpoint(checkpoint, state, k + 1, history, identity)
        if stop:
            if history["step"][-1:] != [k + 1]:
                _record(history, k + 1, before + time.perf_counter() - began, numbers)
            break
    return history


def _record(history: dict, step: int, seconds: float, numbers: Mapping[str, float]) -> None:
    rows = len(history["step"])
    history["step"].append(step)
    history["seconds"].append(seconds)
    for name, value in numbers.items():
        column = history.setdefault(name, [float("nan")] * rows)
        column.append(float(value))
        if not np.isfinite(value):
            raise HvrError(f"training diverged: {name} is {value} at step {step}; lower the learning rate")


def save_checkpoint(
    path: str | Path, state: Mapping[str, object], step: int, history: dict, identity: str = ""
) -> None:
    """Write the state after ``step`` steps, atomically."""
    content = {
        "schema": CHECKPOINT_SCHEMA,
        "step": step,
        "history": history,
        "identity": identity,
        "state": {name: part.state_dict() for name, part in state.items()},
    }
    # Python's own file raises an OSError on a full disk, which ``atomic`` explains; torch's does not
    with atomic(Path(path)) as partial, open(partial, "wb") as file:
        torch.save(content, file)


def load_checkpoint(
    path: str | Path, state: Mapping[str, object], identity: str = "", *, most: float = math.inf
) -> tuple[int, dict]:
    """Load a checkpoint into ``state``, whole or not at all; returns its step and the history so far.

    Args:
        state, identity: of ``train``. most: steps of the run; a checkpoint of more is not its own.

    Raises:
        HvrError: the file is damaged, of another version, of a run with other options or of a longer run.
    """
    remedy = "delete it to train from the start"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        schema, run, parts = content["schema"], content["identity"], content["state"]
        step, history = content["step"], content["history"]
        sound = type(step) is int and step >= 0 and isinstance(history, dict) and isinstance(parts, dict)
    except Exception as error:  # torch raises many types for a damaged file
        raise HvrError(f"{path} is damaged ({type(error).__name__}); {remedy}") from error
    if not sound:
        raise HvrError(f"{path} is damaged (step or history); {remedy}")
    if schema != CHECKPOINT_SCHEMA or run != identity or set(parts) != set(state):
        raise HvrError(f"{path} belongs to a run with other options; {remedy}")
    if step > most:
        raise HvrError(f"{path} was written after {step} steps, this run has {most}; {remedy}")
    before = {name: copy.deepcopy(part.state_dict()) for name, part in state.items()}
    try:
        for name, part in state.items():
            part.load_state_dict(parts[name])
    except Exception as error:  # a part raises what it likes for a state of another shape
        for name, part in state.items():
            part.load_state_dict(before[name])
        raise HvrError(f"{path} does not fit this run ({type(error).__name__}); {remedy}") from error
    return step, history
