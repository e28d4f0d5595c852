"""The clothed surface of a clip's person, from which several methods start (docs/surface.md, 2)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hvr_nb.body.model import posed
from hvr_nb.geometry.camera import resized_images, undistort_images
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.rays import outline_gaps
from hvr_nb.learning.loop import train
from hvr_nb.learning.progress import Watch
from hvr_nb.methods._clip import fitted_body, load_training_pictures, teller, trained_frames
from hvr_nb.surface.clothed.finish import ClothedSurface, finished
from hvr_nb.surface.clothed.fit import ROUNDS, Fit, Footage, footage
from hvr_nb.surface.clothed.options import ShapeOptions
from hvr_nb.surface.normal_maps import as_picture
from hvr_nb.threads import one_thread
from hvr_nb.types import Body

READS = ("frames", "masks", "body", "canonical", "normals")  # artefacts of the clip that the shape depends on
MISFIT = 0.001  # metres that the body reaches out of its silhouettes from which on poses are refined
MOST = 90  # frames used: more add time, not shape


@dataclass(frozen=True)
class Shaped:
    """What ``shape_clothed`` found."""

    fit: Fit  # with the film, the canonical space, the refined poses and the body model
    surface: ClothedSurface
    body: Body  # the clip's body with the refined poses
    held_out: np.ndarray  # (N,) frames kept out
    history: dict  # by rounds: step, seconds, iou, psnr_body
    call: dict  # the options as used, and the steps of cloth over cloth

    @property
    def complete(self) -> bool:
        """Whether no round was left out."""
        return self.history["step"][-1] == ROUNDS


def shape_clothed(
    clip, options: ShapeOptions, *, checkpoint: Path, seed: int, progress: Watch | None
) -> Shaped:
    """The clothed surface of a clip's person in the big pose.

    A run that was stopped continues after the last finished round in ``checkpoint`` and ends the same. Where
    ``progress`` answers True the surface is made after fewer rounds.

    Raises:
        HvrError: the model is not the one the body was fitted with, or too few frames are left.
    """
    model, body, canonical = fitted_body(clip, options.model_file)
    film, held = training_film(clip, body, options)
    misfit = _misfit(body, model, film)
    options = replace(options, refine_pose=options.refine_pose and misfit > MISFIT)
    fit = Fit(body, film, canonical, model, options)
    call = {"model_hash": model.hash, "fit": asdict(options), "misfit": misfit}
    with one_thread():
        history = train(
            fit.step,
            {"fit": fit},
            iters=ROUNDS,
            seed=seed,
            checkpoint=checkpoint,
            every=1,
            log_every=1,
            identity=_identity(clip, call),
            desc="surface",
            progress=teller(progress, ROUNDS, held, lambda: film.camera, fit.draw),
        )
        layers = options.layers and history["step"][-1] == ROUNDS
        surface, steps = finished(fit, layers=layers)
    call = call | ({"layers": steps} if layers else {})
    refined = replace(body, global_orient=fit.poses[:, :3], body_pose=fit.poses[:, 3:], transl=fit.transl)
    return Shaped(fit, surface, refined, held, history, call)


def training_film(clip, body: Body, options: ShapeOptions) -> tuple[Footage, np.ndarray]:
    """The frames to use, undistorted and resized, and those that are kept out: (H,) their numbers.

    Raises:
        HvrError: too few frames are left.
    """
    pictures = load_training_pictures(clip, body.camera, image_scale=options.image_scale)
    which = trained_frames(body, options.hold_out)
    which = which[spread_indices(len(which), MOST)]
    normals = None
    if clip.has("normals"):
        normals = undistort_images(as_picture(clip.normals.vectors), body.camera)[0]
        normals = resized_images(normals, pictures.camera)
    held = np.zeros(0, int)
    if options.hold_out:
        held = np.setdiff1d(np.arange(len(body))[body.valid], which)
    return footage(pictures.frames, pictures.alpha, pictures.camera, which, normals, pictures.cloth), held


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
    inputs = [clip.fingerprint(a) for a in READS]
    fit = {name: value for name, value in call["fit"].items() if name != "model_file"}  # its hash counts
    return hashlib.sha256(json.dumps([inputs, call | {"fit": fit}], sort_keys=True).encode()).hexdigest()
