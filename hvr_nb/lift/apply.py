"""Lifting: 2D joints of a clip to a 3D skeleton for each frame (docs/perception.md, 8)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from hvr_nb.body.joint_sets import COCO_LIMBS, COCO_MIRROR, H36M17_NAMES, H36M_MIRROR
from hvr_nb.lift.checkpoints import LIFTER_FILE, load_lifter_checkpoint
from hvr_nb.lift.network import Lifter
from hvr_nb.lift.stmo import Stmo
from hvr_nb.lift.temporal import TemporalModel, pad_clip
from hvr_nb.lift.view import PACE, look_straight, mirror_2d, mirror_3d, usual_rays
from hvr_nb.threads import one_thread
from hvr_nb.types import COCO17_FROM_BODY25, Camera, HvrError, Joints3D, check_fps

KNOWN = 0.05  # confidence from which a joint counts as seen
LEAST_JOINTS = 4  # of the twelve limb joints that must be seen for a frame to be valid
NEAR = 0.25  # seconds around a frame within which they must be seen
_WINDOWS = 64  # windows that P-STMO takes at a time


@dataclass(frozen=True)
class Lifted:
    """A 3D skeleton for each frame, relative to the hips."""

    joints: np.ndarray  # (T, 17, 3) metres from the middle of the hips, OpenCV camera axes
    confidence: np.ndarray  # (T,) 0..1, mean confidence of the twelve limb joints
    valid: np.ndarray  # (T,) bool, False where too little was seen and the pose is a guess
    names: tuple[str, ...] = H36M17_NAMES
    source: str = ""  # name of the weights

    def __repr__(self) -> str:
        return f"Lifted({len(self.joints)} frames, {int(self.valid.sum())} valid, by {self.source})"


def lift_keypoints(
    points: np.ndarray,
    *,
    fps: float,
    camera: Camera | None = None,
    flip: bool = True,
    weights: str | Path | None = None,
) -> Lifted:
    """The 3D skeletons of one person's 2D joints.

    Args:
        points: (T, 25, 3) BODY_25 or (T, 17, 3) COCO: x, y in pixels and confidence 0..1. Joints with
            confidence 0 or NaN are missing. In (T, 17 or 25, 2) every finite joint has confidence 1.
        fps: frames per second.
        camera: the camera of the clip; None assumes a camera that films the person from a usual distance.
        flip: lift the mirrored joints too and take the mean (test-time augmentation).
        weights: None takes the project's own; otherwise a file that ``load_lifter_checkpoint`` reads.

    Raises:
        HvrError: wrong shapes, an impossible frame rate, or nobody to be seen in any frame.
    """
    xy, conf = _check(points, fps)
    seen = _enough(conf)
    path = Path(weights or LIFTER_FILE)
    model = _model(path, path.stat().st_mtime_ns if path.is_file() else 0)
    with one_thread(), torch.inference_mode():
        if isinstance(model, Lifter):
            joints = _lift_own(model, xy, conf, fps, camera, flip)
        else:
            joints = _lift_screen(model, xy, conf, camera, flip)
    joints = (joints - joints[:, :1]).astype(np.float32)
    reach = round(NEAR * fps)
    near = np.convolve(seen, np.ones(2 * reach + 1))[reach : reach + len(seen)] > 0.5
    source = "the project's lifter" if weights is None else path.name
    return Lifted(joints, conf[:, COCO_LIMBS].mean(1).astype(np.float32), near, source=source)


def to_world(lifted: Lifted, camera: Camera) -> Joints3D:
    """The same skeletons in world axes, hips at the origin."""
    return Joints3D((lifted.joints @ camera.R).astype(np.float32), lifted.valid, lifted.names)


def can_lift(points: np.ndarray) -> np.ndarray:
    """(T,) bool: which frames show enough joints to be lifted; 2D joints as for ``lift_keypoints``."""
    return _enough(_split(points)[1])


def _enough(conf: np.ndarray) -> np.ndarray:
    return (conf[:, COCO_LIMBS] > KNOWN).sum(1) >= LEAST_JOINTS


def _split(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (T, 17, 2), finite, and confidence (T, 17), 0 where missing."""
    points = np.asarray(points, np.float64)
    if points.ndim != 3 or points.shape[1] not in (17, 25) or points.shape[2] not in (2, 3):
        raise HvrError(f"2D joints must be (T, 17, 3) COCO or (T, 25, 3) BODY_25, not {points.shape}")
    points = points[:, COCO17_FROM_BODY25] if points.shape[1] == 25 else points
    xy = points[..., :2]
    conf = points[..., 2] if points.shape[2] == 3 else np.ones(xy.shape[:2])
    conf = np.where(np.isfinite(points).all(-1), np.clip(conf, 0, 1), 0.0)
    return np.where(conf[..., None] > 0, xy, 0.0), conf


