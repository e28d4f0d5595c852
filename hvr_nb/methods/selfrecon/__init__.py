"""A clothed-body mesh of constant topology from a video in which the person turns, in a minute or two.

The task of Jiang et al., "SelfRecon: Self Reconstruction Your Digital Avatar from Monocular Video", CVPR 2022,
by other means (specs/surface.md E4): no networks and no volume rendering, but a template of body and loose
clothes, sparse least squares on the silhouettes of all frames, and robust colours; see docs/decisions.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.geometry.camera import undistort_images
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.rays import outline_gaps
from hvr_nb.learning.loop import train
from hvr_nb.methods.selfrecon.avatar import MeshAvatar, Surface, load
from hvr_nb.methods.selfrecon.fit import ROUNDS, Fit, FitOptions, Footage, colours, footage
from hvr_nb.surface.normal_maps import as_picture
from hvr_nb.surface.remesh import subdivision
from hvr_nb.threads import one_thread
from hvr_nb.types import Body, HvrError

NEEDS = ("frames", "masks", "body")
GIVES = ("render", "mesh")
MISFIT = 0.001  # metres that the body stands out of the silhouettes from which on its poses are refined
MOST = 90  # frames looked at: more add time, not shape

__all__ = ["GIVES", "NEEDS", "Avatar", "load", "reconstruct"]


def reconstruct(
    clip,
    *,
    iters: int = ROUNDS,
    rays: int = 0,
    image_scale: float = 1.0,
    hold_out: int = 0,
    device: str = "auto",
    seed: int = 0,
    refine_pose: bool = True,
    checkpoint_every: int = 1,
    model_file: str = "",
    **weights,
) -> MeshAvatar:
    """Shape the surface of a clip's person and save it into ``<clip>/avatars/selfrecon``.

    A run that was stopped goes on from the last finished round and ends the same as if it had not been.

    Args:
        iters: rounds at most; it is done after ``fit.ROUNDS`` (6), so 05_train's thousands mean all of them.
        rays, device, seed: taken for the sake of the other methods: all pixels are used, on the CPU, and
            nothing is drawn at random.
        image_scale: work on frames resized by this, 0..1.
        hold_out: every n-th frame is kept out (0 = none).
        refine_pose: correct the body's poses where it stands out of the silhouettes.
        checkpoint_every: 0 keeps no checkpoint; else one is kept after every round (they take seconds).
        model_file: the body model of 03_body; "" takes the one ``load_body_model`` finds.
        weights: overrides of ``fit.FitOptions``.

    Raises:
        HvrError: a stage before is missing, or the model is not the one the body was fitted with.
    """
    clip.require(*NEEDS)
    model, body = load_body_model(model_file or None), clip.body
    canonical = clip.canonical if clip.has("canonical") else make_canonical(body, model)
    if canonical.model_hash != model.hash:
        raise HvrError(
            f"the body was fitted with model {canonical.model_hash[:8]}, not {model.hash[:8]}; "
            "pass its file as model_file, or run 03_body again"
        )
    film = _film(clip, body, image_scale, hold_out)
    misfit = _misfit(body, model, film)
    options = FitOptions(refine_pose=refine_pose and misfit > MISFIT, **weights)
    fit = Fit(body, film, canonical, model, options)
    call = {
        "image_scale": image_scale,
        "hold_out": hold_out,
        "model_hash": model.hash,
        "fit": asdict(options),
        "misfit": misfit,
    }
    folder = Path(clip.folder) / "avatars" / "selfrecon"
    checkpoint = folder / "checkpoint.pt" if checkpoint_every else None
    with one_thread():
        history = train(
            fit.step,
            {"fit": fit},
            iters=max(1, min(iters, ROUNDS)),
            seed=seed,
            checkpoint=checkpoint,
            every=1,
            log_every=1,
            identity=_identity(clip, call),
            desc="selfrecon",
        )
        avatar = _finish(fit, body, history, call, model_file)
    clip.save_avatar("selfrecon", avatar, made_from=(*NEEDS, "canonical", "normals"))
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return avatar


def _film(clip, body: Body, image_scale: float, hold_out: int) -> Footage:
    """The frames to look at, undistorted and resized."""
    if not 0 < image_scale <= 1:
        raise HvrError(f"image_scale is {image_scale}; choose it above 0 and at most 1")
    every = np.arange(len(body))
    which = every[body.valid & ((every % hold_out != hold_out - 1) if hold_out else True)]
    if len(which) < 2:
        raise HvrError(
            f"only {len(which)} of {len(body)} frames are left to fit; lower hold_out or run "
            "03_body on a longer clip"
        )
    which = which[spread_indices(len(which), MOST)]
    masks = clip.masks
    frames, clean = undistort_images(
        masks.foreground if masks.foreground is not None else clip.frames, body.camera
    )
    alpha, _ = undistort_images(masks.alpha, body.camera)
    normals = (
        undistort_images(as_picture(clip.normals.vectors), body.camera)[0] if clip.has("normals") else None
    )
    camera = clean.scaled(image_scale)
    if image_scale != 1:
        size = (camera.width, camera.height)
        frames, alpha, normals = (
            None
            if stack is None
            else np.stack([cv2.resize(im, size, interpolation=cv2.INTER_AREA) for im in stack])
            for stack in (frames, alpha, normals)
        )
    return footage(frames, alpha, camera, which, normals)


def _misfit(body: Body, model, film: Footage) -> float:
    """Mean metres that the bare body stands out of the silhouettes, which only wrong poses explain."""
    some = spread_indices(len(film.which), 12)
    vertices = posed(model, body.frame(film.which[some]))[0]
    return float(
        np.mean(
            [
                outline_gaps(v, model.faces, film.camera, film.alpha[k])[1]
                for v, k in zip(vertices, some, strict=True)
            ]
        )
    )


def _identity(clip, call: dict) -> str:
    """What a checkpoint belongs to: the options and the clip's artefacts."""
    inputs = [clip.fingerprint(a) for a in (*NEEDS, "canonical", "normals")]
    return hashlib.sha256(json.dumps([inputs, call], sort_keys=True).encode()).hexdigest()


def _finish(fit: Fit, body: Body, history: dict, call: dict, model_file: str) -> MeshAvatar:
    """The avatar on a mesh of half the triangle sides, with colours from all frames."""
    finer, faces = subdivision(fit.faces, len(fit.vertices))
    shrunk = (
        finer[: len(fit.vertices)] @ fit.vertices
    )  # subdivision draws vertices inwards: begin as far outside
    vertices = finer @ (2 * fit.vertices - shrunk)
    seen = fit.sightings(vertices, faces)
    colour, light = colours(seen, faces)
    if fit.options.layers:
        vertices, seen, drops = fit.layered(vertices, faces, colour, seen, finer)
        call = call | {
            "layers": [{"depth": d.step.depth, "error": d.step.error, "measured": d.measured} for d in drops]
        }  # metres
        if drops:
            colour, light = colours(seen, faces)
    made = Surface(
        vertices.astype(np.float32),
        faces.astype(np.int32),
        colour.astype(np.float16),
        light,
        fit.centres.astype(np.float32),
        fit.heights.astype(np.float16),
    )
    refined = replace(body, global_orient=fit.poses[:, :3], body_pose=fit.poses[:, 3:], transl=fit.transl)
    held = (
        np.setdiff1d(np.arange(len(body))[body.valid], fit.film.which)
        if call["hold_out"]
        else np.zeros(0, int)
    )
    return MeshAvatar(made, fit.canonical, refined, fit.model, held, history, call, model_file)
