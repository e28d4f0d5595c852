"""Measure the detector's landmarks on the body: hvr_nb/assets/landmark_offsets.npz (docs/body.md, 3).

Usage: python -m scripts.train.landmarks --cache FOLDER [--motions FOLDER] [--clips 40]

Synthetic people (seeds from 100, in ``WORN``) turn, walk and repeat motion-capture clips before the camera,
and the detector runs on the films. Each landmark becomes the mixture of joints plus local offsets that
best explains all its rays. Only these averages are kept.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hvr_nb.body.kinematics import pose_rig, rig_of
from hvr_nb.body.landmarks import BLAZE_NAMES, OFFSETS_FILE
from hvr_nb.body.model import load_body_model
from hvr_nb.keypoints.follow import detect_keypoints
from hvr_nb.store.atomic_files import atomic
from hvr_nb.subject import clip_motion, make_subject, render_subject
from hvr_nb.subject.motion import rotating_motion, subject_camera, walking_motion
from hvr_nb.types import Body, HvrError

FIRST_SEED, FRAMES, SIZE, FPS = 100, 32, 384, 30.0
WORN = ("trousers", "shorts", "skirt")
REDUNDANT = ("eye_inner", "eye_outer", "mouth")  # add nothing to nose, eyes and ears
RIDGE = 0.15  # pull of the offsets to zero, metres^-1 against residuals in units of 2 cm


def parts_of(name: str) -> tuple[list[int], list[int]]:
    """Joints that a landmark may mix, its own first, and joints that its offset rotates with."""
    right = int("right" in name)
    for key, joint in {
        "shoulder": 16,
        "elbow": 18,
        "wrist": 20,
        "hip": 1,
        "knee": 4,
        "ankle": 7,
        "heel": 7,
        "foot": 10,
        "pinky": 22,
        "index": 22,
        "thumb": 22,
    }.items():
        if key in name:
            own, up = joint + right, {16: 9, 18: 16, 20: 18, 22: 20, 1: 0, 4: 1, 7: 4, 10: 7}[joint]
            up = up + right if up not in (0, 9) else up
            mix = {16: [own, 9, 33 - own], 1: [own, 0, 3 - own]}.get(joint, [own, up])
            return mix, [own] if joint in (7, 10, 22) else [up] if joint in (16, 1) else [up, own]
    return [15], [15]


def film(seed: int, motions: list[Path]) -> Body:
    """The motion of one calibration clip: turning, walking or captured."""
    kind, rng = seed % 4, np.random.default_rng([seed, 50])
    camera = subject_camera(SIZE, seed=seed)
    if kind == 0 or not motions:
        return rotating_motion(FRAMES, seed=seed, camera=camera)
    if kind == 1 and seed % 8 == 1:
        return walking_motion(FRAMES, seed=seed, camera=camera)
    with np.load(motions[int(rng.integers(len(motions)))], allow_pickle=False) as file:
        poses, trans, step = file["poses"], file["trans"], int(rng.integers(2, 5))
    length = min(FRAMES, len(poses) // step)
    first = int(rng.integers(0, len(poses) - length * step + 1))
    poses, trans = (a[first : first + length * step : step].astype(np.float64) for a in (poses, trans))
    yaw = Rotation.from_rotvec([0.0, rng.uniform(0, 2 * np.pi), 0.0])
    orient = (yaw * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    body = Body(
        np.zeros(10), orient, poses[:, 3:], yaw.apply(trans - trans[0]) * 0.3, camera, np.ones(length, bool)
    )
    return clip_motion(body, seed=seed, camera=camera)


def watch(seed: int, motions: list[Path], cache: Path) -> dict:
    """True pose and detected landmarks of one clip, from the cache or filmed now."""
    path = cache / f"{seed}.npz"
    if not path.exists():
        body = film(seed, motions)
        person = make_subject(WORN[seed % len(WORN)], seed=seed)
        take = render_subject(person, body, body.camera, seed=seed)
        seen = detect_keypoints(take.frames, fps=FPS)
        with atomic(path) as partial:
            np.savez(
                partial,
                landmarks=seen.landmarks,
                world=seen.world,
                found=seen.found,
                betas=body.betas,
                poses=body.poses,
                transl=body.transl,
                K=body.camera.K,
            )
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def solve_landmark(row: int, clips: list[dict]) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights (24,), offsets (24, 3) and spread (metres) of one landmark, robust least squares."""
    mix, carriers = parts_of(BLAZE_NAMES[row])
    A, b, conf = [], [], []
    for clip in clips:
        pose, R = clip["pose"], np.diag([1.0, -1.0, -1.0])
        ray = (clip["landmarks"][:, row, :2] - clip["K"][:2, 2]) / clip["K"][[0, 1], [0, 1]]
        own = pose.joints[:, mix[0]]
        plane = np.stack([np.concatenate([np.tile(np.eye(2), (len(ray), 1, 1)), -ray[..., None]], 2)])[0] @ R
        columns = [np.einsum("nij,nj->ni", plane, pose.joints[:, k] - own)[..., None] for k in mix[1:]]
        columns += [clip["size"] * plane @ pose.turned[:, k] for k in carriers]
        A.append(np.concatenate(columns, 2).reshape(-1, len(mix) - 1 + 3 * len(carriers)))
        b.append(-np.einsum("nij,nj->ni", plane, own).reshape(-1))
        conf.append(np.repeat(clip["landmarks"][:, row, 2] * clip["found"], 2))
    A, b, conf, w = np.concatenate(A), np.concatenate(b), np.concatenate(conf), 1.0
    for _ in range(20):  # Cauchy weights at 2 cm
        gain = conf * w
        left = (A * gain[:, None]).T @ A + RIDGE * 0.02 * len(A) * 0.02 * np.eye(A.shape[1])
        x = np.linalg.solve(left, A.T @ (gain * b))
        r = A @ x - b
        w = 1 / (1 + np.repeat((r.reshape(-1, 2) ** 2).sum(1), 2) / 0.02**2)
    weights, offsets = np.zeros(24), np.zeros((24, 3))
    weights[mix[0]] = 1 - x[: len(mix) - 1].sum()
    weights[mix[1:]] = x[: len(mix) - 1]
    offsets[carriers] = x[len(mix) - 1 :].reshape(-1, 3)
    sure = conf > 0.5 * conf.max()
    return weights, offsets, float(1.48 * np.median(np.abs(r[sure])))


