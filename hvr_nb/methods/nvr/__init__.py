"""An animatable neural avatar from one video: hash-grid fields in the big pose.

After Geng et al., "Learning Neural Volumetric Representations of Dynamic Humans in Minutes",
CVPR 2023; what is kept and what is done otherwise stands in ``network.py`` and docs/decisions.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.learning.loop import train
from hvr_nb.methods.nvr.avatar import RadianceAvatar, half_precision, load, pick_device
from hvr_nb.methods.nvr.data import load_training_pictures, outline_fit, trained_frames
from hvr_nb.methods.nvr.dress import carve_dress
from hvr_nb.methods.nvr.fit import Moving, TrainOptions, fold, make_step, pose_rate
from hvr_nb.methods.nvr.lens import LensCorrection, refocused_lens
from hvr_nb.methods.nvr.network import AvatarField, FieldOptions
from hvr_nb.methods.nvr.occupancy import Occupancy
from hvr_nb.methods.nvr.pose import PoseCorrection, spread_to_all
from hvr_nb.methods.nvr.warp import pose_bank
from hvr_nb.types import HvrError

NEEDS = ("frames", "masks", "body")
GIVES = ("render", "mesh")
LOOSE = 0.065  # metres of margin from which on the silhouettes are searched for loose clothes
WORN = 0.06  # metres of margin about these, at least: cloth that moves is carved too thin in places

__all__ = ["GIVES", "NEEDS", "Avatar", "load", "reconstruct"]


def reconstruct(
    clip,
    *,
    iters: int = 6000,
    rays: int = 1024,
    image_scale: float = 1.0,
    hold_out: int = 0,
    device: str = "auto",
    seed: int = 0,
    refine_pose: bool = True,
    refine_camera: bool = False,
    cloth: bool | None = None,
    checkpoint_every: int = 1000,
    model_file: str = "",
    field: FieldOptions | None = None,
    **weights,
) -> RadianceAvatar:
    """Train the avatar of a clip and save it into ``<clip>/avatars/nvr``.

    A run that was stopped goes on from its checkpoint and ends the same as if it had not been.

    Args:
        iters: steps. rays: rays a step. image_scale: train on frames resized by this, 0..1.
        hold_out: every n-th frame is kept out of training (0 = none).
        device: "cpu", "cuda" or "auto". seed: of initialisation and sampling.
        refine_pose: correct the body's poses while training, where it stands out of the silhouettes.
        refine_camera: correct focal length and image centre while training (``lens.py``).
        cloth: whether the field hangs on body and loose clothes together (``hvr_nb.methods.nvr.dress``), so
            that a skirt does not tear between the legs; None: where the silhouettes stand far off the body.
        checkpoint_every: steps between checkpoints.
        model_file: the body model of 03_body; "" takes the one ``load_body_model`` finds.
        field: sizes of the fields. weights: overrides of ``FitOptions``.

    Raises:
        HvrError: a stage before is missing, or the model is not the one the body was fitted with.
    """
    clip.require(*NEEDS)
    target = pick_device(device)
    pictures = load_training_pictures(clip, clip.body.camera, image_scale=image_scale)
    model, body = load_body_model(model_file or None), clip.body
    canonical = clip.canonical if clip.has("canonical") else make_canonical(body, model)
    if canonical.model_hash != model.hash:
        raise HvrError(
            f"the body was fitted with model {canonical.model_hash[:8]}, not {model.hash[:8]}; "
            "pass its file as model_file, or run 03_body again"
        )
    sizes = field or FieldOptions()
    which = trained_frames(body, hold_out)
    first = pose_bank(model, canonical, body.betas, body.poses[which[::8]], body.transl[which[::8]])
    margin, misfit = outline_fit(pictures, first.vertices, canonical.faces, which[::8])
    dress = None
    if cloth or (cloth is None and margin > LOOSE):
        dress = carve_dress(canonical, model, body, pictures.alpha, pictures.camera, which)
    if dress is not None:
        canonical = dress.canonical
        worn = pose_bank(
            model, canonical, body.betas, body.poses[which[::8]], body.transl[which[::8]], dress=dress
        )
        margin = max(WORN, outline_fit(pictures, worn.vertices, canonical.faces, which[::8])[0])
    options = TrainOptions(iters=iters, rays=rays, **weights)
    options = replace(
        options,
        pose_lr=pose_rate(options.pose_lr, misfit) if refine_pose else 0.0,
        lens_lr=options.lens_lr if refine_camera else 0.0,
    )
    moving = Moving(body, which, pictures, model, canonical, margin, dress=dress, device=target)
    avatar_field = AvatarField(canonical.bounds, len(which), sizes, seed=seed, device=target)
    pose, lens = PoseCorrection(model.parents, len(which)).to(target), LensCorrection().to(target)
    occupancy = Occupancy(canonical, margin=margin)
    step, state = make_step(avatar_field, pose, lens, moving, occupancy, options, target)
    call = {
        "image_scale": image_scale,
        "hold_out": hold_out,
        "seed": seed,
        "model_hash": model.hash,
        "fit": asdict(options),
        "field": asdict(sizes),
        "misfit": misfit,
        "cloth": dress is not None,
    }
    folder = Path(clip.folder) / "avatars" / "nvr"
    history = train(
        step,
        state,
        iters=iters,
        seed=seed,
        checkpoint=folder / "checkpoint.pt",
        every=checkpoint_every,
        identity=_identity(clip, call, avatar_field),
        desc="nvr",
    )
    fold(pose, lens, moving, options)
    occupancy.update(avatar_field)
    half_precision(avatar_field)
    body = replace(body, camera=refocused_lens(body.camera, lens.folded.cpu().numpy()))
    avatar = _finish(avatar_field, occupancy, canonical, moving, body, model, history, call, model_file)
    clip.save_avatar("nvr", avatar, made_from=(*NEEDS, "canonical"))
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return avatar


def _identity(clip, call: dict, field: AvatarField) -> str:
    """What a checkpoint belongs to: the options, the clip's artefacts and the layout of the tables."""
    inputs = [clip.fingerprint(a) for a in (*NEEDS, "canonical")]
    whole = json.dumps([inputs, call, field.grid.backend == "tcnn"], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _finish(field, occupancy, canonical, moving, body, model, history, call, model_file) -> RadianceAvatar:
    """The avatar with refined poses, and codes for the frames that were not trained on too."""
    count = len(body)
    codes = spread_to_all(field.codes.detach().cpu().numpy(), moving.which, count).astype(np.float32)
    everyone = AvatarField(
        canonical.bounds, count, field.options, device=field.low.device, backend=field.grid.backend
    )
    state = field.state_dict() | {"codes": torch.as_tensor(codes)}
    everyone.load_state_dict(state)
    refined = replace(
        body, global_orient=moving.poses[:, :3], body_pose=moving.poses[:, 3:], transl=moving.transl
    )
    held = np.setdiff1d(np.arange(count), moving.which)
    return RadianceAvatar(
        everyone,
        occupancy.grid,
        canonical,
        refined,
        codes,
        model,
        moving.margin,
        held,
        history,
        call,
        moving.dress,
        model_file,
    )
