"""The one table of measured quantities: name, unit, meaning, and from where a value is good or bad.

Notebooks, report, CSV and the page of many clips read it, so that a number looks and is judged the same
everywhere. A limit stands here only where docs/benchmarks.md has measurements for it, or where a notebook
doubts; what has none is shown without a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

GOOD, LOOK, BAD, UNJUDGED = "good", "look", "bad", ""


@dataclass(frozen=True)
class Quantity:
    """What a measured number is."""

    label: str  # in plain words
    unit: str  # "" for counts and texts
    meaning: str  # a few words more
    better: str = ""  # "more" or "less"; "" where nothing tells
    good: float = float("nan")  # good from here on
    bad: float = float("nan")  # bad beyond here; NaN where nothing tells
    why: str = ""  # where the limits come from


@dataclass(frozen=True)
class Judged:
    """A measured value with what the table says of it."""

    name: str
    label: str
    value: object  # a number, a text, or (T,) values over the frames
    text: str  # the value, written
    unit: str
    meaning: str
    verdict: str  # "good", "look", "bad", or "" where nothing tells
    why: str  # the limit in words


_NO = float("nan")
_FILM = "nine film clips"
_ASKED = "asked for, and reached by the demo"
# name -> label, unit, meaning, better, good, bad, why
_ROWS = {
    "film_seconds": ("length", "s", "of the film"),
    "present_pct": ("somebody in view", "%", "of the frames looked at"),
    "person_px": ("person's height", "px", "of the largest person, median", "more", 120, 120,
                  "03 doubts below 120 pixels"),
    "whole_pct": ("whole person in view", "%", "frames with all joints in the picture", "more", 80, 80,
                  "03 doubts where the picture cuts the person in more than 20 % of the frames"),
    "blur": ("softness", "0..1", "of the person's picture; 0 is sharp", "less", 0.6, _NO,
             "0.2 to 0.45 in eleven film clips; 0.64 to 0.70 in three of them blurred by two pixels"),
    "turn_deg": ("turn shown", "\N{DEGREE SIGN}", "of 360; every side is filmed from 270 on"),
    "others_pct": ("company", "%", "frames with somebody else of at least half the size"),
    "camera_pct": ("camera's motion", "%/s", "of the larger side a second; it should stand still",
                   "less", 1, _NO, "0.0 to 0.5 in eight film clips, 1.4 and 5.8 in two"),
    "frames": ("frames", "", "number of frames"),
    "fps": ("frame rate", "1/s", "frames per second of the clip"),
    "width": ("width", "px", "of the frames"),
    "height": ("height", "px", "of the frames"),
    "dropped": ("frames not decoded", "", "frames of the film that the decoder had to skip"),
    "found_pct": ("person found", "%", "frames in which the person was found", "more", 95, 30,
                  f"100 % in eight of {_FILM}, 80 % in one who leaves the picture; 01 doubts below 30 %"),
    "filled_pct": ("joints filled in", "%", "interpolated over short gaps, not measured"),
    "people": ("people", "", "number of people who were followed"),
    "keypoint_px": ("2D joints off", "px", "distance of found limb joints from the true ones"),
    "keypoint_pct": ("2D joints off", "% of height", "the same in per cent of the person's height", "less",
                     2, _NO, "less than 2 % was asked for; the demo has 1.2 %"),
    "cover_pct": ("picture covered", "%", "share of the picture that the person covers", "more", 0.5, 0.5,
                  "02 doubts below 0.5 %"),
    "alike_pct": ("outline without contrast", "%", "of the outline, with alike colours on both sides", "less",
                  12, 15, "0 to 4 % in eight film clips, 8 to 11 % in three; 02 doubts above 15 %"),
    "mask_iou": ("silhouettes", "IoU", "against the true ones, mean overlap", "more", 0.95, _NO,
                 f"0.95 {_ASKED}"),
    "mask_iou_min": ("silhouettes, worst frame", "IoU", "against the true ones"),
    "label_accuracy": ("labels", "0..1", "share of person pixels with the true label"),
    "iou": ("body on silhouette", "IoU", "overlap of the body's outline with the silhouette"),
    "iou_mean": ("body on silhouettes", "IoU", "mean overlap of the body's outline with the silhouettes",
                 "more", 0.88, 0.5, f"0.88 to 0.94 in {_FILM}; 03 doubts below 0.5"),
    "iou_min": ("body on silhouettes, worst frame", "IoU", "least overlap of the body's outline"),
    "cross_view_iou": ("views agree", "IoU", "pose of one frame on the silhouettes of other sides of a turn"),
    "cross_view_avatar_iou": ("views agree, avatar", "IoU", "the same for the avatar's surface"),
    "skin_iou": ("body where skin is seen", "IoU", "overlap at face, arms and legs"),
    "knee_deg": ("knees bent", "\N{DEGREE SIGN}", "median over the frames"),
    "reprojection_px": ("body's joints in the picture", "px", "off the 2D joints, median"),
    "reprojection_px_mean": ("body's joints in the picture, mean", "px", "off the 2D joints"),
    "reprojection_percent": ("body's joints in the picture", "% of height", "off the 2D joints, median"),
    "reprojection_percent_mean": ("body's joints in the picture, mean", "% of height", "off the 2D joints"),
    "coverage": ("frames with a seen pose", "0..1", "the others are interpolated"),
    "jitter": ("jitter", "mm/frame\N{SUPERSCRIPT TWO}", "acceleration of the joints; lower is smoother"),
    "focal": ("focal length", "px", "of the camera that the body was fitted with"),
    "legs_exchanged": ("legs exchanged", "frames", "in which body and detector disagree on left and right"),
    "body": ("body", "", "where the body comes from"),
    "mpjpe_mm": ("3D joints off (MPJPE)", "mm", "from the true ones, pelvis aligned", "less", 75, _NO,
                 f"75 mm {_ASKED}"),
    "pampjpe_mm": ("3D joints off (PA-MPJPE)", "mm", "from the true ones, after the best similarity", "less",
                   50, _NO, f"50 mm {_ASKED}"),
    "mean_mm": ("back to the big pose, mean", "mm", "error of warping a posed body back", "less", 30, 30,
                "04 doubts above 30 mm"),
    "p95_mm": ("back to the big pose, 95 of 100", "mm", "error that 95 % of the points stay below"),
    "max_mm": ("back to the big pose, largest", "mm", "largest such error"),
    "vertex_mm": ("big-pose vertices", "mm", "error of the skin's own vertices"),
    "took": ("time", "s", "of all its notebooks"),
    "seconds": ("time", "s", "time it took"),
    "iters": ("steps", "", "training steps or rounds"),
    "step": ("step", "", "training step"),
    "loss": ("loss", "", "what the training makes small"),
    "psnr": ("whole picture", "dB", "PSNR; flattered by the background"),
    "psnr_box": ("body's box", "dB", "PSNR inside the body's box"),
    "psnr_body": ("body pixels", "dB", "PSNR on body pixels only"),
    "ssim": ("structure, whole picture", "SSIM", "structural similarity; flattered by the background"),
    "ssim_box": ("structure, body's box", "SSIM", "structural similarity inside the body's box"),
    "ssim_body": ("structure, body pixels", "SSIM", "structural similarity on body pixels"),
    "lpips": ("LPIPS", "", "perceptual distance (VGG16); lower is better"),
    "published_psnr": ("as Instant-NVR measures", "dB", "PSNR by the protocol of its evaluation"),
    "published_ssim": ("as Instant-NVR measures", "SSIM", "SSIM by the protocol of its evaluation"),
    "published_lpips": ("LPIPS as Instant-NVR measures", "", "with the range its evaluation uses"),
    "render_iou": ("render's outline", "IoU", "against the silhouettes"),
    "heldout_psnr_body": ("held-out frames", "dB", "PSNR on body pixels of frames not trained on", "more",
                          22, 12, f"22 dB was asked for; 18.8 to 28.4 dB in {_FILM}; 06 doubts below 12 dB"),
    "train_psnr_body": ("training frames", "dB", "PSNR on body pixels", "more", 14, 14,
                        "05 doubts below 14 dB"),
    "held_out_frames": ("held-out frames", "", "kept out of training to measure on; 0: none were"),
    "seen_pct": ("surface filmed", "%", "share of the surface that some frame shows"),
    "seen_frames": ("frames a place is seen in", "", "median over the surface"),
    "residual_pct": ("film against surface", "%", "colour difference, mean"),
}  # fmt: skip
QUANTITIES = {name: Quantity(*row) for name, row in _ROWS.items()}
# a name that begins so is the same quantity in other circumstances, without its limits
PREFIXES = {
    "heldout_": "held-out frames",
    "novel_": "unseen cameras",
    "train_": "training frames",
    "true_": "with the true body",
    "lift_": "lifted skeleton",
    "detector_": "detector's skeleton",
    "plain_": "fitted without the lift",
    "lifted_": "fitted with the lift",
}
# decimals by unit
_DECIMALS = {"%": 1, "%/s": 2, "% of height": 2, "px": 1, "mm": 1, "dB": 1, "IoU": 3, "SSIM": 3, "0..1": 3,
             "s": 1, "\N{DEGREE SIGN}": 1}  # fmt: skip
# last words of names that the table does not have: "height_cm", "angle_deg"
_ENDINGS = {"px": "px", "mm": "mm", "cm": "cm", "m": "m", "pct": "%", "deg": "\N{DEGREE SIGN}", "db": "dB",
            "psnr": "dB", "iou": "IoU", "ssim": "SSIM", "seconds": "s", "fps": "1/s"}  # fmt: skip


def quantity(name: str) -> Quantity:
    """What the table says of a name; for one it does not have, the name itself and the unit it ends in."""
    swapped = name.replace("body_psnr", "psnr_body")
    if swapped in QUANTITIES:
        return QUANTITIES[swapped]
    for prefix, words in PREFIXES.items():
        rest = swapped.removeprefix(prefix)
        if rest != swapped and rest in QUANTITIES:
            one = QUANTITIES[rest]
            return Quantity(f"{words}: {one.label}", one.unit, one.meaning)
    words = name.lower().split("_")
    unit = next((_ENDINGS[word] for word in reversed(words) if word in _ENDINGS), "")
    return Quantity(name.replace("_", " "), unit, "")


def judged(name: str, value: object) -> Judged:
    """A measured value, written with its unit and judged by the table; (T,) values are not judged."""
    one = quantity(name)
    return Judged(
        name, one.label, value, written(value, one.unit), one.unit, one.meaning, _verdict(one, value), one.why
    )


def judged_table(numbers: Mapping[str, object]) -> list[Judged]:
    """All numbers of a stage, those with a verdict first; doubts, empty texts and lists of texts left out."""
    rows = [judged(name, value) for name, value in numbers.items() if name != "doubts" and _shown(value)]
    return sorted(rows, key=lambda row: row.verdict == UNJUDGED)


def worst_verdict(verdicts: Iterable[str]) -> str:
    """The worst of some verdicts; "" where there is none."""
    order = (UNJUDGED, GOOD, LOOK, BAD)
    return max(verdicts, key=order.index, default=UNJUDGED)


def written(value: object, unit: str = "") -> str:
    """A value in words: as many digits as its unit deserves; (T,) values as mean and range."""
    if isinstance(value, str | bool):
        return str(value)
    array = np.asarray(np.nan if value is None else value, float).ravel()
    known = array[np.isfinite(array)]
    if not len(known):
        return "not known"
    if np.ndim(value) == 0:
        return _digits(known[0], unit)
    least, mean, most = (_digits(x, unit) for x in (known.min(), known.mean(), known.max()))
    return f"mean {mean}, {least} to {most}, {len(array)} values"


def _digits(value: float, unit: str) -> str:
    if abs(value) >= 1e5 or (float(value).is_integer() and unit in ("", "px", "1/s")):
        return f"{value:.0f}"
    return f"{value:.{_DECIMALS[unit]}f}" if unit in _DECIMALS else f"{value:.4g}"


def _shown(value: object) -> bool:
    if isinstance(value, str):
        return bool(value)
    texts = isinstance(value, list | tuple) and any(isinstance(item, str) for item in value)
    return not texts and bool(np.size(value))


def _verdict(one: Quantity, value: object) -> str:
    if not one.better or isinstance(value, str) or value is None or np.ndim(value) or np.isnan(value):
        return UNJUDGED
    sign = 1 if one.better == "more" else -1
    if sign * value >= sign * one.good:
        return GOOD
    return BAD if sign * value < sign * one.bad else LOOK
