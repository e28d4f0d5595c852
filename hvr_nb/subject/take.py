"""A synthetic clip on disk: the video and, beside it, its ground truth."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hvr_nb.body.model import OPEN_BODY, load_body_model, posed
from hvr_nb.geometry.camera import orbit
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.digests import file_digest
from hvr_nb.store.files import SCHEMA, read_json, write_json
from hvr_nb.store.video import write_video
from hvr_nb.subject.motion import clip_motion, rotating_motion, subject_camera, walking_motion
from hvr_nb.subject.outfits import OUTFITS, Outfit
from hvr_nb.subject.person import Subject, make_subject, subject_betas
from hvr_nb.subject.render import render_subject
from hvr_nb.subject.room import paint_room, room_place
from hvr_nb.types import DAMAGE, Body, Camera, HvrError

VIDEO, TRUTH, RECIPE = "video.mp4", "truth.npz", "synthetic.json"
PICTURES_VERSION = 2  # raise it when equal parameters give other pictures, so that clips are made again
_CAMERA = ("K", "width", "height", "R", "t", "dist")
_BODY = ("betas", "global_orient", "body_pose", "transl", "valid", "model_hash")


@dataclass(frozen=True)
class HiddenView:
    """Pictures of N of the clip's frames from a camera that the pipeline never sees."""

    camera: Camera
    frames: np.ndarray = field(repr=False)  # (N, H, W, 3) uint8 RGB
    alpha: np.ndarray = field(repr=False)  # (N, H, W) uint8
    frame_indices: np.ndarray  # (N,) the frames of the clip that they show

    def at(self, frames: np.ndarray) -> HiddenView:
        """The pictures that show one of ``frames`` (M,), with indices into ``frames``."""
        shown = {int(f): k for k, f in enumerate(self.frame_indices)}
        kept = [(k, shown[int(f)]) for k, f in enumerate(frames) if int(f) in shown]
        index, pick = np.asarray(kept, int).reshape(-1, 2).T
        return replace(self, frames=self.frames[pick], alpha=self.alpha[pick], frame_indices=index)


@dataclass(frozen=True)
class Truth:
    """The ground truth of a synthetic clip of T frames."""

    body: Body  # true shape, poses, translation and camera
    alpha: np.ndarray = field(repr=False)  # (T, H, W) uint8 coverage
    labels: np.ndarray = field(repr=False)  # (T, H, W) uint8 ATR
    joints: np.ndarray = field(repr=False)  # (T, 24, 3) metres, world
    points25: np.ndarray = field(repr=False)  # (T, 25, 2) pixels
    outfit: str
    seed: int
    hidden: tuple[HiddenView, ...]
    source: str = "synthetic"
    video: str = ""  # sha256 of the film

    @property
    def camera(self) -> Camera:
        """The true camera of the video."""
        return self.body.camera

    def subject(self) -> Subject:
        """The person of the clip, made anew from outfit, seed and shape."""
        return make_subject(self.outfit, seed=self.seed, betas=self.body.betas)

    def at(self, frames) -> Truth:
        """The truth of the chosen frames, (N,) indices, as a clip of N frames.

        Hidden pictures of other frames are left out; the rest have indices into the new clip.
        """
        frames = np.asarray(frames, int)
        if len(frames) and not 0 <= frames.min() <= frames.max() < len(self.alpha):
            raise HvrError(
                f"frame {frames.max()} was asked for, the synthetic clip has {len(self.alpha)}; "
                "the clip was made from another video"
            )
        return replace(
            self,
            body=self.body.frame(frames),
            alpha=self.alpha[frames],
            labels=self.labels[frames],
            joints=self.joints[frames],
            points25=self.points25[frames],
            hidden=tuple(view.at(frames) for view in self.hidden),
        )


def hidden_cameras(body: Body, centre: np.ndarray, count: int, *, seed: int = 0) -> list[Camera]:
    """``count`` cameras around the person, between the angles of the true one, raised by 5 to 20 degrees.

    Args:
        body: its camera is moved. centre: (3,) metres, the centre of the circle.
        seed: draws the first angle and the heights.
    """
    rng = np.random.default_rng([seed, 31])
    start, jitter = rng.uniform(0.25, 0.75), rng.uniform(-0.12, 0.12, count)
    cameras = []
    for k in range(count):
        angle = 2 * np.pi * (k + start + jitter[k]) / count
        cameras.append(_raised(orbit(body.camera, centre, angle), centre, np.radians(rng.uniform(5, 20))))
    return cameras


