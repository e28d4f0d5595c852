"""Time of a step and of a picture of the radiance field by picture size, frames and grid levels.

One quantity is changed at a time on the synthetic subject with its true body and silhouettes. Ends
with one line of name=value pairs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from hvr_nb.methods.nvr.network import FieldOptions
from hvr_nb.store.places import ROOT
from scripts.bench.nvr.ours import as_avatar, start_ours, warm_up
from scripts.bench.nvr.scene import load_scene, make_clip
from scripts.bench.nvr.steps import ours_block, render_ms


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    size: int  # pixels, side of the pictures
    frames: int
    levels: int


def cases(full: int, frames: int) -> dict[str, Case]:
    """Name in the last line -> case, around the middle one; of clips ``full`` pixels wide."""
    middle = Case(full // 2, frames // 2, 8)
    sizes = {f"size{n}": Case(n, middle.frames, 8) for n in (full // 4, full // 2, full)}
    counts = {f"frames{n}": Case(middle.size, n, 8) for n in (frames // 6, frames // 2, frames)}
    levels = {f"levels{n}": Case(middle.size, middle.frames, n) for n in (4, 8, 12)}
    return sizes | counts | levels


def measure(folder: Path, case: Case, *, full: int, warm: int, steps: int, pictures: int) -> dict[str, float]:
    """Median milliseconds of a step after ``warm`` steps and of a picture, and samples looked at."""
    scene = load_scene(folder, image_scale=case.size / full, frames=case.frames)
    sizes = FieldOptions(levels=case.levels, geometry_levels=min(case.levels, FieldOptions.geometry_levels))
    ours = start_ours(scene, iters=2 * warm, sizes=sizes)
    warm_up(ours, warm)
    block = ours_block(ours, warm, steps)
    render = render_ms(as_avatar(ours, scene), scene.pictures.camera, scene.which, repeats=pictures)
    return {
        "step_ms": block["ours_ms"],
        "live": block["ours_live"] / block["ours_drawn"],
        "render_ms": render,
    }


def main() -> None:
    """Measure every case once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="where the clip is kept")
    parser.add_argument("--size", type=int, default=512, help="largest picture; the others are halves of it")
    parser.add_argument("--frames", type=int, default=60, help="most frames")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--warm", type=int, default=300, help="steps before timing")
    parser.add_argument("--steps", type=int, default=60, help="timed steps")
    parser.add_argument("--pictures", type=int, default=5, help="timed pictures")
    args = parser.parse_args()
    folder = make_clip(args.data, motion="walk", frames=args.frames, size=args.size, seed=args.seed)
    done: dict[Case, dict[str, float]] = {}
    line = {}
    print("  size frames levels   step ms  render ms  samples looked at")
    for name, case in cases(args.size, args.frames).items():
        if case not in done:
            done[case] = measure(
                folder, case, full=args.size, warm=args.warm, steps=args.steps, pictures=args.pictures
            )
        row = done[case]
        print(
            f"{case.size:6d} {case.frames:6d} {case.levels:6d} {row['step_ms']:9.1f} "
            f"{row['render_ms']:10.0f} {100 * row['live']:17.0f} %",
            flush=True,
        )
        line |= {f"{name}_{key}": row[key] for key in ("step_ms", "render_ms")}
    print(" ".join(f"{k}={v:.4g}" for k, v in line.items()))


if __name__ == "__main__":
    main()
