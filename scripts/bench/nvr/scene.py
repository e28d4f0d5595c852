"""The pictures that both sides are measured on: the synthetic subject with true body and silhouettes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hvr_nb.body.model import BodyModel, load_body_model
from hvr_nb.evaluate.stages import find_truth, synthetic_video
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.methods._clip import TrainingPictures, load_training_pictures
from hvr_nb.methods.nvr.warp import PoseBank, pose_bank
from hvr_nb.store.clip import Clip
from hvr_nb.types import Body, Canonical


@dataclass(frozen=True)
class Scene:
    """What is loaded before anything is trained."""

    clip: Clip
    model: BodyModel
    body: Body
    canonical: Canonical
    pictures: TrainingPictures
    which: np.ndarray  # (T,) frames that are trained on
    bank: PoseBank  # of those frames


def make_clip(data: Path, *, motion: str, frames: int, size: int, seed: int) -> Path:
    """The folder of the clip, rendered at first use."""
    source = synthetic_video(
        data / "synthetic", outfit="trousers", motion=motion, frames=frames, size=size, seed=seed
    )
    folder = data / "clips" / f"bench_{source.name}_true"
    done = (folder / "clip.json").exists() and Clip.open(folder).has("canonical")
    if not done or find_truth(Clip.open(folder)) is None:
        from scripts.bench.synthetic import true_clip  # slow to import

        true_clip(folder, source)
    return folder


def load_scene(folder: Path, *, image_scale: float = 1.0, frames: int = 0) -> Scene:
    """Load a clip, its pictures shrunk by ``image_scale``, with ``frames`` of its frames (0 = all)."""
    clip, model = Clip.open(folder), load_body_model()
    body, canonical = clip.body, clip.canonical
    which = spread_indices(len(body), frames or len(body))
    pictures = load_training_pictures(clip, body.camera, image_scale=image_scale)
    body = replace(body, camera=pictures.camera)
    bank = pose_bank(model, canonical, body.betas, body.poses[which], body.transl[which])
    return Scene(clip, model, body, canonical, pictures, which, bank)
