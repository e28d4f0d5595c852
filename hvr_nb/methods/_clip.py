"""What methods read of a clip: body, frames and silhouettes; and how they tell of their progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hvr_nb.body.model import BodyModel, check_same_model, load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.geometry.camera import resized_images, undistort_images
from hvr_nb.learning.progress import Progress, Watch
from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.types import Body, Camera, Canonical, HvrError

SKETCH = 240  # pixels, the larger side of a picture that is drawn while a method works
CLOTH = ("upper clothes", "dress", "coat", "pants", "skirt", "jumpsuit", "belt")  # labels of clothes


@dataclass(frozen=True)
class TrainingPictures:
    """The frames and silhouettes that a method learns from."""

    frames: np.ndarray  # (T, H, W, 3) uint8 RGB, free of background where the masks provide it
    alpha: np.ndarray  # (T, H, W) uint8
    camera: Camera  # for this image size, without distortion
    cloth: np.ndarray | None = None  # (T, H, W) bool, pixels that labels call clothes; None without labels


def fitted_body(clip, model_file: str) -> tuple[BodyModel, Body, Canonical]:
    """The body model, the clip's body and the big pose.

    Args:
        model_file: the body model's file; "" takes the one that ``load_body_model`` finds.

    Raises:
        HvrError: the model is not the one that the body was fitted with.
    """
    model, body = load_body_model(model_file or None), clip.body
    canonical = clip.canonical if clip.has("canonical") else make_canonical(body, model)
    remedy = "pass its file as model_file, or run 03_body again"
    check_same_model("the body", canonical.model_hash, model.hash, remedy, name=model.name)
    return model, body, canonical


def load_training_pictures(clip, camera: Camera, *, image_scale: float) -> TrainingPictures:
    """Frames and silhouettes of a clip, undistorted and resized by ``image_scale`` (0 to 1).

    Raises:
        HvrError: ``image_scale`` is out of range.
    """
    if image_scale <= 0 or image_scale > 1:
        raise HvrError(f"image_scale is {image_scale}; choose it above 0 and at most 1")
    masks = clip.masks
    frames = masks.foreground if masks.foreground is not None else clip.frames
    frames, clean = undistort_images(frames, camera)
    alpha, _ = undistort_images(masks.alpha, camera)
    scaled = clean.scaled(image_scale)
    cloth = None
    if masks.labels is not None:
        numbers = [k for k, name in enumerate(LABEL_NAMES[masks.label_set]) if name in CLOTH]
        worn, _ = undistort_images(np.isin(masks.labels, numbers).astype(np.uint8) * 255, camera)
        cloth = resized_images(worn, scaled) > 127
    return TrainingPictures(resized_images(frames, scaled), resized_images(alpha, scaled), scaled, cloth)


def trained_frames(body: Body, hold_out: int) -> np.ndarray:
    """Indices (N,) of the frames to learn from: observed ones, without every ``hold_out``-th (0: all).

    Raises:
        HvrError: fewer than two are left.
    """
    every = np.arange(len(body))
    chosen = every[body.valid & ((every % hold_out != hold_out - 1) if hold_out else True)]
    if len(chosen) < 2:
        raise HvrError(
            f"only {len(chosen)} of {len(body)} frames are left to learn from; lower hold_out "
            "or run 03_body on a longer clip"
        )
    return chosen


def teller(
    progress: Watch | None,
    total: int,
    held_out: np.ndarray,
    camera: Callable[[], Camera],
    draw: Callable[[int, Camera], np.ndarray | None],
) -> Callable[[int, Mapping[str, Sequence[float]]], object] | None:
    """What a method calls after every step, with the steps done and the history; None where nobody listens.

    Args:
        progress: of ``reconstruct``. total: steps of the run. held_out: (N,) frames that teach nothing.
        camera: gives the film's camera as it is then; pictures are drawn small.
        draw: frame of the clip and camera to the person so far, a picture (H, W, 3) uint8, or None.
    """
    if progress is None:
        return None

    def small(frame: int) -> np.ndarray | None:
        film = camera()
        return draw(frame, film.scaled(min(1.0, SKETCH / max(film.width, film.height))))

    return lambda done, history: progress(Progress(done, total, history, held_out, small))
