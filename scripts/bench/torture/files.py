"""A good file of every kind that the package reads, and what reads it."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hvr_nb.batch.parameters import read_parameters
from hvr_nb.batch.status import batch_state, state_table
from hvr_nb.cli.video_list import read_video_list
from hvr_nb.formats.joints2d import read_keypoints
from hvr_nb.formats.models.glb_file import read_glb
from hvr_nb.formats.motion import read_motion
from hvr_nb.formats.skeletons.bvh import read_skeleton_bvh, write_skeleton_bvh
from hvr_nb.formats.skeletons.glb import read_skeleton_glb, write_skeleton_glb
from hvr_nb.formats.skeletons.tables import (
    read_skeleton_csv,
    read_skeleton_trc,
    write_skeleton_csv,
    write_skeleton_trc,
)
from hvr_nb.formats.skeletons.track import SkeletonTrack, read_skeleton_npz, write_skeleton_npz
from hvr_nb.report import write_clips_page
from hvr_nb.store.clip import STAGES, Clip
from hvr_nb.store.files import read_image
from hvr_nb.store.markers import read_marker
from hvr_nb.store.places import NOTEBOOKS
from hvr_nb.store.result_files import read_results
from hvr_nb.store.safe_pickle import read_values
from hvr_nb.store.video import read_video, write_video
from hvr_nb.types import Camera, Keypoints, Masks

FRAMES, SIDE = 3, 16


@dataclass(frozen=True)
class Target:
    """One kind of file: a good example, and what reads it."""

    name: str
    file: Path  # that is damaged
    read: Callable[[], object]


def make_targets(folder: Path) -> list[Target]:
    """Good files of every kind below a folder, with their readers."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    found = [*_media(folder, frames), *_clip_files(folder, frames), *_foreign(folder, rng), *_lists(folder)]
    for target in found:
        target.read()  # the good one is read
    return found


def _media(folder: Path, frames: np.ndarray) -> list[Target]:
    films = [write_video(folder / f"film.{end}", frames, fps=30) for end in ("mp4", "mkv")]
    pictures = folder / "pictures"
    pictures.mkdir()
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(pictures / name), frames[0])
    found = [Target(path.suffix[1:], path, lambda p=path: read_video(p)) for path in films]
    for path in sorted(pictures.iterdir()):
        found.append(Target(f"picture {path.suffix[1:]}", path, lambda p=path: read_image(p, remedy="look")))
    return [*found, Target("picture folder", pictures / "a.png", lambda: read_video(pictures))]


def _clip_files(folder: Path, frames: np.ndarray) -> list[Target]:
    clip = Clip.create(
        folder / "clips" / "clip", frames, fps=30.0, names=list("abc"), times=np.arange(3.0), source={}
    )
    clip.save("camera", Camera(np.array([[20.0, 0, 8], [0, 20, 8], [0, 0, 1]]), SIDE, SIDE))
    points = np.ones((FRAMES, 25, 3))
    clip.save("keypoints", Keypoints(points, points[..., 0] < 0, points[:, 0, 0] > 0, np.ones((FRAMES, 4))))
    clip.save("masks", Masks(frames[..., 0], frames[..., 1]))
    clip.record("03_body", iou_mean=0.9, doubts=["a doubt"])
    top = clip.folder
    marker = top / "runs" / "01_keypoints.done.json"
    marker.parent.mkdir()
    marker.write_text(json.dumps({"params": {}, "notebook": "x", "version": "1", "outputs": {"a": "b"}}))

    def whole() -> None:
        fresh = Clip.open(top)
        for artefact in STAGES:
            if fresh.has(artefact):
                getattr(fresh, artefact)
        repr((fresh.metrics, fresh.doubts, fresh.times, fresh.fps))

    names = [
        "clip.json",
        "frames/manifest.json",
        "frames/b.png",
        "camera.npz",
        "keypoints.npz",
        "masks/manifest.json",
        "masks/alpha/a.png",
    ]
    found = [Target(f"clip {name}", top / name, whole) for name in names]
    metrics = top / "metrics" / "03_body.json"
    found.append(Target("clip metrics", metrics, lambda: write_clips_page(top.parent)))
    return [*found, Target("clip marker", marker, lambda: read_marker(marker))]


