"""A clip of four tiny frames with every artefact, of random numbers; the first frames of a longer clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.geometry.camera import default_camera
from hvr_nb.store.clip import Clip
from hvr_nb.types import Body, Joints3D, Keypoints, Masks

T, H, W = 4, 24, 32


def frames(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (T, H, W, 3), dtype=np.uint8)


def make(folder, *, seed=0, fps=30.0, names=None) -> Clip:
    names = names or [f"{k:06d}" for k in range(T)]
    return Clip.create(
        folder, frames(seed), fps=fps, names=names, times=np.arange(T) / fps, source={"file": "a.mp4"}
    )


def a_camera(focal=50.0):
    moved = {"dist": np.array([0.1, 0, 0, 0, 0.01]), "t": np.array([0.1, 0.2, 3.0])}
    return replace(default_camera(W, H, focal), **moved)


def some_keypoints(seed=0):
    rng = np.random.default_rng(seed)
    found = np.array([True, True, False, True])
    return Keypoints(
        points=rng.random((T, 25, 3)),
        filled=rng.random((T, 25)) > 0.5,
        found=found,
        boxes=rng.random((T, 4)),
        source="test",
    )


def some_masks(seed=0):
    rng = np.random.default_rng(seed)
    return Masks(
        alpha=rng.integers(0, 256, (T, H, W), dtype=np.uint8),
        labels=rng.integers(0, 18, (T, H, W), dtype=np.uint8),
        label_set="ATR",
        foreground=frames(7),
        source="a",
        parsing_source="b",
    )


def a_body(seed=0):
    rng = np.random.default_rng(seed)
    return Body(
        betas=rng.normal(size=10),
        global_orient=rng.normal(size=(T, 3)),
        body_pose=rng.normal(size=(T, 69)),
        transl=rng.normal(size=(T, 3)),
        camera=a_camera(60.0),
        valid=np.ones(T, bool),
        model_hash="ab" * 32,
    )


def whole(folder) -> Clip:
    clip = make(folder)
    clip.save("camera", a_camera())
    clip.save("keypoints", some_keypoints())
    clip.save("masks", some_masks())
    clip.save("joints3d", Joints3D(points=np.ones((T, 24, 3)), valid=np.ones(T, bool)))
    clip.save("lifted", Joints3D(np.ones((T, 2, 3)), np.zeros(T, bool), ("pelvis", "nose")))
    clip.save("body", a_body(), iters=np.int64(3), where=Path("x"))
    return clip


def some_frames(clip, folder, count, alpha=None, *, edge=None):
    """The first frames of a clip as a clip of its own, cut below the row ``edge``."""
    alpha = clip.masks.alpha[:count] if alpha is None else alpha
    camera = replace(clip.camera, height=edge or clip.camera.height)
    out = Clip.create(
        folder,
        clip.frames[:count, :edge],
        fps=clip.fps,
        names=clip.frame_names[:count],
        times=clip.times[:count],
        source=clip.info["source"],
    )
    out.save("camera", camera)
    keypoints = clip.keypoints
    cut = {n: getattr(keypoints, n)[:count] for n in ("points", "filled", "found", "boxes")}
    out.save("keypoints", replace(keypoints, **cut))
    out.save("masks", Masks(alpha=alpha[:, :edge]))
    out.save("body", replace(clip.body.frame(slice(0, count)), camera=camera))
    out.save("canonical", make_canonical(out.body, load_body_model()))
    return out
