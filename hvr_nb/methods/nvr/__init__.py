"""An animatable neural avatar from one video: hash-grid fields in the big pose.

After Geng et al., "Learning Neural Volumetric Representations of Dynamic Humans in Minutes",
CVPR 2023. What is kept and what is done differently stands in docs/field.md and docs/decisions.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import numpy as np
import torch

from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.learning.loop import train
from hvr_nb.learning.progress import Watch
from hvr_nb.methods._clip import fitted_body, load_training_pictures, teller, trained_frames
from hvr_nb.methods.nvr.avatar import RadianceAvatar, load, pick_device
from hvr_nb.methods.nvr.data import outline_fit
from hvr_nb.methods.nvr.dress import Dress, carve_dress, is_skirt, silhouettes
from hvr_nb.methods.nvr.fit import Moving, fold, make_step, pose_rate
from hvr_nb.methods.nvr.lens import LensCorrection, refocused_lens
from hvr_nb.methods.nvr.network import AvatarField
from hvr_nb.methods.nvr.occupancy import Occupancy
from hvr_nb.methods.nvr.options import Options
from hvr_nb.methods.nvr.pose import PoseCorrection, spread_to_all
from hvr_nb.methods.nvr.saved import half_precision
from hvr_nb.methods.nvr.warp import pose_bank

NEEDS = ("frames", "masks", "body")
GIVES = RadianceAvatar.GIVES
LOOSE = 0.065  # metres of margin from which on the silhouettes are searched for loose clothes
WORN = 0.06  # metres of margin about loose clothes, at least: moving cloth is carved too thin in places

__all__ = ["GIVES", "NEEDS", "Options", "load", "reconstruct"]


def reconstruct(
    clip,
    options: Options | None = None,
    *,
    device: str = "auto",
    seed: int = 0,
    progress: Watch | None = None,
) -> RadianceAvatar:
    """Train the avatar of a clip and save it into ``<clip>/avatars/nvr``.

    A run that was stopped continues from its checkpoint and ends with the same avatar.

    Args:
        options: None takes all defaults.
        device: "cpu", "cuda" or "auto". seed: of initialisation and sampling.
        progress: told of every step; where it answers True, the avatar so far is returned, not saved.

    Raises:
        HvrError: a stage before is missing, or the model is not the one the body was fitted with.
    """
    options = options or Options()
    clip.require(*NEEDS)
    target = pick_device(device)
    pictures = load_training_pictures(clip, clip.body.camera, image_scale=options.image_scale)
    model, body, canonical = fitted_body(clip, options.model_file)
    which = trained_frames(body, options.hold_out)

    def outlines(canonical, dress: Dress | None = None) -> tuple[float, float]:
        some = which[::8]
        bank = pose_bank(model, canonical, body.betas, body.poses[some], body.transl[some], dress=dress)
        return outline_fit(pictures, bank.vertices, canonical.faces, some)

    margin, misfit = outlines(canonical)
    dress = None
    if options.cloth is not False:
        seen = silhouettes(model, body, pictures.alpha, pictures.camera, which, pictures.cloth)
        if options.cloth or margin > LOOSE or is_skirt(canonical, seen):
            dress = carve_dress(canonical, seen)
    if dress is not None:
        canonical = dress.canonical
        margin = max(WORN, outlines(canonical, dress)[0])
    options = replace(
        options,
        pose_lr=pose_rate(options.pose_lr, misfit) if options.refine_pose else 0.0,
        lens_lr=options.lens_lr if options.refine_camera else 0.0,
    )
    moving = Moving(body, which, pictures, model, canonical, margin, dress=dress, device=target)
    field = AvatarField(canonical.bounds, len(which), options.field, seed=seed, device=target)
    pose, lens = PoseCorrection(model.parents, len(which)).to(target), LensCorrection().to(target)
    occupancy = Occupancy(canonical, margin=margin)
    step, state = make_step(field, pose, lens, moving, occupancy, options, target)
    call = {
        "seed": seed,
        "model_hash": model.hash,
        "fit": asdict(options),
        "misfit": misfit,
        "cloth": dress is not None,
    }
    folder = clip.avatar_folder("nvr")
    held = np.setdiff1d(np.arange(len(body)), which)

    def so_far(history) -> RadianceAvatar:
        seen = replace(body, camera=refocused_lens(body.camera, lens.folded.cpu().numpy()))
        made = (field, occupancy, canonical, moving, seen, model, history, call, options.model_file)
        return _finish(*made)

    def draw(frame: int, camera):
        avatar = so_far({})
        return to_uint8(avatar.sketch(camera, avatar.body.frame(frame), frame=frame).rgb)

    history = train(
        step,
        state,
        iters=options.iters,
        seed=seed,
        checkpoint=folder / "checkpoint.pt" if options.checkpoint_every else None,
        every=options.checkpoint_every,
        identity=_identity(clip, call, field),
        desc="nvr",
        progress=teller(progress, options.iters, held, lambda: moving.pictures.camera, draw),
    )
    fold(pose, lens, moving, options)
    occupancy.update(field)
    half_precision(field)
    avatar = so_far(history)
    if history["step"][-1] == options.iters:
        clip.save_avatar("nvr", avatar, made_from=(*NEEDS, "canonical"))
        (folder / "checkpoint.pt").unlink(missing_ok=True)
    return avatar


def _identity(clip, call: dict, field: AvatarField) -> str:
    """What a checkpoint belongs to: the options, the clip's artefacts and the layout of the tables."""
    inputs = [clip.fingerprint(a) for a in (*NEEDS, "canonical")]
    harmless = {"checkpoint_every", "model_file"}  # the model counts by its hash
    fit = {name: value for name, value in call["fit"].items() if name not in harmless}
    whole = json.dumps([inputs, call | {"fit": fit}, field.grid.backend == "tcnn"], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _finish(field, occupancy, canonical, moving, body, model, history, call, model_file) -> RadianceAvatar:
    """The avatar with refined poses, and with codes also for frames that were not trained on."""
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
