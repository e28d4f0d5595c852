"""Do the views of a turn agree? Figures of a body or an avatar that need no truth.

Every view can bend a body its own way until the overlays look right. Turned to another heading, the pose
of one frame meets the mask of another, and what the frame's own view hides shows.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.headings import FULL_TURN, turn_shown
from hvr_nb.body.model import BodyModel, posed
from hvr_nb.fit.outlines import body_silhouettes
from hvr_nb.geometry.camera import resized_images
from hvr_nb.geometry.raster import rasterize
from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.methods import Avatar
from hvr_nb.metrics.images import iou
from hvr_nb.types import Body, Masks

SECTORS = 12  # sectors of headings; the frame nearest to the middle of each takes part
SIDE = 384  # pixels, the larger side at which silhouettes are compared
APART = 45.0  # degrees between the headings of two frames from which their views count as different
EVERY = 7  # of the pairs an avatar is posed in: a surface takes longer than a body
SKIN = ("face", "left arm", "right arm", "left leg", "right leg")
NEAR = 0.03  # of the person's height: how far from skin the body's outline is compared with the mask's


def crossed(body: Body) -> tuple[Body, np.ndarray]:
    """Poses of some frames of a turn at the place and heading of others.

    Frame i is turned about the world's Y axis to the heading of frame j, and its pelvis is put where j has
    it, for all pairs of one frame in each of ``SECTORS`` headings that are at least ``APART`` apart.

    Returns:
        Body of P pairs, and (P,) the frames j whose masks they should fill. P is 0 where the person shows
        less than ``FULL_TURN``.
    """
    frames = np.flatnonzero(body.valid)
    if turn_shown(body) < FULL_TURN:
        return body.frame(frames[:0]), frames[:0]
    ahead = Rotation.from_rotvec(body.global_orient[frames]).apply([0.0, 0.0, 1.0])
    heading = np.degrees(np.arctan2(ahead[:, 0], ahead[:, 2]))
    width = 360 / SECTORS
    off = np.abs((heading + 180) % width - width / 2)
    sector = ((heading + 180) // width).astype(int)
    chosen = [np.flatnonzero(sector == s)[off[sector == s].argmin()] for s in np.unique(sector)]
    apart = (np.subtract.outer(heading[chosen], heading[chosen]) + 180) % 360 - 180  # [j, i]
    j, i = np.nonzero(np.abs(apart) >= APART)
    pose, place = (frames[np.asarray(chosen)[k]] for k in (i, j))
    turn = Rotation.from_rotvec(np.radians(apart[j, i])[:, None] * [0.0, 1.0, 0.0])
    orient = (turn * Rotation.from_rotvec(body.global_orient[pose])).as_rotvec()
    return replace(body.frame(pose), global_orient=orient, transl=body.transl[place]), place


def cross_view_iou(body: Body, masks: Masks, model: BodyModel, *, draw=None, every: int = 1) -> float:
    """Mean IoU of the pose of one frame, turned to the heading of another, with that one's mask.

    Args:
        masks: of the body's T frames. draw: body of P frames -> silhouettes (P, H, W); None draws the bare
            body, an avatar's silhouettes may be given instead. every: take one pair in so many.

    Returns:
        IoU; NaN where the person does not show a full turn.
    """
    turned, frames = crossed(body)
    if not len(frames):
        return float("nan")
    turned, frames = turned.frame(slice(None, None, every)), frames[::every]
    turned = replace(turned, camera=turned.camera.at_most(SIDE))
    alpha = resized_images(masks.alpha[frames], turned.camera)
    return float(np.mean(iou(body_silhouettes(turned, model) if draw is None else draw(turned), alpha)))


def skin_iou(body: Body, masks: Masks, model: BodyModel) -> float:
    """Mean overlap of body and mask where skin is seen: face, arms and legs, and background near them.

    Cloth and hair stand off a body, so elsewhere an honest body does not fill the mask.

    Returns:
        IoU; NaN without labels, or where no frame shows skin.
    """
    if masks.labels is None:
        return float("nan")
    names = LABEL_NAMES[masks.label_set]
    numbers = [names.index(name) for name in SKIN]
    values = []
    for t in np.flatnonzero(body.valid):
        inside = masks.alpha[t] > 127
        skin = np.isin(masks.labels[t], numbers) & inside
        if not skin.any():
            continue
        reach = max(1, round(NEAR * np.ptp(np.flatnonzero(inside.any(1)))))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        near = (cv2.dilate(skin.astype(np.uint8), disc) > 0) & (skin | ~inside)
        values.append(iou(body_silhouettes(body.frame(int(t)), model)[0] & near, skin))
    return float(np.mean(values)) if values else float("nan")


def bend(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """(...,) degrees by which the chain of points a, b, c (..., 3) is bent at b; 0 is straight."""
    upper, lower = b - a, c - b
    size = np.linalg.norm(upper, axis=-1) * np.linalg.norm(lower, axis=-1)
    cosine = (upper * lower).sum(-1) / np.maximum(size, 1e-12)
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def knee_bends(body: Body, model: BodyModel) -> np.ndarray:
    """(T, 2) degrees by which left and right knee are bent; the rest pose has straight legs."""
    joints = np.concatenate([posed(model, body)[1], posed(model, at_rest(body))[1]])
    bends = bend(joints[:, [1, 2]], joints[:, [4, 5]], joints[:, [7, 8]])
    return bends[:-1] - bends[-1]


def at_rest(body: Body) -> Body:
    """One frame of the same shape in the rest pose."""
    return replace(body.frame(0), body_pose=np.zeros((1, 69)))


def view_figures(body: Body, masks: Masks, model: BodyModel) -> dict[str, float]:
    """cross_view_iou, skin_iou and knee_deg, the median bend; what is not known is left out."""
    knees = knee_bends(body, model)[body.valid]
    found = {
        "cross_view_iou": cross_view_iou(body, masks, model),
        "skin_iou": skin_iou(body, masks, model),
        "knee_deg": float(np.median(knees)) if len(knees) else float("nan"),
    }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def surface_silhouettes(avatar: Avatar, body: Body) -> np.ndarray:
    """(T, H, W) bool silhouettes of an avatar's ``surface`` in T poses, seen by their own camera."""
    meshes = (avatar.surface(body.frame(t)) for t in range(len(body)))
    return np.stack([rasterize(mesh.vertices, mesh.faces, body.camera)[1] >= 0 for mesh in meshes])


def avatar_figures(avatar: Avatar, masks: Masks, alpha: np.ndarray) -> dict[str, float]:
    """How well an avatar's outline meets the silhouettes of the clip.

    Args:
        masks: of the T frames of the clip. alpha: (T, H, W) uint8 coverage of the training views.

    Returns:
        render_iou: mean IoU of the training views with the masks; cross_view_avatar_iou: that of
        ``cross_view_iou`` for the avatar's surface, left out where it is not known.
    """
    valid = np.flatnonzero(avatar.body.valid)
    out = {"render_iou": float(np.mean(iou(alpha[valid], masks.alpha[valid])))}
    if "surface" in avatar.GIVES:
        draw = functools.partial(surface_silhouettes, avatar)
        crossing = cross_view_iou(avatar.body, masks, avatar.model, draw=draw, every=EVERY)
        out |= {"cross_view_avatar_iou": crossing} if np.isfinite(crossing) else {}
    return out