def _foreign(folder: Path, rng: np.random.Generator) -> list[Target]:
    joints = {"people": [{"pose_keypoints_2d": (SIDE * rng.random(75)).tolist()}]}
    openpose = folder / "openpose"
    openpose.mkdir()
    for k in range(FRAMES):
        (openpose / f"film_{k:012d}_keypoints.json").write_text(json.dumps(joints))
    names = [f"{k:06d}" for k in range(FRAMES)]
    first = sorted(openpose.iterdir())[0]
    amass = folder / "motion.npz"
    np.savez(
        amass,
        poses=np.zeros((4, 156)),
        trans=np.zeros((4, 3)),
        betas=np.zeros(16),
        gender="neutral",
        mocap_framerate=30.0,
    )
    values = folder / "values.pkl"
    values.write_bytes(pickle.dumps({"a": rng.random(9), "b": ["x", {"c": (1, 2.5)}]}, protocol=2))
    glb = folder / "mesh.glb"
    text = json.dumps({"asset": {"version": "2.0"}, "buffers": [{"byteLength": 8}]}).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", 8, b"BIN\0") + bytes(8)
    glb.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    return [
        Target("OpenPose", first, lambda: read_keypoints(openpose, size=(SIDE, SIDE), names=names)),
        Target("AMASS", amass, lambda: read_motion(amass)),
        Target("result npz", amass, lambda: read_results(amass)),
        Target("values", values, lambda: read_values(values)),
        Target("result pickle", values, lambda: read_results(values)),
        Target("GLB", glb, lambda: read_glb(glb)),
        *_skeletons(folder, rng),
    ]


def _skeletons(folder: Path, rng: np.random.Generator) -> list[Target]:
    names, parents = ("hips", "knee", "foot"), (-1, 0, 1)
    track = SkeletonTrack(rng.random((FRAMES, 3, 3)), names, parents, 30.0, np.ones(FRAMES, bool))
    kinds = {
        "npz": (write_skeleton_npz, read_skeleton_npz),
        "csv": (write_skeleton_csv, read_skeleton_csv),
        "trc": (write_skeleton_trc, read_skeleton_trc),
        "bvh": (write_skeleton_bvh, read_skeleton_bvh),
        "glb": (write_skeleton_glb, read_skeleton_glb),
    }
    found = []
    for end, (write, read) in kinds.items():
        path = write(folder / f"skeleton.{end}", track)
        found.append(Target(f"skeleton {end}", path, lambda p=path, r=read: r(p)))
    return found


def _lists(folder: Path) -> list[Target]:
    film = folder / "film.mp4"
    table = folder / "videos.csv"
    table.write_text(f"path,clip,stride,05_train.iters\n{film},one,2,30\n{film},two,,\n")
    toml = folder / "videos.toml"
    toml.write_text(f'[[video]]\npath = "{film}"\nclip = "one"\nstride = 2\n')
    events = folder / "batch" / "events.jsonl"
    events.parent.mkdir()
    lines = [
        {"event": "batch", "stages": ["00_video"], "process": 1, "machine": "m"},
        {"event": "queued", "clip": "a", "video": "/a.mp4", "given": {"": {"stride": 2}}},
        {"event": "began", "clip": "a", "process": 1, "machine": "m"},
        {"event": "stage", "clip": "a", "stage": "00_video", "seconds": 1.0, "skipped": False},
        {"event": "ended", "clip": "a", "status": "failed", "seconds": 2.0, "error": "why"},
    ]
    events.write_text("".join(json.dumps({"time": 1.0, "batch": "b", **line}) + "\n" for line in lines))
    book = folder / "05_train.ipynb"
    book.write_bytes((NOTEBOOKS / "05_train.ipynb").read_bytes())
    return [
        Target("list csv", table, lambda: read_video_list(table, NOTEBOOKS)),
        Target("list toml", toml, lambda: read_video_list(toml, NOTEBOOKS)),
        Target("events", events, lambda: state_table(batch_state(events.parent))),
        Target("notebook", book, lambda: read_parameters(book)),
    ]
