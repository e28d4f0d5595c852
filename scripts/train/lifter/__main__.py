"""Learn hvr_nb/assets/lifter.npz from motion capture: 2D joints of any detector to a 3D skeleton.

Usage: python -m scripts.train.lifter [--motions FOLDER ...] [--out FILE] [--steps N]. Card: docs/lifter.md.

Motions of everybody but the held-out subjects are put on random bodies, recombined, filmed by random cameras
and spoiled like a detector would; only the network's weights are kept, no motion.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from hvr_nb.lift.checkpoints import LIFTER_FILE, load_lifter, save_lifter
from hvr_nb.lift.network import Lifter
from hvr_nb.store.places import ROOT
from scripts.train.lifter.bank import load_bank, motion_files, subject_of
from scripts.train.lifter.judge import HELD_OUT, draw_takes, judge
from scripts.train.lifter.learn import train


def main() -> None:
    """Train, measure on the held-out subjects, write the asset."""
    data = Path(os.environ.get("HVR_SHARED_DATA", ROOT.parent / "shared" / "data"))
    data = [folder for folder in (data / "mocap", data / "mocap_more") if folder.exists()]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--motions", nargs="+", type=Path, default=data, help="folders of .npz or .bvh")
    parser.add_argument("--out", type=Path, default=LIFTER_FILE)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--start", type=Path, help="go on from this lifter (.npz) instead of from nothing")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="learning rate at the start")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="end by the clock (then not repeatable)")
    parser.add_argument("--frames", type=int, default=4096, help="frames of a batch")
    parser.add_argument("--uses", type=int, default=1, help="steps taken with every batch that is drawn")
    parser.add_argument(
        "--half", action="store_true", help="compute in bfloat16 (faster where the CPU has it)"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    files = motion_files(*args.motions)
    held = [path for path in files if subject_of(path) in HELD_OUT]
    files = [path for path in files if path not in held]
    torch.manual_seed(args.seed)
    model = load_lifter(args.start) if args.start else Lifter(channels=args.channels)
    model.requires_grad_(True)
    print(f"{len(files)} motions, {len(held)} held out, {sum(p.numel() for p in model.parameters())} weights")
    model, losses = train(
        model,
        files,
        steps=args.steps,
        seed=args.seed,
        workers=args.workers,
        rate=args.rate,
        seconds=args.seconds,
        frames=args.frames,
        half=args.half,
        uses=args.uses,
        keep=lambda mean: save_lifter(args.out, mean),
    )
    save_lifter(args.out, model)
    print(f"loss {np.mean(losses[:20]):.4f} to {np.mean(losses[-200:]):.4f}")
    if held:
        takes = draw_takes(load_bank(held), seed=12345, count=100)
        print(f"held_out_mpjpe_mm={judge(takes, weights=args.out)['mpjpe']:.1f}")


if __name__ == "__main__":
    main()
