"""The chain on real footage (HVR_SHARED_DATA or ../shared/data): the figures of docs/benchmarks.md.

Every video runs as a whole, with every fourth frame held out. A failure is reported, and the others go on.
Where triangulated joints exist (pose2sim_balancing) the body is compared with them. Each clip gets a
contact sheet, ``data/clips/real_<name>/sheet.png``: a picture from the side shows what figures hide. Ends
with a table and one line of name=value pairs, means over the clips that have the figure.
"""

from __future__ import annotations

import argparse
import os
import time
import tomllib
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.batch import run_chain
from hvr_nb.body.model import load_body_model, posed
from hvr_nb.drawing.pictures import contact_sheet
from hvr_nb.drawing.shading import body_from_sides, body_overlay
from hvr_nb.geometry.camera import similarity
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.metrics.images import mpjpe, pa_mpjpe
from hvr_nb.render.pictures import load_pictures
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_image
from hvr_nb.store.places import ROOT
from hvr_nb.types import HvrError

VIDEOS = {  # name -> (path under videos/, parameters of 00_video)
    "male-3-casual": ("people_snapshot_male-3-casual/input_512.mp4", {}),
    "iper_023": ("iper_023_1_1_turn_512.mp4", {}),
    "selfrecon_HY": ("selfrecon_HY_male/input.mp4", {"stride": 6, "max_side": 640}),
    "selfrecon_CHH": ("selfrecon_CHH_female/input.mp4", {"stride": 5, "max_side": 640}),
    "ubc_dress": ("ubc_floral_dress.mp4", {"stride": 6, "max_side": 640}),
    "wrap_dress": ("dwnet_wrap_dress.mp4", {"stride": 6}),
    "leggings": ("sapiens_dark_leggings_planks.mp4", {"stride": 2, "max_side": 640}),
    "balancing_cam01": ("pose2sim_balancing/cam01.mp4", {"max_side": 960}),
    "balancing_cam02": ("pose2sim_balancing/cam02.mp4", {"max_side": 960}),
    "squats": ("tfjs_pose_squats.mp4", {"max_side": 640}),
    "gait_side": ("sports2d_demo4_gait_side.mp4", {"stride": 4, "max_side": 640}),
    "outdoor_single": ("mmhuman3d_single.mp4", {"max_side": 640}),
    "outdoor_multi": ("mmhuman3d_multi.mp4", {"max_side": 640}),
    "two_men": ("videomimic_two_people.mp4", {"stride": 2, "max_side": 640}),
}
COLUMNS = ("found_pct", "iou_mean", "skin_iou", "knee_deg", "cross_view_iou", "cross_view_avatar_iou",
           "render_iou", "heldout_psnr", "heldout_body_psnr", "mpjpe_mm", "pampjpe_mm", "doubts",
           "seconds")  # fmt: skip
MEANS = (
    "cross_view_iou",
    "cross_view_avatar_iou",
    "render_iou",
    "iou_mean",
    "skin_iou",
    "knee_deg",
    "heldout_body_psnr",
)  # of the last line, over the clips that have them
# TRC marker -> SMPL joint
MARKERS = {"RHip": 2, "RKnee": 5, "RAnkle": 8, "LHip": 1, "LKnee": 4, "LAnkle": 7, "RShoulder": 17,
           "RElbow": 19, "RWrist": 21, "LShoulder": 16, "LElbow": 18, "LWrist": 20}  # fmt: skip


def read_trc(path: Path) -> dict[str, np.ndarray]:
    """Markers of a TRC file: name -> (T, 3) in the file's columns, metres."""
    lines = path.read_text().splitlines()
    names = [n for n in lines[3].split("\t")[2:] if n]
    rows = [[float(v) for v in line.split()] for line in lines[5:] if line.strip()]
    data = np.asarray(rows)[:, 2:].reshape(len(rows), -1, 3)
    return {name: data[:, k] for k, name in enumerate(names)}


def per_joint(joints: np.ndarray, true: np.ndarray) -> str:
    """Mean error of each marker, mm, hips aligned / after a similarity; joints (T, 12, 3) metres."""
    aligned = [similarity(a, b) for a, b in zip(joints, true, strict=True)]
    fitted = np.stack([s * a @ R.T + t for a, (s, R, t) in zip(joints, aligned, strict=True)])
    rows = [
        1000 * np.linalg.norm(x, axis=-1).mean(0) for x in (centred(joints) - centred(true), fitted - true)
    ]
    return ", ".join(f"{name} {a:.0f}/{b:.0f}" for name, a, b in zip(MARKERS, *rows, strict=True))


def centred(x: np.ndarray) -> np.ndarray:
    """Joints (T, 12, 3) about the middle of the hips."""
    return x - x[:, [0, 3]].mean(1, keepdims=True)


