"""Learn hvr_nb/assets/pamir.npz from people drawn here: a picture and a body to a clothed person.

Usage: python -m scripts.train.pamir [--steps N] [--shards N] [--work FOLDER]; docs/pamir.md is its card.

People are drawn into shards in the work folder first, then the network learns from them. A run that was
stopped goes on where it was. Captured motions are read from HVR_SHARED_DATA; without them, poses come from
the pose prior. Only the network's weights are kept, no motion.
"""

import argparse
import os
from pathlib import Path

import torch

from hvr_nb.body.model import load_body_model
from hvr_nb.methods.pamir.checkpoints import PAMIR_FILE, load_pamir, save_pamir
from hvr_nb.methods.pamir.sizes import ORIGINAL, SMALL
from hvr_nb.store.places import DATA, ROOT
from scripts.train.pamir.judge import blindfold
from scripts.train.pamir.learn import Schedule, Shards, learn
from scripts.train.pamir.outfits import LEARNED
from scripts.train.pamir.poses import load_poses
from scripts.train.pamir.samples import make_shard
from scripts.train.pamir.scans import make_scan_shards

MOTIONS = ("mocap", "mocap_more")


def main() -> None:
    """Draw people, train, write the asset."""
    shared = Path(os.environ.get("HVR_SHARED_DATA", ROOT.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--motions", type=Path, nargs="*", default=[shared / name for name in MOTIONS])
    parser.add_argument("--work", type=Path, default=DATA / "pamir", help="folder of shards and checkpoints")
    parser.add_argument("--out", type=Path, default=PAMIR_FILE)
    parser.add_argument("--shards", type=int, default=150, help="files of 32 views each")
    parser.add_argument("--scans", type=Path, help="folder of scans in PaMIR's layout, learned from too")
    parser.add_argument("--steps", type=int, default=Schedule.steps)
    parser.add_argument("--start", type=Path, help="begin with these weights instead of with the body")
    parser.add_argument("--rate", type=float, default=Schedule.rate, help="learning rate at the start")
    parser.add_argument("--views", type=int, default=Schedule.views, help="views of a step")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--original", action="store_true", help="the published sizes (one large GPU)")
    parser.add_argument(
        "--image-only", action="store_true", help="for comparison: everyone has the same body"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sizes = ORIGINAL if args.original else SMALL
    poses = load_poses(args.motions)
    print(f"{len(poses.bank)} captured poses")
    folder = args.work / f"shards_{sizes.picture}_{sizes.volume}"
    for index in range(args.shards):
        make_shard(folder, index, poses, LEARNED, seed=args.seed, side=sizes.picture, volume=sizes.volume)
    if args.scans:
        found = make_scan_shards(
            folder,
            args.scans,
            load_body_model(),
            seed=args.seed,
            side=sizes.picture,
            volume=sizes.volume,
        )
        print(f"{found} scans of {args.scans}")
    shards = Shards(folder)
    print(f"{len(shards)} views")
    name = f"{'image' if args.image_only else 'both'}_{sizes.picture}"
    network, history = learn(
        sizes,
        shards,
        schedule=Schedule(args.steps, args.views, rate=args.rate),
        checkpoint=args.work / f"{name}.pt",
        seed=args.seed,
        device="cuda" if torch.cuda.is_available() else "cpu",
        keep=lambda mean, step: save_pamir(args.work / f"{name}.npz", mean, steps=step),
        start=load_pamir(args.start) if args.start else None,
        blind=blindfold(sizes.volume) if args.image_only else None,
    )
    out = args.work / f"{name}.npz" if args.image_only else args.out
    save_pamir(out, network, steps=args.steps, views=len(shards), outfits=list(LEARNED))
    print(
        f"{out}: loss {history['loss'][0]:.4f} to {history['loss'][-1]:.4f}, {history['seconds'][-1]:.0f} s"
    )


if __name__ == "__main__":
    main()
