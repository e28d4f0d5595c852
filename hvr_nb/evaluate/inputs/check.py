"""Which input is wrong, and how: frames, masks, camera and body of a clip looked at together.

``check_inputs`` lays the body over the masks of frames spread over the clip and says in sentences what
does not fit and what to do about it, with a picture; the errors are those that users of such data make
(docs/formats.md, 12). It asks nothing of a method.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hvr_nb.body.model import BodyModel, load_body_model, posed
from hvr_nb.evaluate.inputs.body import POOR, place_findings, turn_findings
from hvr_nb.evaluate.inputs.finding import Finding
from hvr_nb.evaluate.inputs.picture import inputs_picture
from hvr_nb.evaluate.inputs.place import Sight, best_shift, place, small_sight
from hvr_nb.evaluate.inputs.rest import camera_findings, frame_findings, mask_findings, normal_findings
from hvr_nb.geometry.camera import resized_images
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.store.clip import Clip
from hvr_nb.types import Body, Camera, HvrError

LOOKED_AT, SHOWN = 16, 8  # frames
_ORDER = ("fault", "doubt", "remark")


@dataclass(frozen=True)
class InputCheck:
    """What ``check_inputs`` found; printed, it gives one sentence a line, the gravest first."""

    findings: tuple[Finding, ...]
    picture: np.ndarray = field(repr=False)  # (H, W, 3) uint8, masks against the projected body
    overlap: float  # mean IoU of body and masks

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that spoil a result."""
        return tuple(f for f in self.findings if f.level == "fault")

    def __repr__(self) -> str:
        lines = [f"{f.level}: {f.text}." for f in self.findings] or ["the inputs fit each other"]
        return "\n".join([*lines, f"Body and masks overlap by {self.overlap:.2f} in the mean."])


def check_inputs(clip: Clip, model: BodyModel | None = None) -> InputCheck:
    """Say which input of a clip is wrong and how; nothing is changed.

    Args:
        clip: has masks and body. model: that of the body; None takes ``load_body_model()``.

    Raises:
        HvrError: masks or body are not there, or the body has not one pose a frame.
    """
    clip.require("frames", "masks", "body")
    body, model = clip.body, model or load_body_model()
    frames, alpha, names = clip.frames, clip.masks.alpha, clip.frame_names
    if len(body) != len(frames):
        raise HvrError(
            f"{clip.path('body')} has {len(body)} poses for {len(frames)} frames; run 03_body again"
        )
    height, width = frames.shape[1:3]
    camera = replace(body.camera, width=width, height=height)
    there = alpha.reshape(len(alpha), -1).max(1) > 127
    some = _spread(there & body.valid)
    sight = small_sight(posed(model, body.frame(some))[0], model.faces, camera, alpha[some])
    at, seen = place(sight), [names[k] for k in some]
    overlap = float(at.overlap.mean())
    lens = camera_findings(body.camera, width, height)
    found = [
        *frame_findings(names, there, body.valid),
        *lens,
        *turn_findings(body),
        *mask_findings(sight, sight.silhouettes(), at.overlap, seen),
        *normal_findings(
            sight,
            _small_normals(clip, some, sight.camera),
            wanted=clip.info["source"].get("format") == "selfrecon",
        ),
    ]
    if at.turned or not any(f.level == "fault" for f in lens):  # else it follows from the camera
        shift = 0 if at.turned or overlap >= POOR else _shift(body, model, camera, alpha, some, overlap)
        tall = np.median([np.ptp(np.flatnonzero(alpha[k].max(1) > 127)) if there[k] else 0 for k in some])
        found += place_findings(at, seen, height=float(tall), shift=shift)
    shown = spread_indices(len(some), SHOWN)
    captions = [f"{seen[k]}: {at.overlap[k]:.2f}" for k in shown]
    picture = inputs_picture(
        frames[some[shown]], alpha[some[shown]], sight.vertices[shown], model.faces, camera, captions
    )
    return InputCheck(tuple(sorted(found, key=lambda f: _ORDER.index(f.level))), picture, overlap)


def _spread(usable: np.ndarray) -> np.ndarray:
    """Frames spread over those that are ``usable`` (T,) bool, or over all where none is."""
    frames = np.flatnonzero(usable) if usable.any() else np.arange(len(usable))
    return frames[spread_indices(len(frames), LOOKED_AT)]


def _shift(
    body: Body, model: BodyModel, camera: Camera, alpha: np.ndarray, some: np.ndarray, overlap: float
) -> int:
    """By how many frames the poses would fit the masks better."""

    def sight_of(poses: np.ndarray, masks: np.ndarray) -> Sight:
        return small_sight(posed(model, body.frame(poses))[0], model.faces, camera, alpha[masks])

    return best_shift(sight_of, some, len(alpha), overlap)


def _small_normals(clip: Clip, which: np.ndarray, camera: Camera) -> np.ndarray | None:
    if not clip.has("normals"):
        return None
    return resized_images(clip.normals.vectors[which], camera, nearest=True)
