"""Measured quality: an avatar against its frames, and every stage against synthetic truth.

Truth exists for clips rendered from the synthetic subject only; for a real video the functions
that need it are not called and its figures are left out, never guessed.
"""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from hvr_nb.body.model import BodyModel, posed
from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.fit.solve import fit_body, fit_report
from hvr_nb.geometry.camera import align_camera, similarity
from hvr_nb.learning.lpips import load_lpips, lpips, lpips_missing
from hvr_nb.metrics.images import image_quality, iou, mpjpe, pa_mpjpe, published_protocol
from hvr_nb.render.pictures import Pictures
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import Clip
from hvr_nb.subject import Truth, load_truth, write_synthetic
from hvr_nb.subject.take import TRUTH
from hvr_nb.types import SMPL_JOINT_NAMES, Body, HvrError, Joints3D, Keypoints, Masks

CORE_JOINTS = (2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14)  # BODY_25: shoulders to ankles
HIPS = ("left_hip", "right_hip")
LIMBS = tuple(
    f"{side}_{part}"
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)


def keep_truth(clip: Clip, video: str | Path) -> bool:
    """Copy the truth that lies beside a synthetic video into the clip; False where there is none.

    Raises:
        HvrError: the truth is damaged, or the clip holds another file of this name.
    """
    source, path = Path(video).with_name(TRUTH), clip.folder / TRUTH
    if not source.is_file():
        return False
    load_truth(source.parent)
    if path.exists():
        load_truth(clip.folder)  # what is no truth is somebody's own
    with atomic(path) as partial:
        shutil.copyfile(source, partial)
    return True


def find_truth(clip: Clip) -> Truth | None:
    """The truth of a clip made from a synthetic video, at the clip's frames; else None.

    Only what ``keep_truth`` put into the clip is read. None too where it belongs to another film, or where
    00_video shrank the frames: pixels would not compare.
    """
    if not (clip.folder / TRUTH).exists():
        return None
    truth = load_truth(clip.folder)
    other = truth.video != clip.info["source"].get("sha256")
    if other or truth.alpha.shape[1:] != clip.frames.shape[1:3]:
        return None
    return truth.at([int(name) for name in clip.frame_names])


def keypoint_quality(keypoints: Keypoints, truth: Truth) -> dict[str, float]:
    """Error of the twelve limb joints where the person was found.

    Returns:
        keypoint_px, keypoint_pct (per cent of the person's height in the picture) and found_pct.
    """
    true = truth.points25
    height = np.ptp(true[..., 1], axis=1)[:, None]
    error = np.linalg.norm(keypoints.points[..., :2] - true, axis=-1)[:, CORE_JOINTS]
    seen = keypoints.found
    return {
        "keypoint_px": float(error[seen].mean()),
        "keypoint_pct": float(100 * (error / height)[seen].mean()),
        "found_pct": float(100 * seen.mean()),
    }


def mask_quality(masks: Masks, truth: Truth) -> dict[str, float]:
    """mask_iou and mask_iou_min of the silhouettes against the true alpha, frame by frame."""
    values = iou(masks.alpha, truth.alpha)
    return {"mask_iou": float(values.mean()), "mask_iou_min": float(values.min())}


def body_quality(body: Body, truth: Truth, model: BodyModel) -> dict[str, float]:
    """mpjpe_mm (pelvis aligned, in the axes of the camera) and pampjpe_mm of the 24 SMPL joints."""
    joints, true = posed(model, body)[1] @ body.camera.R.T, truth.joints @ truth.camera.R.T
    return {"mpjpe_mm": mpjpe(joints, true), "pampjpe_mm": pa_mpjpe(joints, true)}


def limb_quality(joints: Joints3D, truth: Truth, *, prefix: str = "") -> dict[str, float]:
    """<prefix>mpjpe_mm (mid-hip aligned) and <prefix>pampjpe_mm of the limb joints of any skeleton."""
    shared = [name for name in LIMBS if name in joints.names]
    mine = joints.points[:, [joints.names.index(name) for name in shared]]
    true = truth.joints[:, [SMPL_JOINT_NAMES.index(name) for name in shared]]
    mine, true, hips = mine[joints.valid], true[joints.valid], [shared.index(name) for name in HIPS]
    centred = [x - x[:, hips].mean(1, keepdims=True) for x in (mine, true)]
    return {f"{prefix}mpjpe_mm": mpjpe(*centred, root=None), f"{prefix}pampjpe_mm": pa_mpjpe(mine, true)}


