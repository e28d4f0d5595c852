"""Instant-NVR's training step on a patch of one picture (docs/field.md, 11.3 to 11.7).

Left out, which makes the reference cheaper than the original: the VGG19 term of the image loss (11.5; it
needs downloaded weights), reading and undistorting pictures in every step, the checks for NaN, and what
``reference_warp.py`` lists.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.rays import pixel_rays
from scripts.bench.nvr.reference import Reference, ReferenceSizes
from scripts.bench.nvr.reference_warp import Pairs, Posed, keep_near, pose_frame, split_parts, to_big_pose

SAMPLES = 64  # samples per ray (11.4)
RATE = 5e-4  # learning rate of Adam over everything (11.6)
EPS = 1e-15  # of Adam (11.6)
RESIDUAL = 0.1  # weights of the losses (11.5)
PAIR = 10.0
DISTORTION = 0.1
SURFACE = 0.02  # largest distance of alpha from one half for samples of the pair loss (11.5)
BESIDE = 0.005  # metres, largest distance of its neighbours along each axis (11.5)


@dataclass(frozen=True)
class Patch:
    """A square of one picture."""

    posed: Posed
    origin: np.ndarray  # (3,) world metres
    direction: np.ndarray  # (R, 3) unit, of the rays that meet the body's box
    depth: np.ndarray  # (R, SAMPLES) metres along the ray
    hit: np.ndarray  # (R,) their pixels in the patch
    target: np.ndarray  # (side * side, 3) 0..1, black outside the silhouette


def make_reference(scene, sizes: ReferenceSizes, *, frames: int = 4, seed: int = 0):
    """The reference on a scene: its step ``step(rng, side) -> numbers``, the network, its optimiser.

    Args:
        frames: number of the scene's frames that are used; all have latents.
    """
    net = Reference(scene.canonical, scene.model, len(scene.bank), sizes, seed=seed)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE, eps=EPS)
    parts = split_parts(scene.canonical)
    some = spread_indices(len(scene.bank), frames)
    posed = [pose_frame(scene, parts, int(k)) for k in some]
    big = torch.as_tensor(scene.canonical.A_big, dtype=torch.float32)

    def step(rng: np.random.Generator, side: int) -> dict[str, float]:
        marks = [time.perf_counter()]
        patch = draw_patch(scene, posed[rng.integers(len(posed))], side, rng)
        loss, log = patch_loss(net, patch, parts, big, rng)
        marks.append(time.perf_counter())
        optimiser.zero_grad()
        loss.backward()
        marks.append(time.perf_counter())
        optimiser.step()
        marks.append(time.perf_counter())
        spent = dict(zip(("forward_s", "backward_s", "adam_s"), np.diff(marks), strict=True))
        return log | {"loss": float(loss.detach()), **spent}

    return step, net, optimiser


def draw_patch(scene, posed: Posed, side: int, rng: np.random.Generator) -> Patch:
    """A square about a random pixel of the silhouette, shifted into the picture (11.6)."""
    pictures, t = scene.pictures, scene.which[posed.number]
    alpha, camera = pictures.alpha[t], pictures.camera
    rows, cols = np.nonzero(alpha > 127)
    k = rng.integers(len(rows))
    top = int(np.clip(rows[k] - side // 2, 0, camera.height - side))
    left = int(np.clip(cols[k] - side // 2, 0, camera.width - side))
    square = (slice(top, top + side), slice(left, left + side))
    pixel = np.arange(alpha.size).reshape(alpha.shape)[square].ravel()
    origin, direction = pixel_rays(camera, pixel)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    near, far = through_box(origin, direction, posed.bounds)
    hit = np.flatnonzero(near < far)
    step = (far - near)[hit, None] / SAMPLES
    depth = near[hit, None] + step * (np.arange(SAMPLES) + rng.random((len(hit), SAMPLES)))
    target = np.where(alpha[square][..., None] > 127, pictures.frames[t][square] / np.float32(255), 0)
    return Patch(posed, origin, direction[hit], depth.astype(np.float32), hit, target.reshape(-1, 3))


def through_box(origin: np.ndarray, direction: np.ndarray, bounds: np.ndarray):
    """Near and far (R,), metres, of unit rays (R, 3) through a box (2, 3); near >= far where missed."""
    safe = np.where(np.abs(direction) < 1e-5, 1e-5, direction)
    ends = (bounds[:, None] - origin) / safe
    return ends.min(0).max(1), ends.max(0).min(1)


def patch_loss(net: Reference, patch: Patch, parts, big: Tensor, rng: np.random.Generator):
    """The sum of the losses (11.5) without VGG, and numbers about the samples."""
    points = (patch.origin + patch.depth[..., None] * patch.direction[:, None]).reshape(-1, 3)
    points = np.ascontiguousarray(points, np.float32)
    live = keep_near(points, patch.posed)
    direction = patch.direction[live // SAMPLES]
    pairs = to_big_pose(points[live], direction, patch.posed, parts, big)
    alpha, colour, penalty = query(net, pairs, len(live), patch.posed, rng)
    shape = patch.depth.shape
    where = torch.as_tensor(live)
    alpha = alpha.new_zeros(len(points)).index_copy(0, where, alpha).view(shape)
    colour = colour.new_zeros(len(points), 3).index_copy(0, where, colour).view(*shape, 3)
    past = torch.cumprod(1 - alpha + 1e-8, -1)  # transmittance (11.4)
    weights = alpha * torch.cat([torch.ones_like(past[:, :1]), past[:, :-1]], -1)
    rgb = (weights[..., None] * colour).sum(1)
    target = torch.as_tensor(patch.target, dtype=torch.float32)
    error = torch.zeros_like(target).index_copy(0, torch.as_tensor(patch.hit), rgb) - target
    loss = (error**2).mean() + error.abs().mean() + penalty
    loss = loss + DISTORTION * distortion(weights, torch.as_tensor(patch.depth))
    return loss, {
        "drawn": patch.depth.size,
        "live": len(live),
        "pairs": sum(len(p.index) for p in pairs),
        "mse": float((error.detach() ** 2).mean()),
    }


def query(net: Reference, pairs: list[Pairs], count: int, posed: Posed, rng: np.random.Generator):
    """Alpha (count,), colour (count, 3) of the part with the highest alpha, and the deformer's losses."""
    alphas = [torch.zeros(count)]
    colours = [torch.zeros(count, 3)]
    residuals, uneven = [], []
    for field, pair in zip(net.parts, pairs, strict=True):
        if len(pair.index) == 0:
            continue
        residual = net.residual(pair.big, posed.time)
        alpha, colour = field(pair.big + residual, pair.direction, posed.number)
        residuals.append(residual.norm(dim=-1).sum())
        edge = torch.nonzero((alpha - 0.5).abs() < SURFACE)[:, 0]
        if len(edge):
            uneven.append(_unevenness(net, pair.big[edge], residual[edge], posed.time, rng))
        index = torch.as_tensor(pair.index)
        alphas.append(torch.zeros(count).index_copy(0, index, alpha))
        colours.append(torch.zeros(count, 3).index_copy(0, index, colour))
    best, who = torch.stack(alphas).max(0)
    colour = torch.stack(colours).gather(0, who[None, :, None].expand(1, -1, 3))[0]
    total = max(count * len(pairs), 1)  # pairs that are not near count as without motion
    penalty = RESIDUAL * sum(residuals) / total
    if uneven:
        penalty = penalty + PAIR * torch.cat(uneven).mean()
    return best, colour, penalty


def _unevenness(net: Reference, big: Tensor, residual: Tensor, when: float, rng) -> Tensor:
    """(N,) difference of the motions of points (N, 3) and random neighbours (11.5)."""
    jitter = torch.as_tensor(rng.uniform(-BESIDE, BESIDE, big.shape), dtype=torch.float32)
    beside = net.residual(big + jitter, when)
    unit = torch.nn.functional.normalize
    return (unit(residual, dim=-1) - unit(beside, dim=-1)).norm(dim=-1)


def distortion(weights: Tensor, middle: Tensor) -> Tensor:
    """Mean over rays of the weights' spread over all pairs of samples (R, S), metres (11.5)."""
    apart = (middle[:, :, None] - middle[:, None]).abs()
    return (weights[:, :, None] * weights[:, None] * apart).sum((1, 2)).mean()
