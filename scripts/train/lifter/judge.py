"""Measuring a lifter on motion that it was not trained on: pixels in, metres out, as in use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hvr_nb.body.joint_sets import COCO_LIMBS
from hvr_nb.geometry.camera import default_camera
from hvr_nb.lift import lift_keypoints
from hvr_nb.lift.apply import KNOWN, LEAST_JOINTS
from hvr_nb.metrics.images import mpjpe, pa_mpjpe
from hvr_nb.types import Camera
from scripts.train.lifter.bank import Bank
from scripts.train.lifter.cameras import film
from scripts.train.lifter.detector import spoil
from scripts.train.lifter.people import draw_people

# subjects no lifter is trained on: of the first test; of gymnastics, dance, fights, walks and sitting
HELD_OUT = ("02", "08", "13", "61", "86", "91")


@dataclass(frozen=True)
class Take:
    """One clip with its truth."""

    points: np.ndarray  # (T, 17, 3) COCO pixels and confidence
    joints: np.ndarray  # (T, 17, 3) metres from the hips, camera axes
    camera: Camera
    fps: float


def draw_takes(
    bank: Bank, *, seed: int, count: int, frames: int = 90, clean: bool = False, **errors: float
) -> list[Take]:
    """Captured motion on random bodies before random cameras, without clips that show nobody.

    Args:
        clean: exact 2D joints, those out of the picture included. errors: options of ``spoil``.
    """
    rng = np.random.default_rng([seed, 77])
    people = draw_people(bank, rng, count, frames, natural=True)
    views = film(people, rng)
    pixels, conf = spoil(views, people.pace, rng, **errors)
    if clean:
        pixels, conf = views.pixels, conf * 0 + 1
    points = np.concatenate([pixels.numpy(), conf.numpy()[..., None]], -1)
    joints = (views.joints - views.joints[:, :, :1]).numpy()
    takes = [
        Take(
            points[b],
            joints[b],
            default_camera(*(int(n) for n in views.size[b]), focal=float(views.focal[b])),
            float(people.pace[b]),
        )
        for b in range(count)
    ]
    return [take for take in takes if ((take.points[:, COCO_LIMBS, 2] > KNOWN).sum(1) >= LEAST_JOINTS).any()]


def judge(
    takes: list[Take],
    *,
    weights: Path | None = None,
    camera: bool = True,
    flip: bool = True,
    change: Callable | None = None,
    rows: slice | Callable = slice(None),
) -> dict[str, float]:
    """MPJPE, P-MPJPE and that of the best constant pose, mm, over all clips.

    Args:
        change: (points, fps) -> points, applied to the 2D joints first. rows: frames that count, a slice or
            fps -> slice. camera: whether the lifter knows the camera.
    """
    found, truth = [], []
    for take in takes:
        points = change(take.points.copy(), take.fps) if change else take.points
        lifted = lift_keypoints(
            points, fps=take.fps, camera=take.camera if camera else None, flip=flip, weights=weights
        )
        keep = rows(take.fps) if callable(rows) else rows
        found.append(lifted.joints[keep])
        truth.append(take.joints[keep])
    found, truth = np.concatenate(found), np.concatenate(truth)
    constant = np.broadcast_to(truth.mean(0), truth.shape)
    return {
        "mpjpe": mpjpe(found, truth),
        "pa_mpjpe": pa_mpjpe(found, truth),
        "mean_pose": mpjpe(constant, truth),
    }
