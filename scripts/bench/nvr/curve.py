"""Quality of our avatar over training time, on trained and on unseen views."""

from __future__ import annotations

import time

import numpy as np
from tqdm import tqdm

from hvr_nb.drawing import plots
from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.evaluate.stages import find_truth, novel_view_quality
from hvr_nb.learning.loop import step_rng
from hvr_nb.metrics.images import image_quality
from scripts.bench.nvr.ours import as_avatar, start_ours, wait

LEVELS = (24.0, 26.0, 28.0)  # dB whose times are reported


def quality_over_time(scene_of, *, iters: int, points: int, frames: int, views: int, device: str = "auto"):
    """Train, and measure the quality ``points`` times with the clock stopped.

    Args:
        scene_of: called without arguments, gives the scene; its time counts as training.
        frames: trained frames compared each time. views: pictures compared per unseen camera.

    Returns:
        columns "step", "seconds", "train", "unseen" (dB on body pixels) as (points,) arrays, and the
        finished training and its scene.
    """
    start = time.perf_counter()
    scene = scene_of()
    ours = start_ours(scene, iters=iters, device=device)
    clock, truth = time.perf_counter() - start, find_truth(scene.clip)
    stops = np.unique(np.round(iters * (np.arange(1, points + 1) / points) ** 1.5).astype(int))
    rows, done = [], 0
    for stop in tqdm(stops[stops > 0], desc="quality over time"):
        start = time.perf_counter()
        for k in range(done, stop):
            ours.step(k, step_rng(0, k))
        wait(ours.field.low.device)
        clock, done = clock + time.perf_counter() - start, stop
        rows.append((stop, clock, *_look(as_avatar(ours, scene), scene, truth, frames, views)))
    columns = dict(zip(("step", "seconds", "train", "unseen"), np.array(rows).T, strict=True))
    return columns, ours, scene


def _look(avatar, scene, truth, frames: int, views: int) -> tuple[float, float]:
    """Body-pixel PSNR (dB) on some trained frames and on the unseen views."""
    scores = []
    for k in scene.which[np.linspace(0, len(scene.which) - 1, frames + 2).astype(int)[1:-1]]:
        alpha = scene.pictures.alpha[k]
        true = (scene.pictures.frames[k] * (alpha[..., None] / 255.0)).astype(np.uint8)
        got = avatar.render(scene.pictures.camera, avatar.body.frame(int(k)), frame=int(k))
        scores.append(image_quality(to_uint8(got.rgb), true, alpha)["psnr_body"])
    unseen, _ = novel_view_quality(avatar, avatar.body, truth, scene.model, limit=views)
    return float(np.mean(scores)), unseen["novel_body_psnr"]


def seconds_to(columns: dict, name: str, level: float) -> float:
    """Seconds at which a column reaches ``level`` dB, interpolated between measurements; NaN if never."""
    reached = np.flatnonzero(columns[name] >= level)
    if len(reached) == 0:
        return float("nan")
    k = int(reached[0])
    if k == 0:
        return float(columns["seconds"][0])
    before, after = columns[name][k - 1 : k + 1]
    share = (level - before) / (after - before)
    return float(columns["seconds"][k - 1] + share * np.diff(columns["seconds"])[k - 1])


def picture(columns: dict, title: str) -> np.ndarray:
    """The curves as a picture (H, W, 3) uint8."""
    curves = {
        "training views": (columns["seconds"], columns["train"]),
        "unseen views": (columns["seconds"], columns["unseen"]),
    }
    return plots.plot_curves(
        curves,
        x="seconds since the start, loading and set-up included",
        y="PSNR of body pixels (dB)",
        title=title,
        marks=LEVELS,
    )
