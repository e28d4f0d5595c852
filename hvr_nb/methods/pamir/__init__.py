"""A clothed, textured mesh for every single frame, from an occupancy conditioned on pixels and on the body.

After Zheng, Yu, Liu and Dai, "PaMIR: Parametric Model-Conditioned Implicit Representation for Image-based
Human Reconstruction", 2021 (docs/pamir.md): it needs no turn, and one photograph is enough. Beyond the paper,
the frames of a film are made coherent.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from dataclasses import asdict, replace

import numpy as np

from hvr_nb.body.model import BodyModel
from hvr_nb.canonical.binding import pose_skin
from hvr_nb.learning.progress import Watch
from hvr_nb.methods._clip import fitted_body, load_training_pictures, teller
from hvr_nb.methods.pamir.avatar import FrameAvatar, digests_of, load
from hvr_nb.methods.pamir.crop import make_crops
from hvr_nb.methods.pamir.film import PersonFilm
from hvr_nb.methods.pamir.options import Options
from hvr_nb.methods.pamir.prediction import Prediction
from hvr_nb.methods.pamir.work import Work
from hvr_nb.threads import one_thread
from hvr_nb.types import Body, Canonical, HvrError

NEEDS = ("frames", "masks", "body")
GIVES = FrameAvatar.GIVES
WORK = 2  # of the files of a stopped run; raised where they come to mean something else
THERE = 0.2  # share of the body that lies in the mask of a frame whose picture is used

__all__ = ["GIVES", "NEEDS", "Options", "load", "reconstruct"]


def reconstruct(
    clip,
    options: Options | None = None,
    *,
    device: str = "auto",
    seed: int = 0,
    progress: Watch | None = None,
) -> FrameAvatar:
    """Make a mesh of every frame of a clip's person and save them into ``<clip>/avatars/pamir``.

    A run that was stopped continues with the frame it was at and ends with the same avatar.

    Args:
        options: None takes all defaults.
        device: "cpu", "cuda" or "auto", for the networks. seed: taken as by every method; nothing is drawn.
        progress: told of every frame, twice: its occupancies, its mesh. Where it answers True the run stops.

    Raises:
        HvrError: a stage before is missing, the model is not the one the body was fitted with, or the
            weights cannot be read; or ``progress`` has stopped the run.
    """
    options = options or Options()
    clip.require(*NEEDS)
    model, body, canonical = fitted_body(clip, options.model_file)
    film = _film(clip, model, body, canonical, options)
    prediction = Prediction(options.weights, model, device)
    call = {"model_hash": model.hash, "fit": asdict(options), "weights": prediction.whose}
    folder = clip.avatar_folder("pamir")
    every = np.flatnonzero(body.valid)
    held = every[every % options.hold_out == options.hold_out - 1] if options.hold_out else every[:0]
    with one_thread():
        work = Work(
            film,
            prediction,
            prediction.side,
            tuple(clip.frame_names),
            options,
            folder / "work",
            _identity(clip, call | {"weights_file": prediction.digest}),
        )
        mean, history = work.run(teller(progress, work.steps, held, lambda: film.camera, work.draw))
    avatar = FrameAvatar(
        mean,
        canonical,
        replace(body, camera=film.camera) if options.image_scale == 1 else body,
        model,
        film.crops,
        work.names,
        work.folder,
        digests_of(work.folder, work.names),
        held,
        history,
        call,
        options.model_file,
    )
    clip.save_avatar("pamir", avatar, made_from=(*NEEDS, "canonical"))
    shutil.rmtree(work.folder)
    return replace(avatar, source=folder)


def _film(clip, model: BodyModel, body: Body, canonical: Canonical, options: Options) -> PersonFilm:
    """The frames and masks, undistorted and resized, with the body posed in each."""
    pictures = load_training_pictures(clip, body.camera, image_scale=options.image_scale)
    skin = pose_skin(model, body.betas, body.poses, body.transl)
    crops = make_crops(skin.vertices.astype(np.float64), pictures.camera)
    film = PersonFilm(
        pictures.frames, pictures.alpha, pictures.camera, crops, skin, canonical, np.flatnonzero(body.valid)
    )
    there = film.used[[film.covered(k) > THERE for k in film.used]]
    if len(there) < len(film.used):
        lost = ", ".join(clip.frame_names[k] for k in np.setdiff1d(film.used, there))
        warnings.warn(
            f"the masks show nobody where the body stands in {lost}; look at 02_masks", stacklevel=3
        )
    if options.hold_out:
        there = there[there % options.hold_out != options.hold_out - 1]
    if not len(there):
        raise HvrError(
            "no frame shows the person where the body stands; raise hold_out, or look at 02_masks and 03_body"
        )
    return replace(film, used=there)


def _identity(clip, call: dict) -> str:
    """What the work's files belong to: the options and the clip's artefacts."""
    inputs = [clip.fingerprint(a) for a in (*NEEDS, "canonical")]
    fit = {name: value for name, value in call["fit"].items() if name not in ("model_file", "weights")}
    made_from = json.dumps([WORK, inputs, call | {"fit": fit}], sort_keys=True)
    return hashlib.sha256(made_from.encode()).hexdigest()
