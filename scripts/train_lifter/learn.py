"""The training itself: batches drawn in other processes, one network, averaged weights."""

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

from hvr_nb.joint_sets import H36M17_PARENTS
from hvr_nb.lift.temporal import TemporalModel
from hvr_nb.lift.view import FEATURES, look_straight
from train_lifter.bank import Bank, load_bank
from train_lifter.cameras import believed_rays, film
from train_lifter.detector import spoil
from train_lifter.people import draw_people

WIDTHS, CHANNELS = (3, 3, 3, 1), 352
VELOCITY, BONES = 0.3, 0.2  # weights beside the position error
WARM_UP, KEEP, DROPOUT = 100, 0.998, 0.0


def make_network(widths: tuple[int, ...] = WIDTHS, channels: int = CHANNELS) -> TemporalModel:
    """The lifter: 17 joints and one row of sizes in, 17 joints out."""
    model = TemporalModel(18, FEATURES, 17, widths=widths, channels=channels, dropout=DROPOUT)
    with torch.no_grad():
        model.shrink.weight.mul_(0.1)  # start near the mean pose
    return model


def draw_batch(bank: Bank, seed: tuple[int, ...], count: int, frames: int):
    """Inputs (count, frames, 18, 3) and targets (count, frames, 17, 3): metres from the hips, virtual axes."""
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


def batches(files: list[Path], seed: int, count: int, frames: int, steps: int, workers: int) -> Iterator:
    """The same batches in the same order whatever the number of processes; 0 draws them here."""
    ask = [(tuple(files), (seed, step), count, frames) for step in range(steps)]
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


def error(predicted: Tensor, target: Tensor) -> Tensor:
    """Position error plus parts of the errors of velocity and of bone lengths; (B, T, 17, 3) metres."""
    place = (predicted - target).norm(dim=-1).mean()
    speed = (predicted.diff(dim=1) - target.diff(dim=1)).norm(dim=-1).mean()
    child = list(range(1, 17))
    parent = [H36M17_PARENTS[j] for j in child]
    ours, theirs = ((x[:, :, child] - x[:, :, parent]).norm(dim=-1) for x in (predicted, target))
    return place + VELOCITY * speed + BONES * (ours - theirs).abs().mean()


def train(model: TemporalModel, files: list[Path], *, steps: int, batch: int = 128, outputs: int = 22,
          rate: float = 1.5e-3, seed: int = 0, workers: int = 1, seconds: float = 0.0, half: bool = True,
          keep: Callable[[TemporalModel], None] | None = None) -> tuple[TemporalModel, list[float]]:  # fmt: skip
    """Train on windows of ``outputs`` frames; gives the averaged network and the loss of every step.

    Args:
        keep: is given the averaged network every thousand steps, so that a killed training is not lost.
        seconds: stop the schedule by the clock instead of by steps (0: by steps).
        half: compute in bfloat16.
    """
    torch.manual_seed(seed)
    frames = model.receptive_field - 1 + outputs
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    mean, losses = copy.deepcopy(model), []
    margin, start = model.receptive_field // 2, time.monotonic()
    bar = tqdm(batches(files, seed, batch, frames, steps, workers), total=steps, desc="lifter", mininterval=5)
    for step, (x, y) in enumerate(bar):
        done = max(step / steps, (time.monotonic() - start) / seconds if seconds else 0.0)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * done)) + 1e-6
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            predicted = model.train()(x)
        loss = error(predicted.float(), y[:, margin : margin + outputs])
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
def _average(mean: TemporalModel, model: TemporalModel, keep: float) -> None:
    new = model.state_dict()
    for key, value in mean.state_dict().items():
        value.lerp_(new[key], 1 - keep) if value.is_floating_point() else value.copy_(new[key])
