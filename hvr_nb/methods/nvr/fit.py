"""The training step of the neural avatar, and what it changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from hvr_nb.body.kinematics import turn_joints
from hvr_nb.body.model import BodyModel
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.learning import losses
from hvr_nb.learning.lpips import load_lpips
from hvr_nb.methods._clip import TrainingPictures
from hvr_nb.methods.nvr import volrend
from hvr_nb.methods.nvr.batch import Batch, draw_rays
from hvr_nb.methods.nvr.data import cast_rays, renew_bounds
from hvr_nb.methods.nvr.dress import Dress
from hvr_nb.methods.nvr.hash_grid import RowAdam
from hvr_nb.methods.nvr.lens import LensCorrection, refocused_lens
from hvr_nb.methods.nvr.network import AvatarField
from hvr_nb.methods.nvr.occupancy import Occupancy
from hvr_nb.methods.nvr.options import Options
from hvr_nb.methods.nvr.pose import PoseCorrection, spread_to_all
from hvr_nb.methods.nvr.samples import live_samples
from hvr_nb.methods.nvr.warp import at_samples, pose_bank, skin_weights_at
from hvr_nb.types import Body, Canonical

MISFIT = 0.001  # metres that a body reaches out of its silhouettes at which poses get their full rate
GRAZING = 0.4  # cosine: from surface seen flatter than this (66 degrees) no light is learned
FAR_OUT = 1.0  # metres of height given to samples that are not evaluated


class Moving:
    """Poses and lens, which change when corrections are folded in, and the bank and rays made of them."""

    def __init__(
        self,
        body: Body,
        which: np.ndarray,
        pictures: TrainingPictures,
        model: BodyModel,
        canonical: Canonical,
        margin: float,
        *,
        dress: Dress | None = None,
        device="cpu",
    ):
        self.which, self.pictures, self.model, self.canonical = which, pictures, model, canonical
        self.margin, self.dress, self.betas, self.device = margin, dress, body.betas, device
        self.poses, self.transl = body.poses.astype(np.float64), body.transl.astype(np.float64)
        self._pose()
        self.first = cast_rays(pictures, self.bank.vertices, canonical.faces, which, margin=margin)
        self.rays = self.first

    def _pose(self) -> None:
        self.bank = pose_bank(
            self.model,
            self.canonical,
            self.betas,
            self.poses[self.which],
            self.transl[self.which],
            device=self.device,
            dress=self.dress,
        )

    def move(self, turn: np.ndarray, shift: np.ndarray) -> None:
        """Fold in corrections of the trained frames, interpolated for the others. Call ``renew`` after."""
        turn, shift = (spread_to_all(a, self.which, len(self.poses)) for a in (turn, shift))
        self.poses, self.transl = turn_joints(self.poses, self.transl, turn, shift, self.model.parents)

    def refocus(self, change: np.ndarray) -> None:
        """Fold in a correction (3,) of the lens. Call ``renew`` after."""
        self.pictures = replace(self.pictures, camera=refocused_lens(self.pictures.camera, change))

    def renew(self) -> None:
        """Pose the bodies and bound the rays again, after poses or lens have changed."""
        self._pose()
        self.rays = renew_bounds(
            self.first,
            self.pictures,
            self.bank.vertices,
            self.canonical.faces,
            self.which,
            margin=self.margin,
        )

    def state_dict(self) -> dict:
        """The poses and the lens; the rays follow from them."""
        arrays = {"poses": self.poses, "transl": self.transl, "K": self.pictures.camera.K}
        return {name: torch.from_numpy(a.copy()) for name, a in arrays.items()}

    def load_state_dict(self, state: dict) -> None:
        """Put back what ``state_dict`` gave."""
        self.poses, self.transl, K = (state[name].numpy().copy() for name in ("poses", "transl", "K"))
        self.pictures = replace(self.pictures, camera=replace(self.pictures.camera, K=K))
        self.renew()


def pose_rate(largest: float, misfit: float) -> float:
    """Learning rate of the poses: zero for a body that nowhere leaves the silhouettes.

    Depth along the camera axis is hardly observed, so right poses would only drift: 2 mm of drift cost
    unseen views 1.5 dB on the synthetic subject. Estimated poses gain 0.8 dB.

    Args:
        largest: the full rate. misfit: metres that the body reaches out of the silhouettes.
    """
    return largest * float(np.clip(misfit / MISFIT, 0, 1))


def make_step(
    field: AvatarField,
    pose: PoseCorrection,
    lens: LensCorrection,
    moving: Moving,
    occupancy: Occupancy,
    options: Options,
    device: torch.device,
):
    """The step of ``hvr_nb.learning.loop.train`` and the state it changes."""
    tables = [field.grid.table, field.motion_grid.table]
    nets = [p for p in field.parameters() if not any(p is t for t in tables) and p is not field.codes]
    by_row = RowAdam(
        [{"params": tables, "base": options.table_lr}, {"params": [field.codes], "base": options.net_lr}],
        lr=options.table_lr,
    )
    dense = torch.optim.Adam(
        [
            {"params": nets, "base": options.net_lr},
            {"params": list(pose.parameters()), "base": options.pose_lr},
            {"params": list(lens.parameters()), "base": options.lens_lr},
        ],
        lr=options.net_lr,
        betas=(0.9, 0.99),
        eps=1e-12,
    )
    normals = vertex_normals(moving.canonical.vertices, moving.canonical.faces).astype(np.float32)

    def step(k: int, rng: np.random.Generator) -> dict[str, float]:
        _schedule(k, options, field, (by_row, dense))
        batch = draw_rays(moving.rays, moving.pictures.camera, options, rng)
        loss, log = _loss(k, batch, field, pose, lens, moving, occupancy, normals, options, device)
        dense.zero_grad(set_to_none=True)
        loss.backward()
        dense.step()
        by_row.step()
        if k + 1 >= options.occupancy_from and (k + 1) % options.occupancy_every == 0:
            occupancy.update(field)
        if (k + 1) % options.fold_every == 0:
            fold(pose, lens, moving, options)
        return log

    state = {
        "field": field,
        "pose": pose,
        "lens": lens,
        "moving": moving,
        "occupancy": occupancy,
        "by_row": by_row,
        "dense": dense,
    }
    return step, state


def fold(pose: PoseCorrection, lens: LensCorrection, moving: Moving, options: Options) -> None:
    """Fold the learned corrections into poses and lens."""
    if options.pose_lr > 0:
        moving.move(*pose.fold())
    if options.lens_lr > 0:
        moving.refocus(lens.fold())
    if max(options.pose_lr, options.lens_lr) > 0:
        moving.renew()


def _schedule(k: int, options: Options, field: AvatarField, optimisers) -> None:
    """Learning rates warm up and fall to 3 %, the surface hardens, finer and finer levels open.

    With coarse levels first, poses settle before there is detail to be misplaced (Lin et al., "BARF", 2021).
    """
    share = k / max(options.iters, 1)
    rate = min(1.0, (k + 1) / min(100, 1 + options.iters // 20)) * 0.03 ** max(0.0, (share - 0.3) / 0.7)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * rate
    soft, hard = options.beta
    levels = torch.arange(len(field.open), device=field.open.device)
    reached = 4 + (len(levels) - 4) * share / max(options.fine_by, 1e-6)
    field.open.copy_((reached - levels).clamp(0, 1))
    field.beta.fill_(soft * (hard / soft) ** min(1.0, 2 * share))


def _loss(
    k: int,
    batch: Batch,
    field: AvatarField,
    pose: PoseCorrection,
    lens: LensCorrection,
    moving: Moving,
    occupancy: Occupancy,
    normals: np.ndarray,
    options: Options,
    device,
):
    def tensor(a):
        return torch.as_tensor(a, device=device)

    points = batch.origin + batch.depth[..., None] * batch.direction[:, None]
    live = live_samples(
        points,
        batch.frames[batch.slot],
        moving.bank,
        moving.canonical,
        normals,
        occupancy.grid,
        margin=moving.margin,
    )
    height = torch.full((batch.depth.size,), FAR_OUT, device=device)
    known = torch.zeros(batch.depth.size, dtype=torch.bool, device=device)
    colour = torch.zeros(batch.depth.size, 3, device=device)
    penalty = options.smooth * losses.second_difference(field.codes) + options.code * (field.codes**2).mean()
    refine = max(options.pose_lr, options.lens_lr) > 0 and k >= options.pose_from
    if refine:
        penalty = penalty + options.pose_prior * pose.prior() + options.pose_smooth * pose.roughness()
    if options.lens_lr > 0:
        penalty = penalty + options.lens_prior * lens.prior()
    residual_size = 0.0
    if live is not None:
        x, distance, normal = tensor(live.big), tensor(live.distance), tensor(live.normal)
        if refine:
            carried = _carried(
                live, points, batch, pose, lens if options.lens_lr > 0 else None, moving, tensor
            )
            maps = tensor(
                at_samples(moving.bank.maps, live.frame, live.face, live.bary, moving.canonical.faces)
            )
            x = x - (maps.view(-1, 3, 3) @ carried[..., None])[..., 0]
            distance = distance - (normal * carried).sum(-1)
        code = torch.nn.functional.embedding(
            tensor(live.frame), field.codes
        )  # the gradient of indexing is summed in changing order
        residual = field.residual(x, code)
        distance = distance + (tensor(live.big_normal) * residual).sum(-1)
        over, rgb = field(x + residual, distance, normal, code, tensor(_facing(live, batch) > GRAZING))
        index = tensor(live.index)
        height = torch.where(tensor(live.solid.ravel()), -FAR_OUT, height)
        height = height.index_copy(0, index, over[: live.count])
        known[index] = True
        colour = colour.index_copy(0, index, rgb[: live.count])
        real = slice(live.count)
        mean = losses.residual_norm(residual[real], torch.sigmoid(-over.detach()[real] / field.beta))
        penalty = penalty + options.residual * mean
        residual_size = float(mean.detach())
    shape = batch.depth.shape
    weights = volrend.crossing_weights(height.view(shape), field.beta, known.view(shape))
    opacity = weights.sum(-1)
    alpha, background = tensor(batch.alpha), tensor(batch.background)
    pred = volrend.composite(weights, colour.view(*shape, 3)) + (1 - opacity)[:, None] * background
    target = alpha[:, None] * tensor(batch.rgb) + (1 - alpha)[:, None] * background
    certain = 0.3 + 0.7 * ((alpha < 0.05) | (alpha > 0.95))
    along = tensor(batch.depth * np.linalg.norm(batch.direction, axis=1, keepdims=True))
    loss = (
        losses.charbonnier(pred, target, certain)
        + options.opacity * losses.opacity_loss(opacity, alpha, certain)
        + options.distortion * volrend.distortion(weights, along, tensor(batch.step)).mean()
        + penalty
    )
    if len(batch.patch):
        pairs = [x[tensor(batch.patch)] for x in (pred, target)]
        if options.structure > 0:
            loss = loss + options.structure * losses.structure(*pairs, tensor(batch.filmed))
        if options.perceptual > 0:
            loss = loss + options.perceptual * losses.perceptual(*pairs, load_lpips().to(device))
    with torch.no_grad():
        inside = alpha > 0.5
        error = ((pred - target) ** 2)[inside].mean() if inside.any() else torch.tensor(1.0)
    return loss, {
        "loss": float(loss.detach()),
        "psnr_body": float(-10 * torch.log10(error + 1e-10)),
        "residual_mm": 1e3 * residual_size,
        "live": 0 if live is None else live.count / batch.depth.size,
    }


def _facing(live, batch: Batch) -> np.ndarray:
    """Cosine (M,) between skin normal and the direction to the camera; -1 for the padding.

    At the occluding contour pixels mix with what is behind, and the skin's normal is not the cloth's: light
    learned there would be wrong on the whole far side.
    """
    ray = batch.direction[live.index // batch.depth.shape[1]]
    cosine = -(live.normal[: live.count] * ray).sum(1) / np.linalg.norm(ray, axis=1)
    return np.pad(cosine, (0, len(live.frame) - live.count), constant_values=-1)


def _carried(
    live, points, batch: Batch, pose: PoseCorrection, lens: LensCorrection | None, moving: Moving, tensor
):
    """(M, 3) metres that both corrections move the body at the samples; zero for the padding."""
    n = live.count
    slot = batch.slot[live.index // points.shape[1]]
    counts = np.bincount(slot, minlength=len(batch.frames)).tolist()
    weights = skin_weights_at(moving.canonical, live.face[:n], live.bary[:n]).astype(np.float32)
    seen = tensor(points.reshape(-1, 3)[live.index])
    carried = pose(
        seen, tensor(weights), tensor(batch.frames), counts, tensor(moving.bank.joints[batch.frames])
    )
    if lens is not None:
        carried = carried - lens(seen, moving.pictures.camera)
    return torch.cat([carried, carried.new_zeros(len(live.frame) - n, 3)])
