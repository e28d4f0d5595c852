"""The radiance field against a re-creation of Instant-NVR's training: the figures of docs/benchmarks.md.

On the synthetic subject with its true body and silhouettes: time of a step at equal samples, memory,
files, quality over time and rendering. Ends with one line of name=value pairs.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from hvr_nb.methods import nvr
from hvr_nb.store.files import write_image
from hvr_nb.store.places import ROOT
from scripts.bench.nvr.curve import LEVELS, picture, quality_over_time, seconds_to
from scripts.bench.nvr.memory import SIDES, file_sizes, peaks_in_children, run_side, tensor_megabytes
from scripts.bench.nvr.ours import as_avatar, devices, start_ours, warm_up
from scripts.bench.nvr.reference import ReferenceSizes, tiny_sizes
from scripts.bench.nvr.reference_step import make_reference
from scripts.bench.nvr.scene import load_scene, make_clip
from scripts.bench.nvr.steps import compare_steps, render_ms

QUICK = {"frames": 4, "size": 96, "samples": [4096], "repeats": 1, "warm": 6, "iters": 12, "points": 2,
         "tiny": True}  # fmt: skip


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and short, to see that it works")
    parser.add_argument(
        "--parts", nargs="+", default=["steps", "curve", "memory"], choices=("steps", "curve", "memory")
    )
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="where the clip is kept")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/images/nvr_quality.png")
    parser.add_argument("--motion", default="walk", choices=("rotate", "walk"))
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--samples",
        type=int,
        nargs="+",
        default=[16384, 262144],
        help="ray samples a step: ours by default, the reference's by default",
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns of ours and the reference")
    parser.add_argument("--warm", type=int, default=300, help="steps of ours before timing")
    parser.add_argument("--iters", type=int, default=4000, help="steps of the quality curve")
    parser.add_argument("--points", type=int, default=12, help="looks during the quality curve")
    parser.add_argument("--tiny", action="store_true", help="tiny tables for the reference")
    parser.add_argument("--memory-of", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.quick:
        vars(args).update(QUICK)
        if args.picture == parser.get_default("picture"):
            args.picture = args.data / "nvr_quality_quick.png"
    return args


def main() -> None:
    """Measure the parts named on the command line."""
    args = options()
    folder = make_clip(args.data, motion=args.motion, frames=args.frames, size=args.size, seed=args.seed)
    sizes = tiny_sizes() if args.tiny else ReferenceSizes()
    if args.memory_of:
        print(run_side(args.memory_of, load_scene(folder), sizes, samples=args.samples[0], warm=args.warm))
        return
    line = {}
    if "steps" in args.parts:
        line |= steps(args, load_scene(folder), sizes)
    if "curve" in args.parts:
        line |= curve(args, folder)
    if "memory" in args.parts:  # last: compiling the kernels takes memory too, and that is done by now
        line |= report("peak memory", memory(args))
    print(" ".join(f"{k}={v:.4g}" for k, v in line.items()))


def report(title: str, row: dict[str, float]) -> dict[str, float]:
    """Print a row and hand it back."""
    print(f"{title}: " + " ".join(f"{k}={v:.4g}" for k, v in row.items()), flush=True)
    return row


def memory(args) -> dict[str, float]:
    """Peak memory of both sides beyond what the loaded data takes, megabytes."""
    row: dict[str, float] = {}
    for k, samples in enumerate(args.samples):
        same = [
            "--data",
            str(args.data),
            "--motion",
            args.motion,
            "--frames",
            str(args.frames),
            "--size",
            str(args.size),
            "--seed",
            str(args.seed),
            "--samples",
            str(samples),
            "--warm",
            str(args.warm),
            *["--tiny"] * args.tiny,
        ]
        end = f"_{samples}" if k else ""
        peaks = peaks_in_children("scripts.bench.nvr", same)
        row |= {f"{side}_peak_mb{end}": peaks[side] - peaks["data"] for side in ("ours", "reference")}
        row[f"peak_ratio{end}"] = row[f"reference_peak_mb{end}"] / row[f"ours_peak_mb{end}"]
    return row | {"data_peak_mb": peaks["data"]}


def steps(args, scene, sizes) -> dict[str, float]:
    """Time of a step, bytes of tensors and files of both sides."""
    ours = start_ours(scene, iters=2 * args.warm, device="cpu")
    warm_up(ours, args.warm)
    reference, net, optimiser = make_reference(scene, sizes)
    line = {}
    for k, samples in enumerate(args.samples):
        row = compare_steps(
            ours, reference, optimiser, samples=samples, first=args.warm, repeats=args.repeats
        )
        report(f"a step of {samples} samples", row)
        line |= {f"{name}_{samples}" if k else name: value for name, value in row.items()}
    kept = {
        "ours_tensors_mb": tensor_megabytes(
            [*ours.field.parameters(), *ours.state["pose"].parameters()],
            [ours.state["by_row"], ours.state["dense"]],
        ),
        "reference_tensors_mb": tensor_megabytes(net.parameters(), [optimiser]),
    }
    kept["tensors_ratio"] = kept["reference_tensors_mb"] / kept["ours_tensors_mb"]
    line |= report("tensors", kept)
    return line | report("files", file_sizes(ours, scene, net, optimiser))


def curve(args, folder: Path) -> dict[str, float]:
    """Quality over time, and rendering of what came out."""
    looks = {"frames": 1, "views": 1} if args.quick else {"frames": 4, "views": 2}
    columns, ours, scene = quality_over_time(
        lambda: load_scene(folder), iters=args.iters, points=args.points, **looks
    )
    for row in zip(*columns.values(), strict=True):
        print("step {:.0f}, {:.0f} s: training views {:.2f} dB, unseen views {:.2f} dB".format(*row))
    device = "GPU" if ours.field.low.is_cuda else "CPU"
    title = f"{args.size}x{args.size}, {args.frames} frames, true body, {args.iters} steps on the {device}"
    args.picture.parent.mkdir(parents=True, exist_ok=True)
    write_image(args.picture, picture(columns, title))
    row = {
        f"{name}_{level:.0f}db_s": seconds_to(columns, name, level)
        for name in ("train", "unseen")
        for level in LEVELS
    }
    row |= {
        "train_db": columns["train"][-1],
        "unseen_db": columns["unseen"][-1],
        "curve_seconds": columns["seconds"][-1],
    }
    with tempfile.TemporaryDirectory(dir=args.data) as name:
        as_avatar(ours, scene).save(name)
        for device in devices():
            avatar = nvr.load(name, device=device)
            row[f"render_{device}_ms"] = render_ms(
                avatar, scene.pictures.camera, scene.which, repeats=2 if args.quick else 9
            )
    return report("quality and rendering", row)


if __name__ == "__main__":
    main()
