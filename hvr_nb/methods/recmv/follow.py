"""The garments of one clip in another, where the person moves freely: shape kept, motion fitted.

What REC-MV (Qiu et al., CVPR 2023) does for large poses, by our means: the outlines of all frames correct the
poses, then every frame takes a displacement of its own (docs/surface.md, 14).
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from hvr_nb.body.kinematics import turn_joints
from hvr_nb.body.model import check_same_model
from hvr_nb.canonical.binding import pose_skin
from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.learning.progress import Watch
from hvr_nb.methods._clip import fitted_body, teller
from hvr_nb.methods._clothed import training_film
from hvr_nb.methods.recmv.avatar import GarmentAvatar, Wrinkles, load
from hvr_nb.methods.recmv.options import Options
from hvr_nb.metrics.images import iou, psnr
from hvr_nb.surface.clothed.fit import Footage
from hvr_nb.surface.clothed.motion import bumps, heights, middles
from hvr_nb.surface.clothed.options import ShapeOptions
from hvr_nb.surface.clothed.pose import correction
from hvr_nb.surface.rim import find_rim, shared_edges
from hvr_nb.types import HvrError

ROUNDS = 4  # three correct the poses, the last one finds the displacements
LOOKED_AT = 6  # frames that the figures are measured in


def load_worn(source: str) -> GarmentAvatar:
    """The garments to keep: of a clip's folder, or of a saved avatar's.

    Raises:
        HvrError: there are none.
    """
    folder = Path(source)
    if not (folder / "wardrobe.npz").is_file():
        folder = folder / "avatars" / "recmv"
    if not (folder / "wardrobe.npz").is_file():
        raise HvrError(
            f"garments_from is {source}, where no garments are; give the folder of a clip in which the same "
            "person turns, after 05_train with method recmv"
        )
    return load(folder)


def followed(clip, worn: GarmentAvatar, options: Options, *, progress: Watch | None = None) -> GarmentAvatar:
    """The person of a clip in the garments of an avatar of the same person, which keep their shape.

    Args:
        worn: its wardrobe and its betas are taken; the poses are the clip's.
        progress: told of every round; where it answers True the run stops.

    Raises:
        HvrError: the clip's body is of another model, too few frames are left, or ``progress`` stopped it.
    """
    model, body, _ = fitted_body(clip, options.model_file)
    remedy = "fit both clips with one body model (03_body.model_file)"
    check_same_model("the garments", worn.model.hash, model.hash, remedy, name=model.name)
    body = replace(body, betas=worn.body.betas)
    film, held = training_film(
        clip, body, ShapeOptions(image_scale=options.image_scale, hold_out=options.hold_out)
    )
    made = worn.made
    centres = worn.wrinkles.centres if len(worn.wrinkles.centres) else middles(made.vertices)
    still = Wrinkles(worn.wrinkles.light, centres, np.zeros((len(body), len(centres))))
    now = [replace(worn, body=body, wrinkles=still, held_out=held)]
    tell = teller(progress, ROUNDS, held, lambda: film.camera, lambda k, camera: _picture(now[0], k, camera))
    history: dict[str, list[float]] = {name: [] for name in ("step", "seconds", "iou", "psnr_body")}
    began = time.monotonic()
    with tqdm(total=ROUNDS, desc="motion", unit="round", leave=False) as bar:
        for k in range(ROUNDS):
            if k < ROUNDS - 1 and options.refine_pose:
                now[0] = _reposed(now[0], film)
            elif k == ROUNDS - 1 and options.motion:
                now[0] = _displaced(now[0], film)
            row = {"step": k + 1, "seconds": time.monotonic() - began, **_figures(now[0], film)}
            for name, value in row.items():
                history[name].append(value)
            bar.set_postfix(iou=f"{row['iou']:.3f}", refresh=False)
            bar.update()
            if tell is not None and tell(k + 1, history) and k < ROUNDS - 1:
                raise HvrError(f"recmv was stopped after {k + 1} of {ROUNDS} rounds; run it again")
    kept = ("frames_of_kinds", "curve_errors", "cell")  # what the garments were made with
    found = {name: worn.options[name] for name in kept if name in worn.options}
    return replace(now[0], history=history, options=asdict(options) | found)


def _reposed(avatar: GarmentAvatar, film: Footage) -> GarmentAvatar:
    """The avatar whose poses the outlines have corrected once."""
    body = avatar.body
    skin = pose_skin(avatar.model, body.betas, body.poses, body.transl)
    rims, _ = _rims(avatar, film)
    parents = avatar.model.parents
    step = correction(rims, skin, avatar.skin_weights(), parents, film.which, len(body))
    poses, transl = turn_joints(body.poses.astype(np.float64), body.transl.astype(np.float64), *step, parents)
    return replace(
        avatar, body=replace(body, global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=transl)
    )


def _displaced(avatar: GarmentAvatar, film: Footage) -> GarmentAvatar:
    """The avatar whose frames have displacements of their own."""
    rims, normals = _rims(avatar, film)
    basis = bumps(avatar.made.vertices, avatar.wrinkles.centres)
    found = heights(rims, normals, basis, film.which, len(avatar.body))
    return replace(avatar, wrinkles=replace(avatar.wrinkles, heights=found))


def _rims(avatar: GarmentAvatar, film: Footage):
    """Rims and world normals (V, 3) of all layers together in the film's frames."""
    faces = avatar.made.faces
    edges, rims, normals = shared_edges(faces), [], []
    for k, distance in zip(film.which, film.distances, strict=True):
        x = avatar.surface(avatar.body.frame(int(k))).vertices.astype(np.float64)
        rims.append(find_rim(x, faces, edges, film.camera, distance))
        normals.append(vertex_normals(x, faces))
    return rims, normals


def _figures(avatar: GarmentAvatar, film: Footage) -> dict[str, float]:
    """Overlap of the outlines, and PSNR on the person's pixels, in a few frames."""
    overlap, quality = [], []
    for n in spread_indices(len(film.which), LOOKED_AT):
        k, inside = int(film.which[n]), film.alpha[n] > 127
        drawn = avatar.render(film.camera, avatar.body.frame(k), frame=k)
        overlap.append(iou(drawn.alpha > 0.5, inside))
        quality.append(psnr(drawn.rgb, film.frames[n].astype(np.float32) / 255, inside))
    return {"iou": float(np.mean(overlap)), "psnr_body": float(np.mean(quality))}


def _picture(avatar: GarmentAvatar, frame: int, camera) -> np.ndarray:
    """A frame (H, W, 3) uint8 as the avatar is now, over black."""
    return to_uint8(avatar.render(camera, avatar.body.frame(frame), frame=frame).rgb)