def mirrored(values: np.ndarray, kind: str) -> np.ndarray:
    """Left and right averaged: a landmark table (33, 24, ...) and its mirror image agree."""
    names = [n.replace("left", "#").replace("right", "left").replace("#", "right") for n in BLAZE_NAMES]
    rows = [BLAZE_NAMES.index(n) for n in names]
    joints = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
    if kind == "sigma":
        return (values + values[rows]) / 2
    other = values[rows][:, joints]
    return (values + (other * [-1, 1, 1] if kind == "offsets" else other)) / 2


def main() -> None:
    """Film or read the clips, solve every landmark, write the asset and print the spreads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder for the filmed clips' landmarks")
    parser.add_argument("--motions", type=Path, help="folder of motion .npz (poses, trans)")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--out", type=Path, default=OFFSETS_FILE)
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    motions = sorted(args.motions.glob("*.npz")) if args.motions else []
    rig, clips = rig_of(load_body_model()), []
    for seed in tqdm(range(FIRST_SEED, FIRST_SEED + args.clips)):
        try:
            clip = watch(seed, motions, args.cache)
        except HvrError as error:
            tqdm.write(f"seed {seed} left out: {error}")
            continue
        turns = Rotation.from_rotvec(clip["poses"].reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
        clip["pose"] = pose_rig(rig, turns, clip["transl"], clip["betas"])
        clip["size"] = rig.size(clip["betas"])[0]
        clips.append(clip)
    weights, offsets, sigma = (
        np.stack(x) for x in zip(*(solve_landmark(k, clips) for k in range(33)), strict=True)
    )
    sigma[[any(part in name for part in REDUNDANT) for name in BLAZE_NAMES]] = np.inf
    table = {
        "weights": mirrored(weights, "weights"),
        "offsets": mirrored(offsets, "offsets"),
        "sigma": mirrored(sigma, "sigma"),
    }
    with atomic(args.out) as partial:
        np.savez_compressed(partial, **{k: v.astype(np.float32) for k, v in table.items()})
    for name, spread in zip(BLAZE_NAMES, table["sigma"], strict=True):
        print(f"{name:18s} {1000 * spread:6.1f} mm")


if __name__ == "__main__":
    main()
