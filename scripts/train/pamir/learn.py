"""The training itself: batches of views, the loss of every stage, a running mean of the weights."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from hvr_nb.learning import train
from hvr_nb.methods.pamir.network import PamirNet
from hvr_nb.methods.pamir.point_network import project_cube
from hvr_nb.methods.pamir.sizes import PamirSizes
from scripts.train.pamir.samples import load_shard

MEMORY = 0.998  # of the running mean of the weights
REFRESH = 200  # steps after which new shards are looked for


@dataclass(frozen=True)
class Schedule:
    """How long and how fast."""

    steps: int = 6000
    views: int = 8  # of a step
    points: int = 1536  # of a view
    rate: float = 2e-3  # learning rate at the start; it falls to a fiftieth along a cosine
    warm: int = 200  # steps in which the rate rises


class Shards:
    """Views in memory, from the shards of a folder; more are taken in as they appear."""

    def __init__(self, folder: Path):
        self.folder, self.parts, self.read = folder, [], set()
        self.refresh()

    def refresh(self) -> None:
        """Read the shards that are new."""
        for path in sorted(self.folder.glob("*.npz")):
            if path not in self.read:
                self.read.add(path)
                part = load_shard(path)
                self.parts += [part] if part else []

    def __len__(self) -> int:
        return sum(len(part["inside"]) for part in self.parts)

    def batch(self, rng: np.random.Generator, views: int, points: int) -> dict[str, Tensor]:
        """Random views as tensors, half of them mirrored."""
        rows = []
        for _ in range(views):
            part = self.parts[rng.integers(len(self.parts))]
            k = rng.integers(len(part["inside"]))
            rows.append(view_tensors({key: value[k] for key, value in part.items()}, rng, points))
        return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}


def view_tensors(view: dict[str, np.ndarray], rng: np.random.Generator, points: int) -> dict[str, Tensor]:
    """A stored view as the network takes it, with ``points`` random points; mirrored half of the time."""
    pick = rng.permutation(len(view["inside"]))[:points]
    at = torch.from_numpy(view["points"][pick])
    unshifted = at - torch.from_numpy(view["shift"][pick].astype(np.float32))[:, None] * torch.tensor(
        [0, 0, 1.0]
    )
    volume = torch.from_numpy(view["volume"].astype(np.float32))
    filled = (volume > 0).any(0)
    row = {
        "picture": torch.from_numpy(view["picture"].astype(np.float32) / 255).permute(2, 0, 1),
        "volume": (volume - 1).clamp(min=0) / 254 * filled,
        "points": at,
        "seen": project_cube(unshifted),
        "place": torch.from_numpy(view["place"][pick].astype(np.float32)),
        "inside": torch.from_numpy(view["inside"][pick].astype(np.float32)),
    }
    return mirrored(row, filled) if rng.random() < 0.5 else row


def mirrored(row: dict[str, Tensor], filled: Tensor) -> dict[str, Tensor]:
    """The view in a mirror: left and right exchanged in the picture and on the body."""
    turn = torch.tensor([-1.0, 1.0, 1.0])
    volume = row["volume"].clone()
    volume[0] = (1 - volume[0]) * filled
    place = row["place"].clone()
    place[:, 1], place[:, 4] = 1 - place[:, 1], -place[:, 4]
    return row | {
        "picture": row["picture"].flip(2),
        "volume": volume.flip(3),
        "points": row["points"] * turn,
        "seen": row["seen"] * turn[:2],
        "place": place,
    }


def stage_losses(network: PamirNet, batch: dict[str, Tensor]) -> list[Tensor]:
    """The loss of every stage: cross entropy, or for the original sizes PaMIR's squared error."""
    place = batch["place"] if network.sizes.body else None
    maps, volumes = network.features(batch["picture"]), network.volume(batch["volume"])
    logits = network.logits(maps, volumes, batch["points"], place=place, seen=batch["seen"])
    if network.sizes.body:
        return [cross_entropy(x, batch["inside"]) for x in logits]
    return [((torch.sigmoid(x) - batch["inside"]) ** 2).mean() for x in logits]


def learn(
    sizes: PamirSizes,
    shards: Shards,
    *,
    schedule: Schedule,
    checkpoint: Path,
    seed: int = 0,
    device: str = "cpu",
    every: int = 200,
    keep=lambda network, step: None,
    blind=None,
    start: PamirNet | None = None,
) -> tuple[PamirNet, dict]:
    """Train; returns the running mean of the weights and the history.

    Args:
        checkpoint: a run that was stopped goes on from here. every: steps between checkpoints.
        keep: called with the mean and the step after each checkpoint interval.
        blind: changes a batch before it is used, for comparisons.
        start: weights to begin with.
    """
    torch.manual_seed(seed)
    network = PamirNet(sizes).to(device)
    if start is not None:
        network.load_state_dict(start.state_dict())
    network.hg.to(memory_format=torch.channels_last)  # a fifth faster
    mean = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.Adam(network.parameters(), schedule.rate)

    def step(k: int, rng: np.random.Generator) -> dict[str, float]:
        if k % REFRESH == 0:
            shards.refresh()
        part = k / schedule.steps
        fall = 0.02 + 0.98 * (1 + math.cos(math.pi * part)) / 2
        rate = schedule.rate * min(1, (k + 1) / schedule.warm) * fall
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = shards.batch(rng, schedule.views, schedule.points)
        batch = {key: value.to(device) for key, value in (blind(batch) if blind else batch).items()}
        batch["picture"] = batch["picture"].to(memory_format=torch.channels_last)
        losses = stage_losses(network, batch)
        optimiser.zero_grad(set_to_none=True)
        sum(losses).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        memory = min(MEMORY, (1 + k) / (10 + k))
        with torch.no_grad():
            for a, b in zip(mean.parameters(), network.parameters(), strict=True):
                a.lerp_(b, 1 - memory)
        if (k + 1) % every == 0:
            keep(mean, k + 1)
        return {"loss": losses[-1].item()}

    history = train(
        step,
        {"network": network, "optimiser": optimiser, "mean": mean},
        iters=schedule.steps,
        seed=seed,
        checkpoint=checkpoint,
        every=every,
        identity=json.dumps([asdict(sizes), asdict(schedule), seed]),
        desc="PaMIR",
    )
    return mean.eval(), history
