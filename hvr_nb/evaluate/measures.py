"""The figures that a notebook checks and keeps: one call a stage, plain numbers, truth where it is known."""

from __future__ import annotations

import numpy as np

from hvr_nb.body.model import BodyModel
from hvr_nb.evaluate.contrast import alike_outline
from hvr_nb.evaluate.cross_view import avatar_figures, view_figures
from hvr_nb.evaluate.stages import (
    body_quality,
    find_truth,
    frame_quality,
    keypoint_quality,
    lift_gain,
    limb_quality,
    mask_quality,
    novel_view_quality,
)
from hvr_nb.fit.solve import fit_report
from hvr_nb.methods import Avatar
from hvr_nb.render.pictures import Pictures
from hvr_nb.store.clip import Clip
from hvr_nb.types import Body, Joints3D, Keypoints, Masks, Tracks


def measure_keypoints(clip: Clip, keypoints: Keypoints, tracks: Tracks | None = None) -> dict[str, float]:
    """Stage 01: found_pct and filled_pct of the frames, people in view; joint errors where truth is known.

    Args:
        keypoints: of the clip's T frames. tracks: all people who were tracked; None for imported joints.
    """
    truth = find_truth(clip)
    out = keypoint_quality(keypoints, truth) if truth else {"found_pct": float(100 * keypoints.found.mean())}
    out["filled_pct"] = float(100 * keypoints.filled.mean())
    return out | ({"people": len(tracks.boxes)} if tracks else {})


def measure_masks(clip: Clip, masks: Masks) -> dict[str, float]:
    """Stage 02: how much of the picture the person covers, and how well its outline can be told by colour.

    Returns:
        cover_pct: share of the pictures in which the person was found. alike_pct: share of the outlines with
        alike colours on both sides. With truth, the silhouettes' overlap with it.
    """
    truth = find_truth(clip)
    shares = [(masks.alpha[t] > 127).mean() for t in np.flatnonzero(clip.keypoints.found)]
    return {
        "cover_pct": float(100 * np.mean(shares or [0.0])),
        "alike_pct": 100 * alike_outline(clip.frames, masks.alpha),
        **(mask_quality(masks, truth) if truth else {}),
    }


def measure_body(
    clip: Clip,
    body: Body,
    model: BodyModel,
    *,
    lifted: Joints3D | None = None,
    detected: Joints3D | None = None,
) -> dict[str, object]:
    """Stage 03: how well the body explains joints and silhouettes; errors where truth is known.

    Args:
        body: of the clip's T frames. model: its body model.
        lifted: the lifted skeleton. detected: the detector's own; both are measured against truth only.

    Returns:
        the figures of ``fit_report`` and ``view_figures``; with truth also mpjpe_mm and pampjpe_mm, and the
        same with ``lift_`` and ``detector_`` for the skeletons; millimetres.
    """
    out, truth = fit_report(body, clip.keypoints, clip.masks, model), find_truth(clip)
    out |= view_figures(body, clip.masks, model)
    if truth is None:
        return out
    out |= body_quality(body, truth, model)
    for prefix, skeleton in (("lift_", lifted), ("detector_", detected)):
        out |= limb_quality(skeleton, truth, prefix=prefix) if skeleton is not None else {}
    return out


def measure_lift(clip: Clip, lifted: Joints3D, model: BodyModel) -> dict[str, float]:
    """Stage 03: the fit of a few frames without a lifted skeleton (``plain_``) and with it (``lifted_``)."""
    return lift_gain(clip, lifted, model, truth=find_truth(clip))


def held_out_frames(avatar: Avatar) -> np.ndarray:
    """(N,) frames that were kept out of training, or all where none were."""
    return np.asarray(avatar.held_out if len(avatar.held_out) else range(len(avatar.body)))


def measure_avatar(clip: Clip, avatar: Avatar, pictures: Pictures) -> dict[str, float]:
    """Stage 06: ``frame_quality`` of the frames kept out of training, each with ``heldout_`` before it, and
    the outline of the avatar against the silhouettes (``avatar_figures``).

    Args:
        pictures: the training views, one a frame of the clip.
    """
    which = held_out_frames(avatar)
    found = frame_quality(pictures, clip.frames, clip.masks, which)
    out = {f"heldout_{key.replace('psnr_body', 'body_psnr')}": value for key, value in found.items()}
    out |= avatar_figures(avatar, clip.masks, pictures.alpha)
    return out | {"held_out_frames": len(avatar.held_out)}


def compare_unseen(
    clip: Clip, avatar: Avatar, *, limit: int = 0
) -> tuple[dict[str, float], list[np.ndarray]]:
    """Stage 06: the avatar in views from cameras that filmed nothing, where truth is known; else nothing.

    Args:
        limit: pictures compared per camera; 0: all.

    Returns:
        figures with ``novel_`` before them, and the pairs avatar | truth, (H, W, 3) uint8, both over black.
    """
    truth = find_truth(clip)
    if truth is None:
        return {}, []
    found, pairs = novel_view_quality(avatar, avatar.body, truth, avatar.model, limit=limit)
    return found, [np.concatenate(pair, axis=1) for pair in pairs]
