"""This project's avatar on a scene, set up as ``hvr_nb.methods.nvr.reconstruct`` does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from hvr_nb.learning.loop import step_rng
from hvr_nb.methods.nvr.avatar import RadianceAvatar, pick_device
from hvr_nb.methods.nvr.data import outline_fit
from hvr_nb.methods.nvr.fit import Moving, make_step, pose_rate
from hvr_nb.methods.nvr.lens import LensCorrection
from hvr_nb.methods.nvr.network import AvatarField, FieldOptions
from hvr_nb.methods.nvr.occupancy import Occupancy
from hvr_nb.methods.nvr.options import Options
from hvr_nb.methods.nvr.pose import PoseCorrection, spread_to_all


@dataclass(frozen=True)
class Ours:
    """A running training."""

    step: Callable[[int, np.random.Generator], dict]
    state: dict
    options: Options
    field: AvatarField
    moving: Moving
    occupancy: Occupancy


def start_ours(
    scene,
    *,
    iters: int,
    rays: int = Options.rays,
    sizes: FieldOptions | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Ours:
    """Everything that ``reconstruct`` prepares before its first step."""
    target = pick_device(device)
    some = slice(None, None, 8)
    margin, misfit = outline_fit(
        scene.pictures, scene.bank.vertices[some], scene.canonical.faces, scene.which[some]
    )
    options = Options(iters=iters, rays=rays)
    options = replace(options, pose_lr=pose_rate(options.pose_lr, misfit), lens_lr=0.0)
    moving = Moving(scene.body, scene.which, scene.pictures, scene.model, scene.canonical, margin)
    field = AvatarField(
        scene.canonical.bounds, len(scene.which), sizes or FieldOptions(), seed=seed, device=target
    )
    pose = PoseCorrection(scene.model.parents, len(scene.which)).to(target)
    occupancy = Occupancy(scene.canonical, margin=margin)
    step, state = make_step(field, pose, LensCorrection(), moving, occupancy, options, target)
    return Ours(step, state, options, field, moving, occupancy)


def with_rays(ours: Ours, rays: int) -> Ours:
    """The same training with another number of rays per step."""
    options = replace(ours.options, rays=rays)
    step, state = make_step(
        ours.field,
        ours.state["pose"],
        ours.state["lens"],
        ours.moving,
        ours.occupancy,
        options,
        ours.field.low.device,
    )
    return replace(ours, step=step, state=state, options=options)


def warm_up(ours: Ours, steps: int) -> None:
    """Take the first steps: empty cells are known from step 250 on, all levels are used from 35 % on."""
    for k in range(steps):
        ours.step(k, step_rng(0, k))


def as_avatar(ours: Ours, scene) -> RadianceAvatar:
    """The avatar as it stands; it shares the field with the training."""
    moving, count = ours.moving, len(scene.body)
    body = replace(
        scene.body, global_orient=moving.poses[:, :3], body_pose=moving.poses[:, 3:], transl=moving.transl
    )
    codes = spread_to_all(ours.field.codes.detach().cpu().numpy(), moving.which, count).astype(np.float32)
    return RadianceAvatar(
        ours.field,
        ours.occupancy.grid,
        scene.canonical,
        body,
        codes,
        scene.model,
        moving.margin,
        np.setdiff1d(np.arange(count), moving.which),
        {},
        {"fit": asdict(ours.options)},
    )


def devices() -> tuple[str, ...]:
    """Names of the devices at hand."""
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def wait(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
