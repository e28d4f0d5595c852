"""Silhouettes of synthetic people against the truth, also where person and background look alike.

Usage: python -m scripts.bench.masks [--size 384] [--frames 12] [--seeds 71 72]. The joints are the true
ones, so only stage 02 is measured. Ends with one line of name=value pairs.
"""

import argparse
import time
from dataclasses import replace

import cv2
import numpy as np

from hvr_nb.body.model import posed
from hvr_nb.masks.silhouettes import segment_person
from hvr_nb.subject import (
    Subject,
    Take,
    make_subject,
    render_subject,
    rotating_motion,
    subject_camera,
    walking_motion,
)
from hvr_nb.subject.room import paint_room, room_place
from hvr_nb.types import Keypoints

KINDS = ("plain room", "light shoes", "dark chair")


def recoloured(subject: Subject, labels: tuple, colour: tuple) -> Subject:
    """The person with some ATR labels in one colour, a quarter of the pattern kept."""
    side, area = len(subject.texture), np.zeros(subject.texture.shape[:2], np.uint8)
    for face in subject.uv[np.isin(subject.labels, labels)]:
        corners = np.rint(np.stack([face[:, 0], 1 - face[:, 1]], 1) * side).astype(np.int32)
        cv2.fillConvexPoly(area, corners, 1)
    area = cv2.dilate(area, np.ones((5, 5))) > 0
    texture = subject.texture.astype(np.float32)
    texture[area] = np.clip(colour + 0.25 * (texture[area] - texture[area].mean(0)), 0, 255)
    return replace(subject, paint=lambda: texture.astype(np.uint8))


def hard_scene(kind: str, seed: int, *, size: int = 384, frames: int = 12) -> tuple[Take, Keypoints]:
    """A turning (odd seeds) or walking person filmed by a standing camera: the take, and its true joints.

    ``kind``: "plain room", "light shoes" on a light floor, or dark clothes before a "dark chair".
    """
    camera, subject = subject_camera(size, seed=seed), make_subject("trousers", seed=seed)
    move = rotating_motion if seed % 2 else walking_motion
    body = move(frames, seed=seed, camera=camera)
    room = paint_room(camera, *room_place(posed(subject.model, body)[0]), seed=seed).astype(np.float32)
    if kind == "light shoes":
        subject = recoloured(subject, (9, 10), (212, 210, 206))
        horizon = int(np.abs(np.diff(room.mean((1, 2)))).argmax()) + 1
        room[horizon:] = 200 + 0.35 * (room[horizon:] - room[horizon:].mean((0, 1)))
    if kind == "dark chair":
        subject = recoloured(subject, (4, 6), (38, 36, 40))
        joints = render_subject(subject, body.frame(np.array([0])), seed=seed, geometry=False).points25[0]
        high = np.ptp(joints[:, 1])
        back, seat = (-0.05, -0.18, 0.22, 0), (-0.05, 0.05, 0.25, 0.1)
        for x0, y0, x1, y1 in (back, seat, (-0.04, -0.18, 0, 0.45), (0.2, 0.05, 0.25, 0.45)):
            corners = np.rint(joints[8] + high * np.array([[x0, y0], [x1, y1]])).astype(int).tolist()
            cv2.rectangle(room, *corners, (34, 32, 34), -1)
    take = render_subject(subject, body, seed=seed, background=room, geometry=False)
    points = np.concatenate([take.points25, np.ones((frames, 25, 1))], -1)
    boxes = np.concatenate([take.points25.min(1), take.points25.max(1)], -1)
    return take, Keypoints(points, np.zeros((frames, 25), bool), np.ones(frames, bool), boxes)


def overlaps(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(T,) intersection over union of silhouettes (T, H, W) uint8 at half coverage."""
    found, true = found > 127, true > 127
    return (found & true).sum((1, 2)) / np.maximum((found | true).sum((1, 2)), 1)


def main() -> None:
    """Print IoU of every scene and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[71, 72])
    args = parser.parse_args()
    means: dict[str, list[float]] = {}
    for kind in KINDS:
        for seed in args.seeds:
            take, keypoints = hard_scene(kind, seed, size=args.size, frames=args.frames)
            start = time.process_time()
            iou = overlaps(segment_person(take.frames, keypoints).alpha, take.alpha)
            spent = (time.process_time() - start) / args.frames
            print(
                f"{kind}, seed {seed}: {iou.mean():.4f}, least {iou.min():.4f}, {spent:.2f} s a frame",
                flush=True,
            )
            means.setdefault(f"{kind.replace(' ', '_')}_iou", []).append(float(iou.mean()))
    print(" ".join(f"{name}={np.mean(values):.4f}" for name, values in means.items()))


if __name__ == "__main__":
    main()
