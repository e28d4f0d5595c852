"""The lifter measured: held-out motion capture, hidden limbs, real film with triangulated joints, time.

The data lie under HVR_SHARED_DATA or ../shared/data. Prints the figures of docs/benchmarks.md and ends with
one line of name=value pairs.
"""

from __future__ import annotations

import argparse
import os
import time
import tomllib
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.joint_sets import LIMB_GROUPS
from hvr_nb.geometry.camera import default_camera
from hvr_nb.keypoints.follow import COCO17, detect_keypoints
from hvr_nb.lift import lift_keypoints
from hvr_nb.metrics.images import acceleration, mpjpe, pa_mpjpe
from hvr_nb.store.places import ROOT
from hvr_nb.store.video import read_video
from hvr_nb.types import Camera
from scripts.bench.real import MARKERS, centred, per_joint, read_trc
from scripts.train.lifter.bank import load_bank, motion_files, subject_of
from scripts.train.lifter.judge import HELD_OUT, draw_takes, judge
from scripts.train.motions import kinds_of

SEED, HIDDEN_FROM = 2024, 40  # frame at which a limb group is hidden for half a second
# TRC marker -> joint of the skeleton, and COCO joint of the detector's own 3D
H36M_OF = {"RHip": 1, "RKnee": 2, "RAnkle": 3, "LHip": 4, "LKnee": 5, "LAnkle": 6, "RShoulder": 14,
           "RElbow": 15, "RWrist": 16, "LShoulder": 11, "LElbow": 12, "LWrist": 13}  # fmt: skip
COCO_OF = {"RHip": 12, "RKnee": 14, "RAnkle": 16, "LHip": 11, "LKnee": 13, "LAnkle": 15, "RShoulder": 6,
           "RElbow": 8, "RWrist": 10, "LShoulder": 5, "LElbow": 7, "LWrist": 9}  # fmt: skip


def on_motion(folder: Path, clips: int, weights: Path | None) -> dict[str, float]:
    """Held-out subjects before random cameras: with noise, exact, without a camera, with hidden limbs."""
    held = [path for path in motion_files(folder) if subject_of(path) in HELD_OUT]
    bank, row = load_bank(held), {}
    noisy = draw_takes(bank, seed=SEED, count=clips)
    found = judge(noisy, weights=weights)
    row["mocap"], row["mocap_pa"], row["mocap_mean_pose"] = (
        found[k] for k in ("mpjpe", "pa_mpjpe", "mean_pose")
    )
    row["mocap_no_camera"] = judge(noisy, weights=weights, camera=False)["mpjpe"]
    row["mocap_no_flip"] = judge(noisy, weights=weights, flip=False)["mpjpe"]
    row["mocap_exact_2d"] = judge(draw_takes(bank, seed=SEED, count=clips, clean=True), weights=weights)[
        "mpjpe"
    ]
    seen = draw_takes(bank, seed=SEED, count=clips, occlusions=0.0, swaps=0.0)
    row["mocap_nothing_hidden"] = judge(seen, weights=weights)["mpjpe"]

    def half_second(fps: float) -> slice:
        return slice(HIDDEN_FROM, HIDDEN_FROM + round(0.5 * fps))

    seen = [take for take in seen if (take.points[..., 2] > 0).mean() > 0.9]  # people inside the picture
    whole = judge(seen, weights=weights, rows=half_second)["mpjpe"]
    for group, joints in LIMB_GROUPS.items():

        def hide(points: np.ndarray, fps: float, joints=joints, rows=half_second) -> np.ndarray:
            points[rows(fps), joints] = np.nan
            return points

        def hide_always(points: np.ndarray, _fps: float, joints=joints) -> np.ndarray:
            points[:, joints] = np.nan
            return points

        row[f"hidden_{group}"] = judge(seen, weights=weights, change=hide, rows=half_second)["mpjpe"] / whole
        row[f"always_{group}"] = judge(seen, weights=weights, change=hide_always)["mpjpe"] / whole
    return row