def _raised(camera: Camera, centre: np.ndarray, angle: float) -> Camera:
    """``camera`` raised about ``centre``: rotated about its own x axis."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    pivot = camera.R @ centre + camera.t
    R = turn @ camera.R
    return Camera(
        K=camera.K.copy(),
        width=camera.width,
        height=camera.height,
        R=R,
        t=pivot - R @ centre,
        dist=camera.dist,
        source=camera.source,
    )


def write_synthetic(
    folder: str | Path,
    *,
    outfit: Outfit = "trousers",
    motion: str | Body = "rotate",
    frames: int = 60,
    size: int | tuple[int, int] = 512,
    fps: float = 30.0,
    seed: int = 0,
    hidden_views: int = 4,
    hidden_every: int = 6,
    progress: bool = False,
) -> Path:
    """Render a synthetic person to ``<folder>/video.mp4`` and ``<folder>/truth.npz``.

    Nothing is done where the folder already holds the complete result of the same parameters.

    Args:
        folder: created if it does not exist. outfit: one of ``OUTFITS``, see ``make_subject``.
        motion: "rotate", "walk", or any body motion (then ``frames`` is ignored).
        frames: length. size: image side or (width, height), pixels; even.
        fps: frames per second. seed: draws person, camera, room and noise.
        hidden_views: number of other cameras, which film every ``hidden_every``-th frame.
        progress: show a progress bar.

    Returns:
        The folder.

    Raises:
        HvrError: a parameter is out of range, or the folder holds a video that was not written here.
    """
    folder = Path(folder)
    recipe = _recipe(outfit, motion, frames, size, fps, seed, hidden_views, hidden_every)
    if _is_done(folder, recipe):
        return folder
    if (folder / VIDEO).exists() and not (folder / RECIPE).exists():
        raise HvrError(f"{folder / VIDEO} was not written by write_synthetic; choose another folder")
    write_json(folder / RECIPE, recipe)  # marks the folder as ours, finished or not
    subject = make_subject(outfit, seed=seed, betas=subject_betas(seed))
    body = _motion(motion, frames, fps, seed, subject_camera(tuple(recipe["size"]), seed=seed))
    take = render_subject(subject, body, seed=seed, geometry=False, progress=progress)
    (folder / TRUTH).unlink(missing_ok=True)  # it marks a finished clip, so it goes while the video changes
    write_video(folder / VIDEO, take.frames, fps=fps, crf=8)
    shown = np.arange(0, len(body), hidden_every)
    hidden, place = [], room_place(posed(subject.model, body)[0])
    for k, camera in enumerate(hidden_cameras(body, take.joints[:, 0].mean(0), hidden_views, seed=seed)):
        wall = paint_room(camera, *place, seed=seed)
        view = render_subject(
            subject, body.frame(shown), camera, seed=1000 * (k + 1) + seed, background=wall, geometry=False
        )
        hidden.append(HiddenView(camera, view.frames, view.alpha, shown))
    truth = Truth(
        body=body,
        alpha=take.alpha,
        labels=take.labels,
        joints=take.joints,
        outfit=outfit,
        points25=take.points25,
        seed=seed,
        hidden=tuple(hidden),
    )
    _save_truth(folder / TRUTH, truth, {**recipe, "video": file_digest(folder / VIDEO)})
    return folder


def _motion(motion: str | Body, frames: int, fps: float, seed: int, camera: Camera) -> Body:
    if isinstance(motion, Body):
        return clip_motion(motion, seed=seed, camera=camera)
    make = {"rotate": rotating_motion, "walk": walking_motion}[motion]
    return make(frames, fps=fps, seed=seed, camera=camera)


def _recipe(outfit, motion, frames, size, fps, seed, hidden_views, hidden_every) -> dict:
    """The parameters, checked, as plain values; equal recipes give equal clips."""
    width, height = (size, size) if np.isscalar(size) else size
    if isinstance(motion, Body):
        frames = len(motion)
        motion = hashlib.sha256(np.c_[motion.poses, motion.transl].astype(np.float64).tobytes()).hexdigest()
    elif motion not in ("rotate", "walk"):
        raise HvrError(f'motion {motion!r} is unknown; use "rotate", "walk" or a Body')
    if outfit not in OUTFITS:
        raise HvrError(f"outfit {outfit!r} is unknown; choose one of {', '.join(OUTFITS)}")
    if frames < 1 or hidden_every < 1 or hidden_views < 0 or fps <= 0:
        raise HvrError(
            f"frames {frames}, hidden_every {hidden_every} and fps {fps} must be positive and "
            f"hidden_views {hidden_views} not negative"
        )
    if width % 2 or height % 2 or min(width, height) < 16:
        raise HvrError(f"size {width}x{height}: both sides must be even and at least 16 pixels")
    return {
        "outfit": outfit,
        "motion": motion,
        "frames": int(frames),
        "size": [int(width), int(height)],
        "fps": float(fps),
        "seed": int(seed),
        "hidden_views": int(hidden_views),
        "hidden_every": int(hidden_every),
        "schema": SCHEMA,
        "kind": "synthetic",
        "look": PICTURES_VERSION,
        "model": load_body_model(OPEN_BODY).hash,
    }


def _is_done(folder: Path, recipe: dict) -> bool:
    """Whether the folder holds the complete result of ``recipe`` with an undamaged video."""
    if not all((folder / name).exists() for name in (VIDEO, TRUTH, RECIPE)):
        return False
    if read_json(folder / RECIPE, remedy="delete it and write the clip again") != recipe:
        return False
    try:
        with np.load(folder / TRUTH, allow_pickle=False) as file:
            meta = json.loads(str(file["__meta__"]))
    except DAMAGE:
        return False
    return meta == {**recipe, "video": file_digest(folder / VIDEO)}


def _save_truth(path: Path, truth: Truth, meta: dict) -> None:
    arrays = {
        name: getattr(truth, name)
        for name in ("alpha", "labels", "joints", "points25", "outfit", "seed", "source")
    }
    arrays |= {f"body.{name}": getattr(truth.body, name) for name in _BODY}
    arrays |= {f"camera.{name}": getattr(truth.camera, name) for name in _CAMERA}
    for k, view in enumerate(truth.hidden):
        arrays |= {f"hidden{k}.{name}": getattr(view, name) for name in ("frames", "alpha", "frame_indices")}
        arrays |= {f"hidden{k}.camera.{name}": getattr(view.camera, name) for name in _CAMERA}
    arrays = {name: np.asarray(value) for name, value in arrays.items()}
    arrays["__meta__"] = np.asarray(json.dumps(meta, sort_keys=True))
    with atomic(path) as partial:
        np.savez_compressed(partial, **arrays)


def _camera(arrays: dict, prefix: str) -> Camera:
    values = {name: arrays[prefix + name] for name in _CAMERA}
    return Camera(**{k: v if v.ndim else int(v) for k, v in values.items()}, source="truth")


def load_truth(folder: str | Path) -> Truth:
    """Read what ``write_synthetic`` wrote beside the video.

    Raises:
        HvrError: there is no truth, or it is damaged.
    """
    path = Path(folder) / TRUTH
    remedy = "write the clip again with hvr_nb.subject.write_synthetic"
    try:
        with np.load(path, allow_pickle=False) as file:
            a = {key: file[key] for key in file.files}
        body = {name: a[f"body.{name}"] for name in _BODY}
        body["model_hash"] = str(body["model_hash"])
        meta = json.loads(str(a["__meta__"]))
        hidden = tuple(
            HiddenView(
                _camera(a, f"hidden{k}.camera."),
                a[f"hidden{k}.frames"],
                a[f"hidden{k}.alpha"],
                a[f"hidden{k}.frame_indices"],
            )
            for k in range(meta["hidden_views"])
        )
        return Truth(
            body=Body(**body, camera=_camera(a, "camera.")),
            alpha=a["alpha"],
            labels=a["labels"],
            joints=a["joints"],
            points25=a["points25"],
            outfit=str(a["outfit"]),
            seed=int(a["seed"]),
            hidden=hidden,
            source=str(a["source"]),
            video=str(meta.get("video", "")),
        )
    except FileNotFoundError:
        raise HvrError(f"{path} is missing; {remedy}") from None
    except DAMAGE as error:
        raise HvrError(f"{path} is damaged ({error}); {remedy}") from error
