"""A clothed-body mesh of constant topology from a video in which the person turns, in a minute or two.

The task of Jiang et al., "SelfRecon: Self Reconstruction Your Digital Avatar from Monocular Video", CVPR
2022, by other means: no networks and no volume rendering, but a template of body and loose clothes, sparse
least squares on the silhouettes of all frames, and robust colours (docs/surface.md, 1).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import numpy as np

from hvr_nb.body.model import posed
from hvr_nb.geometry.camera import resized_images, undistort_images
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.rays import outline_gaps
from hvr_nb.learning.loop import train
from hvr_nb.methods._clip import fitted_body, load_training_pictures, trained_frames
from hvr_nb.methods.selfrecon.avatar import MeshAvatar, Surface, load
from hvr_nb.methods.selfrecon.fit import ROUNDS, Fit, Footage, colours, footage
from hvr_nb.methods.selfrecon.options import Options
from hvr_nb.surface.normal_maps import as_picture
from hvr_nb.surface.remesh import subdivision
from hvr_nb.threads import one_thread
from hvr_nb.types import Body

NEEDS = ("frames", "masks", "body")
GIVES = MeshAvatar.GIVES
MISFIT = 0.001  # metres that the body reaches out of its silhouettes from which on poses are refined
MOST = 90  # frames used: more add time, not shape

__all__ = ["GIVES", "NEEDS", "Options", "load", "reconstruct"]


def reconstruct(clip, options: Options | None = None, *, device: str = "auto", seed: int = 0) -> MeshAvatar:
    """Shape the surface of a clip's person and save it into ``<clip>/avatars/selfrecon``.

    A run that was stopped continues after its last finished round and ends with the same avatar.

    Args:
        options: None takes all defaults.
        device, seed: taken as by every method; all runs on the CPU and nothing is drawn at random.

    Raises:
        HvrError: a stage before is missing, or the model is not the one the body was fitted with.
    """
    options = options or Options()
    clip.require(*NEEDS)
    model, body, canonical = fitted_body(clip, options.model_file)
    film = _film(clip, body, options)
    misfit = _misfit(body, model, film)
    options = replace(options, refine_pose=options.refine_pose and misfit > MISFIT)
    fit = Fit(body, film, canonical, model, options)
    call = {"model_hash": model.hash, "fit": asdict(options), "misfit": misfit}
    folder = clip.avatar_folder("selfrecon")
    with one_thread():
        history = train(
            fit.step,
            {"fit": fit},
            iters=ROUNDS,
            seed=seed,
            checkpoint=folder / "checkpoint.pt",
            every=1,
            log_every=1,
            identity=_identity(clip, call),
            desc="selfrecon",
        )
        avatar = _finish(fit, body, history, call)
    clip.save_avatar("selfrecon", avatar, made_from=(*NEEDS, "canonical", "normals"))
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return avatar


def _film(clip, body: Body, options: Options) -> Footage:
    """The frames to use, undistorted and resized."""
    pictures = load_training_pictures(clip, body.camera, image_scale=options.image_scale)
    which = trained_frames(body, options.hold_out)
    which = which[spread_indices(len(which), MOST)]
    normals = None
    if clip.has("normals"):
        normals = undistort_images(as_picture(clip.normals.vectors), body.camera)[0]
        normals = resized_images(normals, pictures.camera)
    return footage(pictures.frames, pictures.alpha, pictures.camera, which, normals)


def _misfit(body: Body, model, film: Footage) -> float:
    """Mean metres that the bare body reaches out of the silhouettes, which only wrong poses explain."""
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
    fit = {name: value for name, value in call["fit"].items() if name != "model_file"}  # its hash counts
    return hashlib.sha256(json.dumps([inputs, call | {"fit": fit}], sort_keys=True).encode()).hexdigest()


def _finish(fit: Fit, body: Body, history: dict, call: dict) -> MeshAvatar:
    """The avatar on a mesh of half the triangle sides, with colours from all frames."""
    finer, faces = subdivision(fit.faces, len(fit.vertices))
    shrunk = finer[: len(fit.vertices)] @ fit.vertices
    # Subdivision moves vertices inwards, so it starts from vertices moved outwards by as much.
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
    held = np.zeros(0, int)
    if fit.options.hold_out:
        held = np.setdiff1d(np.arange(len(body))[body.valid], fit.film.which)
    return MeshAvatar(made, fit.canonical, refined, fit.model, held, history, call, fit.options.model_file)
