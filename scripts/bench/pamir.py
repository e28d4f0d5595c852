"""PaMIR's weights on people that no training saw: the mesh against the clothed person (docs/pamir.md, 6).

Usage: python -m scripts.bench.pamir [--people N]

The last line has the Chamfer distances of the body alone (chamfer_body_mm), of the shipped weights
(chamfer_both_mm) and of a network that has only the picture (chamfer_image_mm), and the figures of
``pamir_video``. The body is the one that the network is told. The picture's network learned for 350 steps
with the same body for everyone, which is far from its end; chamfer_both_equal_mm is a network with the body
after as many steps. Both lie in ``pamir_equal/`` (make train-pamir ARGS="--steps 350 [--image-only]").
"""

import argparse
import os
from pathlib import Path

from hvr_nb.methods.pamir.checkpoints import load_pamir
from hvr_nb.methods.pamir.options import Options
from hvr_nb.store.places import ROOT
from scripts.bench.pamir_video import video_figures
from scripts.train.pamir.__main__ import MOTIONS
from scripts.train.pamir.judge import blindfold, held_out_views, judge, mean_of
from scripts.train.pamir.outfits import LEARNED, UNSEEN
from scripts.train.pamir.poses import load_poses

EQUAL = Path(__file__).parent / "pamir_equal"
PREVIEW = 128  # cells, for the networks at equal training
COLUMNS = ("chamfer_mm", "accuracy_mm", "completeness_mm", "normal_deg")


def show(name: str, rows: list[dict[str, float]]) -> None:
    """One row of the table: means over views."""
    print(f"{name:34}" + "".join(f"{mean_of(rows, key):17.1f}" for key in COLUMNS), flush=True)


def main() -> None:
    """Measure, print a table and the line of figures."""
    shared = Path(os.environ.get("HVR_SHARED_DATA", ROOT.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=None, help="None: the shipped ones")
    parser.add_argument("--equal", type=Path, default=EQUAL, help="folder of image.npz and both.npz")
    parser.add_argument("--people", type=int, default=7, help="people of each kind")
    parser.add_argument("--resolution", type=int, default=Options.resolution)
    args = parser.parse_args()
    network = load_pamir(args.weights)
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
            if exact and outfits == LEARNED:
                coarse, told = min(PREVIEW, args.resolution), blindfold(sizes.volume)
                image, both = (load_pamir(args.equal / f"{part}.npz") for part in ("image", "both"))
                figures[name]["image, 350 steps"] = judge(views, image, told=told, resolution=coarse)
                figures[name]["both, 350 steps"] = judge(views, both, resolution=coarse)
            print(name)
            for part, rows in figures[name].items():
                show(f"  {part}", rows)
    true, unseen = figures["outfits learned, true body"], figures["outfits never seen, true body"]
    gain = 100 * (1 - mean_of(unseen["both"]) / mean_of(unseen["body"]))
    video = video_figures(str(args.weights or ""), resolution=args.resolution)
    estimated = figures["outfits learned, estimated body"]["both"]
    print(
        f"chamfer_body_mm={mean_of(true['body']):.1f} "
        f"chamfer_image_mm={mean_of(true['image, 350 steps']):.1f} "
        f"chamfer_both_equal_mm={mean_of(true['both, 350 steps']):.1f} "
        f"chamfer_both_mm={mean_of(true['both']):.1f} unseen_outfit_gain_pct={gain:.0f} "
        f"chamfer_estimated_mm={mean_of(estimated):.1f} "
        f"normal_body_deg={mean_of(true['body'], 'normal_deg'):.1f} "
        f"normal_both_deg={mean_of(true['both'], 'normal_deg'):.1f} "
        + " ".join(f"{name}={value:.3f}" for name, value in video.items())
    )


if __name__ == "__main__":
    main()
