"""``python -m hvr_nb demo``: the whole chain on the synthetic subject, measured against truth."""

from __future__ import annotations

import time
from pathlib import Path

from hvr_nb.batch import run_chain
from hvr_nb.store.clip import Clip

# printed name -> (what it says, unit); the line at the end has them in this order
FIGURES = {
    "keypoint_pct": ("2D joints, mean error", "% of the person's height"),
    "mask_iou": ("silhouette against truth, mean IoU", ""),
    "mpjpe_mm": ("3D joints, MPJPE (pelvis aligned)", "mm"),
    "pampjpe_mm": ("3D joints, PA-MPJPE", "mm"),
    "iou_mean": ("body against silhouette, mean IoU", ""),
    "heldout_body_psnr": ("held-out frames, body pixels", "dB"),
    "heldout_psnr": ("held-out frames, whole picture", "dB"),
    "novel_body_psnr": ("unseen views, body pixels", "dB"),
    "novel_psnr": ("unseen views, whole picture", "dB"),
}


def run_demo(clip: Path, notebooks: Path, overrides: dict) -> None:
    """Run the eight notebooks on the synthetic subject; print the measured quality and the report.

    Args:
        clip: the clip folder to write. notebooks: folder of the notebooks.
        overrides: parameters by notebook, as for ``run_chain``.
    """
    start = time.perf_counter()
    stages = run_chain("", clip, notebooks_dir=notebooks, overrides=overrides)
    seconds = time.perf_counter() - start
    for stage in stages:
        print(f"{stage.stage:14s} {'unchanged' if stage.skipped else f'{stage.seconds:6.1f} s'}")
    found = {key: value for numbers in Clip.open(clip).metrics.values() for key, value in numbers.items()}
    print("\nmeasured on a synthetic person, against exact truth; everything estimated from the video alone")
    for key, (text, unit) in FIGURES.items():
        if key in found:
            print(f"  {text:38s} {found[key]:8.3f} {unit}")
    print(f"\nreport: {clip / 'report.html'}\nplayer: {clip / 'player.html'}")
    pairs = [f"{key}={found[key]:.4g}" for key in FIGURES if key in found]
    print(" ".join([f"seconds={seconds:.0f}", *pairs]))