def on_kinds(folders: list[Path], clips: int, weights: Path | None) -> dict[str, float]:
    """MPJPE, mm, of every kind of motion of the held-out subjects of several sets, and the mean of the kinds.

    Args:
        clips: clips of 90 frames of each kind.
    """
    held = [path for path in motion_files(*folders) if subject_of(path) in HELD_OUT]
    kinds = np.array(kinds_of(held))
    row = {}
    for kind in sorted(set(kinds)):
        bank = load_bank([path for path, other in zip(held, kinds, strict=True) if other == kind])
        name = "kind_" + kind.replace(",", "").replace(" ", "_")
        row[name] = judge(draw_takes(bank, seed=SEED, count=clips), weights=weights)["mpjpe"]
    return row | {"kinds_mean": float(np.mean(list(row.values())))}


def on_film(folder: Path, name: str, weights: Path | None) -> dict[str, float]:
    """Detected 2D of one camera, lifted, against triangulated joints; and the detector's own 3D."""
    video = read_video(folder / f"{name}.mp4", max_side=960)
    markers = read_trc(next(folder.glob("*.trc")))
    calibration = tomllib.loads((folder / "Calib_qualisys.toml").read_text())[name.replace("cam", "cam_")]
    turn = Rotation.from_rotvec(calibration["rotation"]).as_matrix()
    true = np.stack([markers[m][:, [2, 0, 1]] for m in MARKERS], 1) @ turn.T  # World = (Z, X, Y), camera axes
    height, width = video.frames.shape[1:3]
    ratio = width / calibration["size"][0]
    K = np.diag([ratio, ratio, 1]) @ np.array(calibration["matrix"])
    keypoints = detect_keypoints(video.frames, fps=video.fps)
    n = min(len(true), len(video.frames))
    calibrated, usual = Camera(K=K, width=width, height=height), default_camera(width, height)
    row = {}
    for label, camera in {"": calibrated, "_default_camera": usual, "_no_camera": None}.items():
        lifted = lift_keypoints(keypoints.points, fps=video.fps, camera=camera, weights=weights)
        joints = lifted.joints[:n, [H36M_OF[m] for m in MARKERS]]
        row |= _against(joints, true[:n], label)
        if not label:
            print(f"{name} lifted, per joint, mm:", per_joint(joints, true[:n]))
    own = keypoints.world[:n, [COCO17[COCO_OF[m]] for m in MARKERS]]
    print(f"{name} the detector's own 3D, per joint, mm:", per_joint(own, true[:n]))
    return row | _against(own, true[:n], "_detector")


def _against(joints: np.ndarray, true: np.ndarray, label: str) -> dict[str, float]:
    """Errors after aligning mid-hips and after a similarity, and jitter relative to that of the truth."""
    both = [centred(joints), centred(true)]
    return {
        f"mpjpe{label}": mpjpe(*both, root=None),
        f"pa_mpjpe{label}": pa_mpjpe(joints, true),
        f"jitter{label}": acceleration(both[0]) / acceleration(both[1]),
    }


def seconds_for(frames: int, weights: Path | None) -> float:
    """Seconds (wall clock) to lift a clip with a camera and the mirrored pass."""
    points = np.random.default_rng(0).uniform(200, 400, (frames, 17, 3))
    points[..., 2] = 1.0
    camera = default_camera(640, 480)
    lift_keypoints(points[:30], fps=30.0, camera=camera, weights=weights)
    start = time.perf_counter()
    lift_keypoints(points, fps=30.0, camera=camera, weights=weights)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=300, help="clips of three seconds on motion capture")
    parser.add_argument("--weights", type=Path, help="another lifter than the project's")
    args = parser.parse_args()
    data = Path(os.environ.get("HVR_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not data.exists():
        raise SystemExit(f"no data at {data}; set HVR_SHARED_DATA")
    line = on_motion(data / "mocap", args.clips, args.weights)
    print("motion capture", " ".join(f"{k}={v:.3g}" for k, v in line.items()), flush=True)
    folders = [folder for folder in (data / "mocap", data / "mocap_more") if folder.exists()]
    kinds = on_kinds(folders, max(1, args.clips // 5), args.weights)
    print("by kind", " ".join(f"{k}={v:.3g}" for k, v in kinds.items()), flush=True)
    line |= kinds
    for name in ("cam01", "cam02"):
        row = on_film(data / "videos" / "pose2sim_balancing", name, args.weights)
        print(name, " ".join(f"{k}={v:.3g}" for k, v in row.items()), flush=True)
        line |= {f"{name}_{k}": v for k, v in row.items()}
    line["seconds_1000_frames"] = seconds_for(1000, args.weights)
    print(" ".join(f"{k}={v:.4g}" for k, v in line.items()))


if __name__ == "__main__":
    main()
