"""A third method, the least that one can be: the fitted body, painted with the colours that the film shows.

It gives neither a mesh of a chosen resolution nor garments, so readers of ``GIVES`` have to leave them out.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from tqdm import tqdm

from hvr_nb.body.model import BodyModel, posed, single_pose
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.canonical.binding import pose_skin
from hvr_nb.geometry.camera import project
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.learning.progress import Progress
from hvr_nb.methods._clip import fitted_body, trained_frames
from hvr_nb.methods._files import read_avatar
from hvr_nb.metrics.images import psnr
from hvr_nb.store.arrays import read_npz, write_npz
from hvr_nb.store.files import write_json
from hvr_nb.types import Body, Camera, Canonical, HvrError, Mesh, Render

NEEDS = ("frames", "masks", "body")
SCHEMA = 1


@dataclass(frozen=True)
class Options:
    hold_out: int = 0  # every n-th frame is not looked at; 0: all are
    model_file: str = ""


@dataclass(frozen=True)
class Paint:
    colours: np.ndarray  # (V, 3) uint8


@dataclass(frozen=True)
class PaintedAvatar:
    GIVES: ClassVar[frozenset[str]] = frozenset({"render", "surface", "skin_weights"})
    paint: Paint
    body: Body
    model: BodyModel
    canonical: Canonical
    held_out: np.ndarray
    history: dict
    model_file: str

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.model.hash.encode() + self.paint.colours.tobytes()).hexdigest()

    def surface(self, pose=None, *, frame=None) -> Mesh:
        at = self.canonical.vertices
        if pose is not None:
            at = pose_skin(self.model, self.body.betas, *single_pose(pose)).vertices[0]
        return Mesh(at, self.canonical.faces, self.paint.colours)

    def skin_weights(self) -> np.ndarray:
        return self.canonical.weights.astype(np.float32)

    def render(self, camera: Camera, pose, *, frame=None) -> Render:
        mesh = self.surface(pose)
        depth, face, bary = rasterize(mesh.vertices, mesh.faces, camera)
        rgb = interpolate(mesh.colors.astype(np.float32) / 255, mesh.faces, face, bary)
        hit = face >= 0
        return Render(rgb, hit.astype(np.float32), np.where(hit, depth, 0).astype(np.float32))

    def save(self, folder: str | Path) -> Path:
        folder = Path(folder)
        write_npz(folder / "paint.npz", self.paint, {})
        write_npz(folder / "body.npz", self.body, {})
        kept = {"held_out": self.held_out, "history": self.history, "model_file": self.model_file}
        write_json(
            folder / "options.json",
            {"schema": SCHEMA, "method": "painted", "model_hash": self.model.hash, **kept},
        )
        return folder


GIVES = PaintedAvatar.GIVES


def reconstruct(
    clip, options: Options | None = None, *, device="auto", seed=0, progress=None
) -> PaintedAvatar:
    options, began = options or Options(), time.perf_counter()
    clip.require(*NEEDS)
    model, body, canonical = fitted_body(clip, options.model_file)
    which = trained_frames(body, options.hold_out)
    held = np.setdiff1d(np.flatnonzero(body.valid), which)
    total, seen = np.zeros((len(canonical.vertices), 3)), np.zeros((len(canonical.vertices), 1))
    for done, k in enumerate(tqdm(which, desc="painted", unit="frame"), 1):
        vertices = posed(model, body.frame(int(k)))[0][0]
        _, face, _ = rasterize(vertices, canonical.faces, body.camera)
        shown = np.unique(canonical.faces[face[face >= 0]])
        col, row = np.clip(
            project(vertices[shown], body.camera).astype(int),
            0,
            [body.camera.width - 1, body.camera.height - 1],
        ).T
        total[shown] += clip.frames[k][row, col]
        seen[shown] += 1
        told = Progress(done, len(which), {}, held, lambda frame: clip.frames[frame])
        if progress is not None and progress(told) is True and done < len(which):
            raise HvrError("painted was stopped and has kept nothing; run it again to go on")
    mean = total.sum(0) / seen.sum()
    colours = np.where(seen > 0, total / np.maximum(seen, 1), mean).round().astype(np.uint8)
    history = {"step": [1], "seconds": [time.perf_counter() - began], "psnr_body": [0.0]}
    avatar = PaintedAvatar(Paint(colours), body, model, canonical, held, history, options.model_file)
    first = int(which[0])
    picture, inside = avatar.render(body.camera, body.frame(first)), clip.masks.alpha[first] > 127
    history["psnr_body"] = [psnr(picture.rgb, clip.frames[first].astype(np.float32) / 255, inside)]
    clip.save_avatar("painted", avatar, made_from=NEEDS)
    return avatar


def load(folder: str | Path, *, device="auto") -> PaintedAvatar:
    folder, remedy = Path(folder), "run 05_train again"
    options, model, body = read_avatar(folder, "painted", schema=SCHEMA, remedy=remedy)
    paint, _ = read_npz(folder / "paint.npz", Paint, remedy=remedy)
    held = np.asarray(options["held_out"], int)
    return PaintedAvatar(
        paint, body, model, make_canonical(body, model), held, options["history"], options["model_file"]
    )
