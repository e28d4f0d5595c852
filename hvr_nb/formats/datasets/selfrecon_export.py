"""A clip as a SelfRecon data folder, with REC-MV's label maps (docs/formats.md, 7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hvr_nb.body.model import BodyModel, check_fitted_with, load_body_model
from hvr_nb.body.worlds import rest_pelvis, turned
from hvr_nb.formats.datasets.selfrecon_camera import picture_from_normals, values_from_camera
from hvr_nb.geometry.camera import undistort_images
from hvr_nb.masks.labels import to_atr
from hvr_nb.store.atomic_files import atomic_folder
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_image
from hvr_nb.types import Body

AROUND = 0.65  # half the side of a crop as a multiple of the larger side of the person's box


def write_selfrecon(clip: Clip, folder: str | Path, *, model: BodyModel | None = None) -> Path:
    """Export a clip as a data folder that SelfRecon reads.

    It has `imgs` with their `_rect.txt`, `masks`, `smpl_rec.npz`, `camera.npz` and, where the clip has them,
    `normals` and `parsing_SCH_ATR`. Frames are numbered from 0. Soft masks become binary, distortion is
    removed. `smpl_rec.npz` also says which model the shape belongs to (`model_hash`).

    Args:
        clip: with masks and body. folder: a new or empty one. model: None takes ``load_body_model()``.

    Raises:
        HvrError: something is missing in the clip, or the folder is not empty.
    """
    with atomic_folder(Path(folder), ours=set()) as new:
        fill_selfrecon(clip, new, model or load_body_model(), name=Path(folder).name)
    return Path(folder)


def fill_selfrecon(clip: Clip, new: Path, model: BodyModel, *, name: str) -> None:
    """Write the files of ``write_selfrecon`` into an empty folder; ``name`` is shown while it works."""
    clip.require("masks", "body")
    masks, body = clip.masks, clip.body
    check_fitted_with(model, body)
    frames, lens = undistort_images(clip.frames, body.camera)
    alpha, _ = undistort_images(masks.alpha, body.camera)
    theirs = seen_from_camera(replace(body, camera=lens), model)
    for k in tqdm(range(len(body)), desc=f"writing {name}", unit="frame"):
        person = alpha[k] > 127
        write_image(new / f"imgs/{k:06d}.png", frames[k])
        (new / f"imgs/{k:06d}_rect.txt").write_text(_square(person))
        write_image(new / f"masks/{k:06d}.png", np.where(person, 255, 0).astype(np.uint8))
        if clip.has("normals"):
            normals = clip.normals.vectors[k].astype(np.float32) / 127
            write_image(new / f"normals/{k:06d}.png", picture_from_normals(normals))
        if masks.labels is not None:
            (new / "parsing_SCH_ATR").mkdir(exist_ok=True)
            np.save(new / f"parsing_SCH_ATR/{k:06d}.npy", to_atr(masks.labels[k], label_set=masks.label_set))
    np.savez(
        new / "smpl_rec.npz",
        poses=theirs.poses.reshape(-1, 24, 3),
        trans=theirs.transl,
        shape=body.betas,
        gender=np.str_("neutral"),
        model_hash=np.str_(model.hash),
    )
    np.savez(new / "camera.npz", **values_from_camera(theirs.camera))


def seen_from_camera(body: Body, model: BodyModel) -> Body:
    """A body in SelfRecon's usual world, which has OpenCV's camera axes: y down, z forward."""
    camera = body.camera
    body = turned(body, camera.R, rest_pelvis(model, body.betas))
    still = replace(body.camera, R=np.eye(3), t=np.zeros(3))
    return replace(body, transl=body.transl + camera.t, camera=still)


def _square(person: np.ndarray) -> str:
    """The crop around a mask (H, W) bool as "x y w h"; a square, which may reach beyond the picture."""
    rows, cols = np.flatnonzero(person.any(1)), np.flatnonzero(person.any(0))
    if not len(rows):
        return ""
    radius = int(round(AROUND * max(np.ptp(rows) + 1, np.ptp(cols) + 1)))
    x, y = (int(round((a[0] + a[-1] + 1) / 2)) - radius for a in (cols, rows))
    return f"{x} {y} {2 * radius} {2 * radius}\n"
