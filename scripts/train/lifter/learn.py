"""The training: batches drawn in other processes, one network, averaged weights."""

from __future__ import annotations

import copy
import functools
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from hvr_nb.body.joint_sets import H36M17_PARENTS
from hvr_nb.lift.network import Lifter
from hvr_nb.lift.view import look_straight
from scripts.train.lifter.bank import Bank, load_bank
from scripts.train.lifter.cameras import believed_rays, film
from scripts.train.lifter.detector import spoil
from scripts.train.lifter.people import draw_people

VELOCITY, BONES = 0.3, 0.2  # weights relative to the position error
WARM_UP, KEEP = 100, 0.998
LENGTHS, SHARES = (48, 24, 8, 1), (0.75, 0.17, 0.06, 0.02)  # frames of a batch's clips: most are whole


def draw_batch(bank: Bank, seed: tuple[int, ...], count: int, frames: int):
    """Inputs (count, frames, 18, 3), targets (count, frames, 17, 3): metres from the hips, virtual camera."""
    rng = np.random.default_rng(seed)
    people = draw_people(bank, rng, count, frames)
    views = film(people, rng)
    pixels, conf = spoil(views, people.pace, rng)
    rays = believed_rays(views, pixels, conf, rng)
    x, R = look_straight(rays, conf, torch.from_numpy(people.pace).float())
    y = (views.joints - views.joints[:, :, :1]) @ R.transpose(2, 3)
    return x, y


@functools.cache
def _bank(files: tuple[Path, ...]) -> Bank:
    torch.set_num_threads(1)
    return load_bank(list(files))


def _drawn(files: tuple[Path, ...], seed: tuple[int, ...], count: int, frames: int):
    return [a.numpy() for a in draw_batch(_bank(files), seed, count, frames)]


def batches(files: list[Path], seed: int, frames: int, steps: int, workers: int) -> Iterator:
    """Batches of up to ``frames`` frames, the same for any number of processes; 0 draws them in this one."""
    lengths = np.random.default_rng([seed, 5]).choice(LENGTHS, steps, p=SHARES)
    ask = (
        (tuple(files), (seed, step), min(frames // n, 4 * (frames // LENGTHS[0])), int(n))
        for step, n in enumerate(lengths)
    )
    if workers == 0:
        yield from ([torch.from_numpy(a) for a in _drawn(*args)] for args in ask)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: deque = deque()
        for args in ask:
            waiting.append(pool.submit(_drawn, *args))
            if len(waiting) > 3 * workers:
                yield [torch.from_numpy(a) for a in waiting.popleft().result()]
        while waiting:
            yield [torch.from_numpy(a) for a in waiting.popleft().result()]


def replayed(drawn: Iterator, uses: int, seed: int, *, store: int = 96) -> Iterator:
    """Every batch ``uses`` times, far apart, in random order: drawing costs more than learning."""
    if uses == 1:
        yield from drawn
        return
    rng, kept = np.random.default_rng([seed, 6]), []
    for batch in drawn:
        kept.append([batch, uses])
        for _ in range(uses if len(kept) >= store else 0):
            k = int(rng.integers(len(kept)))
            yield kept[k][0]
            kept[k][1] -= 1
            if not kept[k][1]:
                kept.pop(k)
    rest = [batch for batch, left in kept for _ in range(left)]
    yield from (rest[k] for k in rng.permutation(len(rest)))


def error(predicted: Tensor, target: Tensor) -> Tensor:
    """Position error plus parts of the errors of velocity and of bone lengths; (B, T, 17, 3) metres."""
    place = (predicted - target).norm(dim=-1).mean()
    speed = (predicted.diff(dim=1) - target.diff(dim=1)).norm(dim=-1).sum() / max(
        target[:, 1:, :, 0].numel(), 1
    )
    child = list(range(1, 17))
    parent = [H36M17_PARENTS[j] for j in child]
    ours, theirs = ((x[:, :, child] - x[:, :, parent]).norm(dim=-1) for x in (predicted, target))
    return place + VELOCITY * speed + BONES * (ours - theirs).abs().mean()


def train(
    model: Lifter,
    files: list[Path],
    *,
    steps: int,
    frames: int = 4096,
    rate: float = 1.5e-3,
    seed: int = 0,
    workers: int = 1,
    seconds: float = 0.0,
    half: bool = False,
    uses: int = 1,
    keep: Callable[[Lifter], None] | None = None,
) -> tuple[Lifter, list[float]]:
    """Train on clips of up to 48 frames; gives the averaged network and the loss of every step.

    Args:
        uses: steps taken with every batch that is drawn.
        frames: of all clips of a batch.
        keep: called with the averaged network every thousand steps, so that a killed training is not lost.
        seconds: end by the clock instead of by steps (0: by steps).
        half: compute in bfloat16; slower than float32 on CPUs without its instructions.
    """
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    mean, losses = copy.deepcopy(model), []
    start = time.monotonic()
    drawn = batches(files, seed, frames, -(-steps // uses), workers)
    bar = tqdm(replayed(drawn, uses, seed), total=steps, desc="lifter", mininterval=5)
    for step, (x, y) in enumerate(bar):
        done = max(step / steps, (time.monotonic() - start) / seconds if seconds else 0.0)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * done)) + 1e-6
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            predicted = model.train()(x)
        loss = error(predicted, y)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        _average(mean, model, min(KEEP, step / (step + 10)))
        if keep and step % 1000 == 999:
            keep(mean)
        if step % 50 == 0:
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.4f}")
    return mean.eval(), losses


@torch.no_grad()
def _average(mean: Lifter, model: Lifter, keep: float) -> None:
    new = model.state_dict()
    for key, value in mean.state_dict().items():
        value.lerp_(new[key], 1 - keep) if value.is_floating_point() else value.copy_(new[key])