def against_markers(clip: Clip, folder: Path, camera: str) -> dict[str, float]:
    """MPJPE (mid-hip aligned) and PA-MPJPE, mm, of twelve joints against triangulated ones; prints each."""
    markers = read_trc(next(folder.glob("*.trc")))
    calibration = tomllib.loads((folder / "Calib_qualisys.toml").read_text())[camera]
    turn = Rotation.from_rotvec(calibration["rotation"]).as_matrix()
    world = np.stack([markers[name][:, [2, 0, 1]] for name in MARKERS], 1)  # World = (Z, X, Y)
    true = world @ turn.T  # camera axes; its place does not matter once the hips are aligned
    joints = posed(load_body_model(), clip.body)[1][:, list(MARKERS.values())] @ clip.body.camera.R.T
    true = true[[int(n) for n in clip.frame_names]]
    print(f"{camera} per joint, mm:", per_joint(joints, true), flush=True)
    return {
        "mpjpe_mm": mpjpe(centred(joints), centred(true), root=None),
        "pampjpe_mm": pa_mpjpe(joints, true),
    }


def figures(clip: Clip) -> dict[str, float]:
    """What the stages measured of a clip, and how many checks failed."""
    stages = clip.metrics.values()
    found = {name: value for stage in stages for name, value in stage.items()}
    doubts = sum(len(stage.get("doubts", ())) for stage in stages)
    return {name: found[name] for name in COLUMNS if name in found} | {"doubts": doubts}


def sheet(clip: Clip, method: str) -> np.ndarray:
    """Four frames: film, body over it, avatar; below them the body from four sides and a turntable."""
    body, model = clip.body, load_body_model()
    pictures = load_pictures(clip.folder / "renders" / method / "frames").on(255)
    turn = load_pictures(clip.folder / "renders" / method / "turntable").on(255)
    at = spread_indices(len(body), 4)
    over = body_overlay(clip.frames[at], body.frame(at), model)
    rows = [*clip.frames[at], *over, *pictures[at], *turn[spread_indices(len(turn), 4)]]
    names = ("film", "body", "avatar", "turntable")
    top = contact_sheet(rows, columns=4, tile=300, title=clip.folder.name, row_labels=names)
    below = contact_sheet([body_from_sides(body, model)], tile=300, row_labels=["body from four sides"])
    wide = max(top.shape[1], below.shape[1])
    padded = [np.pad(p, ((0, 0), (0, wide - p.shape[1]), (0, 0)), constant_values=255) for p in (top, below)]
    return np.concatenate(padded)


def measure(name: str, videos: Path, *, method: str, iters: int) -> dict[str, float]:
    """Run one clip whole and return its row of the table."""
    path, reading = VIDEOS[name]
    start, folder = time.perf_counter(), ROOT / "data/clips" / f"real_{name}"
    training = {"method": method, "iters": iters, "hold_out": 4}
    overrides = {"00_video": reading, "05_train": training, "06_render": {"method": method}}
    overrides["07_visualize"] = {"method": method}
    run_chain(videos / path, folder, notebooks_dir=ROOT / "notebooks", overrides=overrides)
    clip = Clip.open(folder)
    row = figures(clip) | {"seconds": time.perf_counter() - start}
    if name.startswith("balancing"):
        row |= against_markers(clip, (videos / path).parent, name[-5:].replace("cam", "cam_"))
    write_image(folder / "sheet.png", sheet(clip, method))
    return row


def table(rows: dict[str, dict[str, float]]) -> str:
    """One line a clip, one column a figure; a dash where a clip does not have it."""
    lines = [("clip", *COLUMNS)]
    lines += [(name, *(f"{row[c]:.4g}" if c in row else "-" for c in COLUMNS)) for name, row in rows.items()]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join("  ".join(v.ljust(w) for v, w in zip(line, widths, strict=True)) for line in lines)


def last_line(rows: dict[str, dict[str, float]], failed: int) -> str:
    """Means over the clips that have a figure, the two cameras with truth, time, failures."""
    means = {key: [row[key] for row in rows.values() if key in row] for key in MEANS}
    line = {key: np.mean(values) for key, values in means.items() if values}
    for key in ("pampjpe_mm", "mpjpe_mm"):
        line |= {
            f"{camera}_{key}": rows[f"balancing_{camera}"][key]
            for camera in ("cam01", "cam02")
            if f"balancing_{camera}" in rows
        }
    line |= {"seconds": sum(row["seconds"] for row in rows.values()), "failed": failed}
    return " ".join(f"{key}={value:.4g}" for key, value in line.items())


def main() -> None:
    """Run the chosen videos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(VIDEOS), help=f"some of {', '.join(VIDEOS)}")
    parser.add_argument("--method", default="nvr", help="reconstruction method of 05_train")
    parser.add_argument("--iters", type=int, default=0, help="steps of training; 0: the method's own number")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in VIDEOS]
    if unknown:
        parser.error(f"unknown clip {unknown[0]}; there are {', '.join(VIDEOS)}")
    videos = Path(os.environ.get("HVR_SHARED_DATA", ROOT.parent / "shared" / "data")) / "videos"
    if not videos.exists():
        raise SystemExit(f"no footage at {videos}; set HVR_SHARED_DATA")
    rows, failed = {}, 0
    for name in args.names:
        try:
            rows[name] = measure(name, videos, method=args.method, iters=args.iters)
            print(name, " ".join(f"{k}={v:.4g}" for k, v in rows[name].items()), flush=True)
        except HvrError as error:
            print(f"{name}: FAILED {error}", flush=True)
            failed += 1
    print(table(rows))
    print(last_line(rows, failed))


if __name__ == "__main__":
    main()