def lift_gain(
    clip: Clip, lifted: Joints3D, model: BodyModel, *, truth: Truth | None = None, frames: int = 16
) -> dict[str, float]:
    """What the lifted skeleton does for the fit: the body of some frames fitted without it and with it.

    Both fits leave the silhouettes out, which is quick and lets them judge.

    Args:
        lifted: of the clip's T frames. truth: for the error of the joints, where it is known.
        frames: at most this many, in a row, around the middle of the clip.

    Returns:
        for ``plain_`` and ``lifted_``: iou_mean against the silhouettes, reprojection_percent of the person's
        height, and with ``truth`` mpjpe_mm and pampjpe_mm; nothing where nobody can be fitted there.
    """
    total = len(clip.keypoints.points)
    at = slice((total - min(frames, total)) // 2, (total + min(frames, total)) // 2)
    keypoints, masks = at_frames(clip.keypoints, at), at_frames(clip.masks, at)
    part = replace(lifted, points=lifted.points[at], valid=lifted.valid[at])
    out = {}
    for name, skeleton in (("plain_", None), ("lifted_", part)):
        try:
            body = fit_body(
                keypoints, None, clip.camera, fps=clip.fps, times=clip.times[at], model=model, lifted=skeleton
            )
        except HvrError:  # nobody in these frames
            return {}
        report = fit_report(body, keypoints, masks, model)
        out |= {name + key: report[key] for key in ("iou_mean", "reprojection_percent")}
        if truth is not None:
            joints = posed(model, body)[1]
            out |= {
                f"{name}mpjpe_mm": mpjpe(joints, truth.joints[at]),
                f"{name}pampjpe_mm": pa_mpjpe(joints, truth.joints[at]),
            }
    return out


def at_frames(value, at: slice):
    """A dataclass of arrays (T, ...) cut to the frames ``at``."""
    parts = {f.name: getattr(value, f.name) for f in fields(value)}
    return replace(value, **{k: v[at] for k, v in parts.items() if isinstance(v, np.ndarray)})


def frame_quality(
    pictures: Pictures, frames: np.ndarray, masks: Masks, which: np.ndarray
) -> dict[str, float]:
    """Renders against the clip's frames ``which``: both over black, the clip's alpha as truth.

    Args:
        pictures: one per frame of the clip. frames: (T, H, W, 3) uint8.
        which: frame indices to compare.

    Returns:
        psnr, psnr_box, psnr_body, ssim, ssim_box, ssim_body and render_iou; means over frames;
        published_psnr and published_ssim as Instant-NVR's evaluation makes them; lpips and
        published_lpips where VGG16's weights are at hand.
    """
    colours = masks.foreground if masks.foreground is not None else frames
    alpha = masks.alpha[which]
    truth = (colours[which] * (alpha[..., None] / 255.0)).astype(np.uint8)
    row = image_quality(pictures.rgb[which], truth, alpha)
    row |= published_protocol(pictures.rgb[which], truth)
    row |= _perceptual(pictures.rgb[which], truth)
    return row | {"render_iou": float(np.mean(iou(pictures.alpha[which], alpha)))}


def _perceptual(pred: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """LPIPS where its weights are at hand, else nothing."""
    return {} if lpips_missing() or not len(pred) else lpips(pred, truth, load_lpips())


def novel_view_quality(avatar, body: Body, truth: Truth, model: BodyModel, *, limit: int = 0):
    """The avatar seen from the truth's hidden cameras, against their pictures.

    The estimated world differs from the true one by what a single camera cannot know (scale,
    distance), so each true camera is first carried into the estimated world by the similarity
    between the two skeletons of that frame.

    Args:
        body: the body to pose the avatar with, one pose per frame of the clip.
        limit: compare at most this many pictures per camera (0 = all).

    Returns:
        the figures of ``image_quality`` with prefix ``novel_``, and the pictures:
        list of (rendered, true) uint8 (H, W, 3), both over black.
    """
    joints, rows, pairs = posed(model, body)[1], [], []
    for view in truth.hidden:
        for k, f in list(enumerate(view.frame_indices))[: limit or None]:
            s, R, t = similarity(joints[f], truth.joints[f])
            camera = align_camera(view.camera, s, R, t)
            picture = avatar.render(camera, body.frame(int(f)), frame=None)
            alpha = view.alpha[k]
            true = (view.frames[k] * (alpha[..., None] / 255.0)).astype(np.uint8)
            pairs.append((to_uint8(picture.rgb), true))
            rows.append(image_quality(pairs[-1][0], true, alpha) | _perceptual(*(p[None] for p in pairs[-1])))
    if not rows:
        return {}, []
    return {
        f"novel_{key.replace('psnr_body', 'body_psnr')}": float(np.mean([r[key] for r in rows]))
        for key in rows[0]
    }, pairs


def synthetic_video(root: str | Path, *, outfit: str, motion: str, frames: int, size: int, seed: int) -> Path:
    """The folder of a synthetic video with its truth under ``root``, rendered at first use.

    It lasts two seconds whatever the number of frames (60 frames: 30 per second), so that a short
    test clip turns no faster than a long one.
    """
    folder = Path(root) / f"{outfit}_{motion}_{frames}f_{size}px_seed{seed}"
    return write_synthetic(
        folder,
        outfit=outfit,
        motion=motion,
        frames=frames,
        size=size,
        seed=seed,
        fps=frames / 2,
        progress=True,
    )