def _check(points: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and confidence of 2D joints; an error where none can be lifted."""
    xy, conf = _split(points)
    check_fps(fps)
    if not _enough(conf).any():
        raise HvrError(
            f"no person to lift in {len(conf)} frames: none shows {LEAST_JOINTS} of shoulders, elbows, "
            "wrists, hips, knees and ankles; look at 01_keypoints"
        )
    return xy, conf


@functools.lru_cache(maxsize=2)
def _model(path: Path, _changed: int) -> Lifter | TemporalModel | Stmo:
    return load_lifter_checkpoint(path)


def _lift_own(
    model: Lifter, xy: np.ndarray, conf: np.ndarray, fps: float, camera: Camera | None, flip: bool
) -> np.ndarray:
    """(T, 17, 3) camera axes. Clips of high frame rates are lifted as several slow ones, one a phase."""
    frames, step = len(xy), max(1, round(fps / PACE))
    conf_t = torch.from_numpy(conf).float()[None]
    rays = usual_rays(torch.from_numpy(xy).float()[None], conf_t) if camera is None else _rays(xy, camera)
    x, R = look_straight(_phases(rays, step), _phases(conf_t, step), fps / step)
    y = model(x)
    if flip:
        other = model(mirror_2d(x, COCO_MIRROR))
        y = (y + mirror_3d(other, H36M_MIRROR)) / 2
    y = (y @ R).transpose(0, 1).reshape(-1, 17, 3)[:frames].double().numpy()
    return _blend(y, step)


def _rays(xy: np.ndarray, camera: Camera) -> Tensor:
    """(1, T, 17, 2) undistorted points on the plane at depth 1."""
    rays = cv2.undistortPoints(xy.reshape(-1, 1, 2), camera.K, np.asarray(camera.dist, np.float64))
    return torch.from_numpy(np.nan_to_num(rays.reshape(1, *xy.shape))).float().clamp(-10, 10)


def _phases(x: Tensor, step: int) -> Tensor:
    """(1, T, ...) to (step, T / step, ...); the last frame is repeated where frames are missing."""
    missing = -x.shape[1] % step
    x = torch.cat([x[0], x[0, -1:].expand(missing, *x.shape[2:])])
    return x.unflatten(0, (-1, step)).transpose(0, 1).contiguous()


def _blend(joints: np.ndarray, step: int) -> np.ndarray:
    """Joints (T, 17, 3) averaged over neighbouring frames, because each phase was lifted separately."""
    if step == 1 or len(joints) < 2:
        return joints
    taps = np.convolve(np.ones(step), np.ones(step))
    padded = np.pad(joints, ((step - 1, step - 1), (0, 0), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(taps), axis=0)
    return windows @ (taps / taps.sum())


def _lift_screen(
    model: TemporalModel | Stmo, xy: np.ndarray, conf: np.ndarray, camera: Camera | None, flip: bool
) -> np.ndarray:
    """(T, 17, 3) by a published network: screen coordinates, longer side -1 to 1, gaps interpolated."""
    if camera is None:
        raise HvrError("these weights need the size of the picture; give the camera")
    half = max(camera.width, camera.height) / 2
    flat = (_fill_gaps(xy, conf) - [camera.width / 2, camera.height / 2]) / half
    x = torch.from_numpy(flat).float()[None]
    run = _run_stmo if isinstance(model, Stmo) else lambda m, v: m(pad_clip(v, m))
    y = run(model, x)
    if flip:
        other = run(model, x[:, :, list(COCO_MIRROR)] * x.new_tensor([-1.0, 1.0]))
        y = (y + mirror_3d(other, H36M_MIRROR)) / 2
    return y[0].double().numpy()


def _run_stmo(model: Stmo, x: Tensor) -> Tensor:
    """(1, T, 17, 2) to (1, T, 17, 3): one window of P-STMO for each frame."""
    reach = model.frames // 2
    padded = torch.cat([x[:, :1].expand(-1, reach, -1, -1), x, x[:, -1:].expand(-1, reach, -1, -1)], 1)[0]
    windows = padded.unfold(0, model.frames, 1).permute(0, 2, 3, 1)[..., None]  # (T, 2, F, 17, 1)
    out = [model(part.contiguous())[0][:, :, 0, :, 0] for part in windows.split(_WINDOWS)]
    return torch.cat(out).transpose(1, 2)[None]


def _fill_gaps(xy: np.ndarray, conf: np.ndarray) -> np.ndarray:
    """Pixels (T, 17, 2) with missing joints interpolated in time; one never seen lies amid the others."""
    out, time = xy.copy(), np.arange(len(xy))
    known = conf > KNOWN
    middle = np.array([row[k].mean(0) for row, k in zip(xy, known, strict=True) if k.any()])
    for joint in range(17):
        rows = np.flatnonzero(known[:, joint])
        for axis in range(2):
            source = np.interp(time, rows, xy[rows, joint, axis]) if len(rows) else middle[:, axis].mean()
            out[:, joint, axis] = source
    return out
