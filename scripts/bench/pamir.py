"""PaMIR's weights on people that no training saw: the mesh against the clothed person (docs/pamir.md, 6).

Usage: python -m scripts.bench.pamir [--people N] [--image FILE]

The last line has chamfer_body_mm, chamfer_image_mm, chamfer_both_mm and unseen_outfit_gain_pct, and the
figures of ``pamir_video``. The body is the one that the network is told. ``--image`` is a network trained as
long with the same body for everyone (make train-pamir ARGS=--image-only); without it that figure is nan.
"""

import argparse
import os
from pathlib import Path

from hvr_nb.methods.pamir.checkpoints import load_pamir
from hvr_nb.store.places import ROOT
from scripts.bench.pamir_video import video_figures
from scripts.train.pamir.__main__ import MOTIONS
from scripts.train.pamir.judge import blindfold, held_out_views, judge, mean_of
from scripts.train.pamir.outfits import LEARNED, UNSEEN
from scripts.train.pamir.poses import load_poses

COLUMNS = ("chamfer_mm", "accuracy_mm", "completeness_mm", "normal_deg")


def show(name: str, rows: list[dict[str, float]]) -> None:
    """One row of the table: means over views."""
    print(f"{name:34}" + "".join(f"{mean_of(rows, key):17.1f}" for key in COLUMNS), flush=True)


def main() -> None:
    """Measure, print a table and the line of figures."""
    shared = Path(os.environ.get("HVR_SHARED_DATA", ROOT.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=None, help="None: the shipped ones")
    parser.add_argument("--image", type=Path, default=None, help="weights trained with --image-only")
    parser.add_argument("--people", type=int, default=21, help="people of each kind")
    parser.add_argument("--resolution", type=int, default=128)
    args = parser.parse_args()
    network = load_pamir(args.weights)
    blind = load_pamir(args.image) if args.image else None
    sizes = network.sizes
    poses = load_poses([shared / name for name in MOTIONS], held_out=True)
    print(f"{len(poses.bank)} captured poses of people never trained on (0: poses of the prior)")
    print(f"{'':34}" + "".join(f"{key:>17}" for key in COLUMNS))
    figures = {}
    for outfits, kind in ((LEARNED, "outfits learned"), (UNSEEN, "outfits never seen")):
        for exact in (True, False):
            views = held_out_views(poses, outfits, args.people, side=sizes.picture, exact=exact)
            name = f"{kind}, {'true' if exact else 'estimated'} body"
            figures[name] = {"body": judge(views, None)}
            figures[name]["both"] = judge(views, network, resolution=args.resolution)
            if blind is not None and exact and outfits == LEARNED:
                told = blindfold(sizes.volume)
                figures[name]["image"] = judge(views, blind, told=told, resolution=args.resolution)
            print(name)
            for part, rows in figures[name].items():
                show(f"  {part}", rows)
    true, unseen = figures["outfits learned, true body"], figures["outfits never seen, true body"]
    gain = 100 * (1 - mean_of(unseen["both"]) / mean_of(unseen["body"]))
    video = video_figures(str(args.weights or ""), resolution=args.resolution)
    image = mean_of(true["image"]) if "image" in true else float("nan")
    print(
        f"chamfer_body_mm={mean_of(true['body']):.1f} chamfer_image_mm={image:.1f} "
        f"chamfer_both_mm={mean_of(true['both']):.1f} unseen_outfit_gain_pct={gain:.0f} "
        f"chamfer_estimated_mm={mean_of(figures['outfits learned, estimated body']['both']):.1f} "
        + " ".join(f"{name}={value:.3f}" for name, value in video.items())
    )


if __name__ == "__main__":
    main()
