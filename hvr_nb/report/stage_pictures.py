"""What a stage of a clip left to look at: pictures, curves over seconds, the worst frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hvr_nb.body.model import BodyModel, load_body_model
from hvr_nb.drawing.pictures import contact_sheet
from hvr_nb.drawing.shading import body_from_sides
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.methods import Avatar
from hvr_nb.metrics.quantities import quantity
from hvr_nb.render.pictures import load_pictures
from hvr_nb.report.curves import Curve
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image
from hvr_nb.types import HvrError
from hvr_nb.viewing.saved import strip
from hvr_nb.viewing.views import as_view

MOST_PAIRS = 4  # held-out frames beside the avatar


def worst_frame(clip: Clip) -> tuple[int, str]:
    """The frame in which body and silhouette overlap least, and a sentence on it; -1 and "" without 03."""
    overlap = np.asarray(clip.metrics.get("03_body", {}).get("iou", []), float)
    if len(overlap) != len(clip) or not np.isfinite(overlap).any():
        return -1, ""
    worst = int(np.nanargmin(overlap))
    return worst, (
        f"frame {clip.frame_names[worst]} at {clip.times[worst]:.2f} s: body and silhouette overlap by "
        f"{overlap[worst]:.2f}, {np.nanmean(overlap):.2f} on average"
    )


def finished_avatar(clip: Clip, method: str) -> Avatar | None:
    """The avatar of a method, or None where there is none to read."""
    try:
        return clip.avatar(method) if method else None
    except HvrError:
        return None


def stage_curves(clip: Clip, stage: str, series: Mapping[str, object], avatar: Avatar | None) -> list[Curve]:
    """The (T,) series of a stage over the clip's seconds; of 05 the course of the avatar's training."""
    worst = worst_frame(clip)[0]
    found = [
        Curve(quantity(name).label, values, clip.times, quantity(name).unit, worst if name == "iou" else -1)
        for name, values in series.items()
    ]
    history = avatar.history if avatar is not None and stage == "05_train" else {}
    if {"seconds", "psnr_body"} <= set(history):
        along = "seconds of training"
        found.append(
            Curve("training frames, body pixels", history["psnr_body"], history["seconds"], "dB", along=along)
        )
    return found


def stage_pictures(clip: Clip, stage: str, avatar: Avatar | None, renders: Path) -> dict[str, np.ndarray]:
    """caption -> (H, W, 3) uint8 picture of what the stage made.

    Args:
        avatar: the one that is shown, if any. renders: folder of its pictures.
    """
    if stage == "01_keypoints" and clip.has("keypoints"):
        return {"joints over the frames": strip(as_view(clip.keypoints, over=clip.frames))}
    if stage == "02_masks" and clip.has("masks"):
        return {"silhouettes over the frames": strip(as_view(clip.masks, over=clip.frames))}
    if stage == "03_body" and (model := _model(clip, avatar)) is not None:
        view = as_view(clip.body, over=clip.frames, model=model)
        return {
            "the body over the frames": strip(view),
            "the body from four sides": body_from_sides(clip.body, model),
        }
    if stage == "04_canonical" and clip.has("canonical"):
        return {"the big pose, coloured by parts": strip(as_view(clip.canonical))}
    if stage == "05_train" and avatar is not None:
        return _pairs(clip, avatar, renders / "frames")
    if stage == "06_render":
        return _render_pictures(renders)
    return {}


def _model(clip: Clip, avatar: Avatar | None) -> BodyModel | None:
    """The body model that the clip's body was fitted with, or None where it is not at hand."""
    if not clip.has("body"):
        return None
    model = load_body_model()
    if clip.body.model_hash != model.hash:
        model = None if avatar is None else avatar.model
    return model if model is not None and clip.body.model_hash == model.hash else None


def _pairs(clip: Clip, avatar: Avatar, folder: Path) -> dict[str, np.ndarray]:
    """Frames kept out of training beside the avatar in their pose, where they were rendered."""
    if not (folder / "manifest.json").exists():
        return {}
    held = np.asarray(avatar.held_out if len(avatar.held_out) else range(len(clip)), int)
    shown = held[spread_indices(len(held), MOST_PAIRS)]
    names = [clip.frame_names[i] for i in shown]
    drawn = load_pictures(folder, names).on()
    pairs = [np.concatenate([clip.frames[i], image], axis=1) for i, image in zip(shown, drawn, strict=True)]
    kind = "frames kept out of training" if len(avatar.held_out) else "frames"
    titles = [f"frame {name}" for name in names]
    return {f"{kind}: filmed, avatar": contact_sheet(pairs, titles, columns=2, tile=260)}


def _render_pictures(folder: Path) -> dict[str, np.ndarray]:
    """The turntable and the novel poses of a method's renders, where there are any."""
    found = {}
    for name, caption in (("turntable", "turntable"), ("novel_poses", "poses never filmed")):
        if (folder / name / "manifest.json").exists():
            made = load_pictures(folder / name)
            shown = made.at(spread_indices(len(made.rgb), 8))
            found[caption] = contact_sheet(list(shown.on()), tile=200)
    if (folder / "coverage.png").exists():
        found["surface that was filmed"] = read_image(folder / "coverage.png", remedy="run 06_render again")
    return found
