"""PSNR and SSIM of images, IoU of silhouettes, MPJPE of joints (docs/field.md, 10; docs/perception.md, 11).

Pictures are uint8 (range 0..255) or float (range 0..1), both of a pair the same. Nothing is clipped and
every SSIM is told its data range, so figures can be compared with other projects.
"""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from hvr_nb.geometry.camera import similarity
from hvr_nb.types import HvrError

SSIM_WINDOW = 7  # pixels, uniform window: skimage's default, also used for the published tables


def _pair(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise HvrError(f"cannot compare arrays of shapes {a.shape} and {b.shape}; make them equal")
    kinds = {x.dtype == np.uint8 for x in (a, b)}
    if len(kinds) > 1:
        raise HvrError(f"cannot compare {a.dtype} (0..255) with {b.dtype} (0..1); convert one of them")
    return a.astype(np.float64), b.astype(np.float64), 255.0 if kinds.pop() else 1.0


def psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB; inf for equal pictures.

    Args:
        a, b: (..., C) uint8 or float pictures of one shape, (H, W, 3) or (T, H, W, 3).
        mask: (...) bool, without the channel axis; only these pixels count. NaN if it is empty.
    """
    a, b, top = _pair(a, b)
    if mask is not None:
        a, b = a[np.asarray(mask, bool)], b[np.asarray(mask, bool)]
    if a.size == 0:
        return float("nan")
    mse = float(((a - b) ** 2).mean())
    return float("inf") if mse == 0.0 else float(10.0 * np.log10(top**2 / mse))


def ssim(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Structural similarity with the true data range (1.0 or 255), mean over frames.

    Args:
        a, b: (H, W, 3) or (T, H, W, 3) uint8 or float, H and W at least 7.
        mask: (H, W) or (T, H, W) bool; the SSIM map is averaged over these pixels only.
    """
    a, b, top = _pair(a, b)
    if a.ndim == 3:
        a, b, mask = a[None], b[None], None if mask is None else np.asarray(mask)[None]
    if min(a.shape[1:3]) < SSIM_WINDOW:
        raise HvrError(f"SSIM needs pictures of at least {SSIM_WINDOW} pixels a side, not {a.shape[1:3]}")
    values = []
    for k in range(len(a)):
        mean, full = structural_similarity(
            a[k], b[k], data_range=top, channel_axis=-1, full=True, win_size=SSIM_WINDOW
        )
        if mask is None:
            values.append(mean)
        elif np.any(mask[k]):
            values.append(full[np.asarray(mask[k], bool)].mean())
    return float(np.mean(values)) if values else float("nan")


def _box(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    y0, y1 = max(rows[0] - margin, 0), min(rows[-1] + 1 + margin, mask.shape[0])
    x0, x1 = max(cols[0] - margin, 0), min(cols[-1] + 1 + margin, mask.shape[1])
    return slice(y0, y1), slice(x0, x1)


def image_quality(pred: np.ndarray, truth: np.ndarray, alpha: np.ndarray) -> dict[str, float]:
    """PSNR and SSIM of the whole picture, of the body's box and of body pixels only.

    Where most pixels are background, the figure of the whole picture is 9 to 12 dB higher, so all three are
    reported side by side. Values are means over frames; a frame without a body counts for the whole
    picture only.

    Args:
        pred, truth: (H, W, 3) or (T, H, W, 3), uint8 or float 0..1.
        alpha: (H, W) or (T, H, W) bool, uint8 (body where > 127) or float (> 0.5).

    Returns:
        psnr, psnr_box, psnr_body (dB), ssim, ssim_box, ssim_body.
    """
    pred, truth, alpha = np.asarray(pred), np.asarray(truth), np.asarray(alpha)
    if pred.ndim == 3:
        pred, truth, alpha = pred[None], truth[None], alpha[None]
    if pred.shape != truth.shape or alpha.shape != pred.shape[:3]:
        raise HvrError(f"pictures {pred.shape} and {truth.shape} and alpha {alpha.shape} do not match")
    body = alpha if alpha.dtype == bool else alpha > (127 if alpha.dtype == np.uint8 else 0.5)
    rows = []
    for a, b, m in zip(pred, truth, body, strict=True):
        row = {"psnr": psnr(a, b), "ssim": ssim(a, b)}
        if m.any():
            box = _box(m, SSIM_WINDOW)
            row |= {
                "psnr_box": psnr(a[box], b[box]),
                "ssim_box": ssim(a[box], b[box]),
                "psnr_body": psnr(a, b, m),
                "ssim_body": ssim(a, b, m),
            }
        rows.append(row)
    keys = ("psnr", "psnr_box", "psnr_body", "ssim", "ssim_box", "ssim_body")
    found = {key: [row[key] for row in rows if key in row] for key in keys}
    return {key: float(np.mean(v)) if v else float("nan") for key, v in found.items()}


def published_protocol(
    pred: np.ndarray, truth: np.ndarray, box: np.ndarray | None = None
) -> dict[str, float]:
    """PSNR and SSIM as Instant-NVR's evaluation computes them, for comparison only (docs/field.md, 10).

    Both pictures are black outside the projected box of the body. PSNR is over the whole picture. SSIM is
    not told its range, and skimage assumed 2 for floats, so its values are too high.

    Args:
        pred, truth: (T, H, W, 3) uint8 or float 0..1, over black. box: (T, H, W) bool, pixels of the
            body's box; None where both are already black outside it.

    Returns:
        published_psnr (dB) and published_ssim, means over frames.
    """
    pair = [np.asarray(x) for x in (pred, truth)]
    a, b = (x / 255.0 if x.dtype == np.uint8 else x.astype(np.float64) for x in pair)
    if box is not None:
        a, b = (np.where(np.asarray(box, bool)[..., None], x, 0.0) for x in (a, b))
    rows = [
        (psnr(x, y), structural_similarity(x, y, data_range=2.0, channel_axis=-1, win_size=SSIM_WINDOW))
        for x, y in zip(a, b, strict=True)
    ]
    return dict(zip(("published_psnr", "published_ssim"), np.mean(rows, 0).tolist(), strict=True))


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray | float:
    """Intersection over union of silhouettes; 1.0 for two empty ones.

    Args:
        a, b: (H, W) or (T, H, W), bool, uint8 (inside where > 127) or float (> 0.5).

    Returns:
        a float for (H, W), (T,) for (T, H, W).
    """
    if np.shape(a) != np.shape(b):
        raise HvrError(f"cannot compare silhouettes of shapes {np.shape(a)} and {np.shape(b)}")
    if np.ndim(a) > 2:
        return np.array([iou(*pair) for pair in zip(a, b, strict=True)])
    a, b = (
        m if m.dtype == bool else m > (127 if m.dtype == np.uint8 else 0.5)
        for m in (np.asarray(a), np.asarray(b))
    )
    either = (a | b).sum()
    return float((a & b).sum() / either) if either else 1.0


def joint_pair(pred: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 (T, J, 3).

    Raises:
        HvrError: they are not two such arrays of one shape.
    """
    pred, truth = np.asarray(pred, np.float64), np.asarray(truth, np.float64)
    if pred.shape != truth.shape or pred.ndim != 3 or pred.shape[2] != 3:
        raise HvrError(f"joints must be two (T, J, 3) arrays, not {pred.shape} and {truth.shape}")
    return pred, truth


def mpjpe(pred: np.ndarray, truth: np.ndarray, *, root: int | None = 0) -> float:
    """Mean per-joint position error in millimetres, of joints (T, J, 3) in metres.

    Args:
        root: joint that is moved to the origin in both first (0 = pelvis); None compares positions.
    """
    pred, truth = joint_pair(pred, truth)
    if root is not None:
        pred, truth = pred - pred[:, root : root + 1], truth - truth[:, root : root + 1]
    return float(1000.0 * np.linalg.norm(pred - truth, axis=-1).mean())


def pa_mpjpe(pred: np.ndarray, truth: np.ndarray) -> float:
    """MPJPE in millimetres after the best similarity of every frame; joints (T, J, 3) in metres."""
    pred, truth = joint_pair(pred, truth)
    aligned = []
    for p, q in zip(pred, truth, strict=True):
        s, R, t = similarity(p, q)
        aligned.append(s * p @ R.T + t)
    return float(1000.0 * np.linalg.norm(np.stack(aligned) - truth, axis=-1).mean())


def acceleration(joints: np.ndarray) -> float:
    """Jitter: mean length of the second difference of joints (T, J, 3) metres, in mm per frame squared."""
    joints = np.asarray(joints, np.float64)
    if len(joints) < 3:
        return 0.0
    return float(1000.0 * np.linalg.norm(joints[2:] - 2 * joints[1:-1] + joints[:-2], axis=-1).mean())
