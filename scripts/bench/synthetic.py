"""Synthetic subjects at full quality, against exact truth: the figures of docs/benchmarks.md.

Two studies for every subject: the whole chain on the video alone, and the avatar trained with the true body
and silhouettes, which measures the field alone. Ends with one line of name=value pairs.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from hvr_nb.batch import run_chain
from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.evaluate.stages import find_truth, keep_truth, novel_view_quality, synthetic_video
from hvr_nb.methods import nvr
from hvr_nb.store.clip import Clip
from hvr_nb.store.places import ROOT
from hvr_nb.store.video import read_video
from hvr_nb.types import Keypoints, Masks


def true_clip(folder: Path, source: Path) -> Clip:
    """A clip whose keypoints, masks and body are the truth (and labelled as such)."""
    video = read_video(source / "video.mp4")
    clip = Clip.create(
        folder,
        video.frames,
        fps=video.fps,
        names=video.names,
        times=video.times,
        source={**video.info, "path": str((source / "video.mp4").resolve())},
    )
    keep_truth(clip, source / "video.mp4")
    truth, model = find_truth(clip), load_body_model()
    count = len(video.frames)
    clip.save("camera", truth.body.camera)
    points = np.concatenate([truth.points25, np.ones((count, 25, 1))], -1)
    clip.save(
        "keypoints",
        Keypoints(
            points,
            np.zeros((count, 25), bool),
            np.ones(count, bool),
            np.zeros((count, 4)),
            source="synthetic truth",
        ),
    )
    clip.save(
        "masks",
        Masks(
            alpha=truth.alpha,
            labels=truth.labels,
            label_set="ATR",
            source="synthetic truth",
            parsing_source="synthetic truth",
        ),
    )
    clip.save("body", replace(truth.body, model_hash=model.hash))
    clip.save("canonical", make_canonical(clip.body, model))
    return clip


def main() -> None:
    """Run the studies named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outfits", nargs="+", default=["trousers", "shorts", "skirt"])
    parser.add_argument("--motions", nargs="+", default=["rotate", "walk"])
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--iters", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--study", choices=("chain", "truth", "both"), default="both")
    args = parser.parse_args()
    totals: dict[str, list[float]] = {}
    for outfit in args.outfits:
        for motion in args.motions:
            source = synthetic_video(
                ROOT / "data/synthetic",
                outfit=outfit,
                motion=motion,
                frames=args.frames,
                size=args.size,
                seed=args.seed,
            )
            name, row, start = f"bench_{source.name}", {}, time.perf_counter()
            if args.study != "truth":
                folder = ROOT / "data/clips" / name
                run_chain(
                    source / "video.mp4",
                    folder,
                    notebooks_dir=ROOT / "notebooks",
                    overrides={"05_train": {"iters": args.iters}},
                )
                found = {k: v for stage in Clip.open(folder).metrics.values() for k, v in stage.items()}
                keys = ("keypoint_pct", "mask_iou", "mpjpe_mm", "pampjpe_mm", "iou_mean",
                        "heldout_body_psnr", "heldout_psnr", "novel_body_psnr")  # fmt: skip
                row |= {k: found[k] for k in keys} | {"chain_seconds": time.perf_counter() - start}
            if args.study != "chain":
                clip = true_clip(ROOT / "data/clips" / f"{name}_true", source)
                start = time.perf_counter()
                avatar = nvr.reconstruct(clip, nvr.Options(iters=args.iters), seed=args.seed)
                row["true_train_seconds"] = time.perf_counter() - start
                quality, _ = novel_view_quality(avatar, avatar.body, find_truth(clip), load_body_model())
                row |= {
                    "true_train_body_psnr": avatar.history["psnr_body"][-1],
                    "true_novel_body_psnr": quality["novel_body_psnr"],
                }
            print(outfit, motion, " ".join(f"{k}={v:.4g}" for k, v in row.items()), flush=True)
            for key, value in row.items():
                totals.setdefault(key, []).append(value)
    print(" ".join(f"{key}={np.mean(values):.4g}" for key, values in totals.items()))


if __name__ == "__main__":
    main()
