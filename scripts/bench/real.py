"""The chain on real footage (HVR_SHARED_DATA or ../shared/data): the figures of docs/benchmarks.md.

Every video runs as a whole, with every fourth frame held out. A failure is reported, and the others go on.
Where triangulated joints exist (pose2sim_balancing) the body is compared with them. Ends with one
line of name=value pairs.
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
from hvr_nb.geometry.camera import similarity
from hvr_nb.metrics.images import mpjpe, pa_mpjpe
from hvr_nb.store.clip import Clip
from hvr_nb.store.places import ROOT
from hvr_nb.types import HvrError

VIDEOS = {  # name -> (path under videos/, parameters of 00_video)
    "male-3-casual": ("people_snapshot_male-3-casual/input_512.mp4", {}),
    "iper_023": ("iper_023_1_1_turn_512.mp4", {}),
    "selfrecon_HY": ("selfrecon_HY_male/input.mp4", {"stride": 6, "max_side": 640}),
    "balancing_cam01": ("pose2sim_balancing/cam01.mp4", {"max_side": 960}),
    "balancing_cam02": ("pose2sim_balancing/cam02.mp4", {"max_side": 960}),
    "squats": ("tfjs_pose_squats.mp4", {"max_side": 640}),
    "gait_side": ("sports2d_demo4_gait_side.mp4", {"stride": 4, "max_side": 640}),
    "outdoor_single": ("mmhuman3d_single.mp4", {"max_side": 640}),
    "outdoor_multi": ("mmhuman3d_multi.mp4", {"max_side": 640}),
}
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


def main() -> None:
    """Run the chosen videos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(VIDEOS), help=f"some of {', '.join(VIDEOS)}")
    parser.add_argument("--iters", type=int, default=4000)
    args = parser.parse_args()
    data = Path(os.environ.get("HVR_SHARED_DATA", ROOT.parent / "shared" / "data")) / "videos"
    if not data.exists():
        raise SystemExit(f"no footage at {data}; set HVR_SHARED_DATA")
    line = {}
    for name in args.names:
        path, reading = VIDEOS[name]
        start, folder = time.perf_counter(), ROOT / "data/clips" / f"real_{name}"
        try:
            run_chain(
                data / path,
                folder,
                notebooks_dir=ROOT / "notebooks",
                overrides={"00_video": reading, "05_train": {"iters": args.iters, "hold_out": 4}},
            )
        except HvrError as error:
            print(f"{name}: FAILED {error}", flush=True)
            line[f"{name}_failed"] = 1
            continue
        clip = Clip.open(folder)
        found = {k: v for stage in clip.metrics.values() for k, v in stage.items()}
        keys = ("found_pct", "reprojection_percent", "iou_mean", "heldout_psnr", "heldout_body_psnr")
        row = {k: found[k] for k in keys if k in found} | {"seconds": time.perf_counter() - start}
        if name.startswith("balancing"):
            row |= against_markers(clip, (data / path).parent, name[-5:].replace("cam", "cam_"))
        print(name, " ".join(f"{k}={v:.4g}" for k, v in row.items()), flush=True)
        line |= {
            f"{name}_{k}": v for k, v in row.items() if k in ("iou_mean", "heldout_body_psnr", "mpjpe_mm")
        }
    print(" ".join(f"{k}={v:.4g}" for k, v in line.items()))


if __name__ == "__main__":
    main()
