"""Random people: random bodies in captured, recombined and slightly changed motion."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hvr_nb.body.joint_sets import h36m_from_smpl
from hvr_nb.body.kinematics import rig_of
from hvr_nb.body.landmarks import blazepose_table
from hvr_nb.body.model import LANDMARK_VERTICES, load_body_model
from hvr_nb.keypoints.follow import COCO17
from scripts.train.lifter.bank import PARENTS, RATE, Bank
from scripts.train.motions import MIRROR

BONE_SPREAD = 0.025  # in addition to the open body's shapes; statures then vary by +-5.8 %, like adults
AS_CAPTURED = 0.35  # share of the training clips that move as captured; others are recombined and changed
ARMS = ((13, 16, 18, 20, 22), (14, 17, 19, 21, 23))  # with the collar
LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))
UPPER = (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
LIMB_JOINTS = (1, 2, 4, 5, 16, 17, 18, 19)
COCO_SMPL = (15, 15, 15, 15, 15, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8)
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


@dataclass(frozen=True)
class People:
    """B people over T frames."""

    joints: Tensor  # (B, T, 17, 3) Human3.6M joints, metres, Y up world
    seen: Tensor  # (B, T, 17, 3) COCO joints as a detector places them
    pace: np.ndarray  # (B,) frames per second


@dataclass(frozen=True)
class Template:
    """The open body: rest skeleton, its derivative by the shape, and the landmarks on it."""

    rest: np.ndarray  # (24, 3)
    directions: np.ndarray  # (24, 3, 10)
    weights: np.ndarray  # (17, 24) of the detector's COCO landmarks
    offsets: np.ndarray  # (17, 24, 3)
    face: np.ndarray  # (6, 3) nose, eyes, ears and top of the head from the head joint


@functools.cache
def template() -> Template:
    """The arrays of the open body."""
    model = load_body_model()
    rig, table, v = rig_of(model), blazepose_table(), model.v_template.double().numpy()
    face = [v[LANDMARK_VERTICES[name]] for name in FACE] + [v[v[:, 1].argmax()] * [0, 1, 1]]
    rows = list(COCO17)
    return Template(
        rig.joints, rig.directions, table.weights[rows], table.offsets[rows], np.array(face) - rig.joints[15]
    )


def _clock(bank: Bank, rng: np.random.Generator, count: int, frames: int, pace: np.ndarray):
    """Frames (count, frames) of random clips at a pace, forwards and backwards, and the fractions between."""
    clip = rng.choice(len(bank.shares), count, p=bank.shares)
    length = bank.lengths[clip][:, None]
    time = rng.uniform(0, 1, (count, 1)) * length + np.arange(frames) * (RATE / pace)[:, None]
    top = np.maximum(length - 1.001, 0)
    time = np.abs((time + top) % np.maximum(2 * top, 1) - top)
    first = time.astype(int)
    return bank.starts[clip][:, None] + first, (time - first).astype(np.float32)


def _between(values: np.ndarray, rows: np.ndarray, part: np.ndarray) -> Tensor:
    """Values (N, ...) interpolated linearly between the rows and the next ones."""
    part = part.reshape(*part.shape, *[1] * (values.ndim - 1))
    ahead = np.minimum(rows + 1, len(values) - 1)
    return torch.from_numpy(values[rows] * (1 - part) + values[ahead] * part)


def _recombined(bank: Bank, rng: np.random.Generator, turns: Tensor, pace: np.ndarray) -> Tensor:
    """Rotations (B, T, 24, 3, 3) in the axes of the root; most clips get parts of others and a wobble."""
    count, frames = turns.shape[:2]
    changed = rng.random(count) >= AS_CAPTURED
    mixed = np.flatnonzero((rng.random(count) < 0.4) & changed)  # somebody else's upper body
    if len(mixed):
        rows, part = _clock(bank, rng, len(mixed), frames, pace[mixed])
        turns[mixed[:, None, None], torch.arange(frames)[:, None], list(UPPER)] = _between(
            bank.turns[:, list(UPPER)], rows, part
        )
    for limb, on, share in [(arm, 9, 0.3) for arm in ARMS] + [(leg, 0, 0.15) for leg in LEGS]:
        mixed = np.flatnonzero((rng.random(count) < share) & changed)  # and somebody else's arms and legs
        if len(mixed):
            rows, part = _clock(bank, rng, len(mixed), frames, pace[mixed])
            other = _between(bank.turns[:, [on, *limb]], rows, part)
            turned = other[:, :, :1].transpose(-1, -2) @ other[:, :, 1:]
            turns[mixed[:, None, None], torch.arange(frames)[:, None], list(limb)] = (
                turns[mixed][:, :, on : on + 1] @ turned
            )
    moved = np.flatnonzero(changed)
    turns[moved] = turns[moved] @ _wobble(rng, len(moved), frames, pace[moved])
    return turns


def _wobble(rng: np.random.Generator, count: int, frames: int, pace: np.ndarray) -> Tensor:
    """Small slow rotations (B, T, 24, 3, 3), independent for every bone."""
    spread = np.full((24, 1), 0.05)
    spread[list(LIMB_JOINTS)] = 0.12
    scale = spread * rng.gamma(1.0, 1.0, (count, 1, 24, 1))
    time = np.arange(frames)[None, :, None, None] / pace[:, None, None, None]
    rate, phase = (
        rng.uniform(0, 0.6, (2, count, 1, 24, 1)) * np.array([2 * np.pi, 10.0])[:, None, None, None, None]
    )
    size = rng.normal(0, 1, (count, 1, 24, 3)) * scale
    v = torch.from_numpy((size * np.cos(rate * time + phase)).astype(np.float32))
    angle = v.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    x, y, z = (v / angle).unbind(-1)
    zero = torch.zeros_like(x)
    K = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    angle = angle[..., None]
    return torch.eye(3) + angle.sin() * K + (1 - angle.cos()) * (K @ K)


def _bodies(rng: np.random.Generator, count: int) -> np.ndarray:
    """Bone vectors (B, 24, 3) of people of all proportions."""
    body = template()
    rest = body.rest + np.einsum("jdk,bk->bjd", body.directions, rng.normal(0, 1, (count, 10)))
    bones = rest - rest[:, [max(p, 0) for p in PARENTS]]
    scale = rng.normal(1, BONE_SPREAD, (count, 24))
    scale = np.where(np.arange(24) > np.array(MIRROR), scale[:, MIRROR], scale)
    return bones * scale[..., None]


def draw_people(
    bank: Bank, rng: np.random.Generator, count: int, frames: int, *, natural: bool = False
) -> People:
    """People in motion.

    Args:
        natural: keep motions as captured (for measuring); otherwise recombine and change them (for training).
    """
    pace = np.where(rng.random(count) < 0.85, rng.uniform(11, 19, count), rng.uniform(4, 30, count))
    if natural:
        pace = rng.choice([24.0, 25.0, 30.0, 50.0], count)
    rows, part = _clock(bank, rng, count, frames, pace)
    root, turns, place = (_between(a, rows, part) for a in (bank.root, bank.turns, bank.place))
    if not natural:
        turns = _recombined(bank, rng, turns, pace)
        root = _lean(rng, count) @ root
    bones, body = torch.from_numpy(_bodies(rng, count).astype(np.float32)), template()
    G = root[:, :, None] @ turns
    joints = torch.zeros(count, frames, 24, 3)
    for j in range(1, 24):
        p = PARENTS[j]
        joints[:, :, j] = joints[:, :, p] + (G[:, :, p] @ bones[:, None, j, :, None])[..., 0]
    joints += place[:, :, None]
    face = joints[:, :, 15:16] + torch.einsum("btde,ke->btkd", G[:, :, 15], _f32(body.face))
    found = _f32(body.weights) @ joints + torch.einsum("btjde,lje->btld", G, _f32(body.offsets))
    plain = torch.cat([face[:, :, :5], joints[:, :, COCO_SMPL[5:]]], 2)
    kind = rng.choice([0.0, 1.0, 2.0], count, p=[0.25, 0.5, 0.25])
    blend = _f32(np.where(kind == 2, rng.random(count), kind)).view(-1, 1, 1, 1)
    habit = rng.normal(0, 0.01, (count, 17, 3)) * np.where(np.isin(np.arange(17), (11, 12)), 2, 1)[:, None]
    habit = torch.einsum("btde,bke->btkd", G[:, :, 0], _f32(habit))
    target = h36m_from_smpl(joints.numpy(), face[:, :, 0].numpy(), face[:, :, 5].numpy())
    return People(torch.from_numpy(target), blend * found + (1 - blend) * plain + habit, pace)


def _lean(rng: np.random.Generator, count: int) -> Tensor:
    """A constant lean (B, 1, 3, 3) about a horizontal axis: mostly none, sometimes up to lying."""
    angle = np.where(rng.random(count) < 0.06, rng.uniform(-1.6, 1.6, count), rng.normal(0, 0.06, count))
    around = rng.uniform(0, 2 * np.pi, count)
    c, s, x, z = np.cos(angle), np.sin(angle), np.cos(around), np.sin(around)
    rows = np.array(
        [
            [c + x * x * (1 - c), -z * s, x * z * (1 - c)],
            [z * s, c, -x * s],
            [x * z * (1 - c), x * s, c + z * z * (1 - c)],
        ]
    )
    return _f32(rows.transpose(2, 0, 1))[:, None]


def _f32(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
