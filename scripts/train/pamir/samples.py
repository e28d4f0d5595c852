"""What the network learns from: a picture, an estimated body, and points with their occupancy.

Views are made in shards, files of arrays, each from its own seed; so there is no end to them, and a run that
was stopped goes on where it was.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import OPEN_BODY, BodyModel, load_body_model
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.methods.pamir.volume import place_on_body, semantic_volume, vertex_codes
from hvr_nb.store.atomic_files import atomic
from scripts.train.pamir.people import DrawnPerson, draw_person
from scripts.train.pamir.pictures import picture
from scripts.train.pamir.poses import Poses

PEOPLE, POSES = 4, 8  # of a shard
POINTS = 4096  # of a view
UNITS = (0.40, 0.52)  # units of the cube in a metre
EXACT = 1 / 3  # share of views with the true body
CHILDREN = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, -1, -1, -1)


@dataclass(frozen=True)
class View:
    """One picture of one person in the cube; V clothed and B body vertices, in its units."""

    person: DrawnPerson
    picture: np.ndarray  # (S, S, 3) uint8
    clothed: np.ndarray  # (V, 3)
    bare: np.ndarray  # (B, 3) the true body
    body: np.ndarray  # (B, 3) the body as estimated
    units: float  # units of the cube in a metre


def disturbed(pose: np.ndarray, model: BodyModel, size: float, rng: np.random.Generator) -> np.ndarray:
    """A pose (24, 3) as a fit to one camera errs: bones tilt in depth more than across the picture.

    Args:
        size: 1 for errors of 5 degrees in depth and 1.5 in all directions, independent for every bone.
    """
    parents = np.array(model.parents)
    local = Rotation.from_rotvec(pose).as_matrix()
    turns = local.copy()
    for j in range(1, 24):
        turns[j] = turns[parents[j]] @ local[j]
    rest = model.shaped(torch.zeros(10))[1].numpy()
    moved = turns.copy()
    for j in range(24):
        child = next((k for k in range(24) if parents[k] == j), None)
        small = rng.normal(0, np.radians(1.5), 3)
        if child is not None:
            bone = turns[j] @ (rest[child] - rest[j])
            tilt = np.cross([0, 0, 1.0], bone)
            small += (
                tilt / max(np.linalg.norm(tilt), 0.5 * np.linalg.norm(bone)) * rng.normal(0, np.radians(5.0))
            )
        moved[j] = Rotation.from_rotvec(size * small).as_matrix() @ turns[j]
    out = moved.copy()
    for j in range(1, 24):
        out[j] = moved[parents[j]].T @ moved[j]
    return Rotation.from_matrix(out).as_rotvec()


def draw_view(
    person: DrawnPerson, pose: np.ndarray, rng: np.random.Generator, *, side: int, exact: float = EXACT
) -> View:
    """A picture of a person in a pose (24, 3), and the body as it might be estimated.

    Args:
        side: of the picture, pixels. exact: probability that the body is the true one.
    """
    model = person.model
    clothed, bare = person.posed(pose)
    body, units = bare, rng.uniform(*UNITS)
    if rng.random() >= exact:
        size = rng.uniform(0.2, 1.2)
        betas = person.betas + size * rng.normal(0, 0.3, 10)
        as_tensor = [
            torch.as_tensor(a, dtype=torch.float32)
            for a in (betas, disturbed(pose, model, size, rng).reshape(1, 72), np.zeros((1, 3)))
        ]
        with torch.no_grad():
            body = model.pose(*as_tensor)[0][0].numpy()
        body += bare.mean(0) - body.mean(0) + size * rng.normal(0, [0.006, 0.006, 0.020])
    middle = (body.min(0) + body.max(0)) / 2
    reach = 0.48 / max(np.abs(clothed - middle).max(), 1e-3)  # the whole person is in the cube
    units = min(units, reach)
    middle = middle + rng.normal(0, 0.008, 3) / units
    clothed, bare, body = ((units * (v - middle)).astype(np.float32) for v in (clothed, bare, body))
    return View(
        person, picture(clothed, person.faces, person.albedo, rng, side=side), clothed, bare, body, units
    )


def draw_points(view: View, rng: np.random.Generator, count: int = POINTS) -> np.ndarray:
    """Points (count, 3) of the cube: most near the clothes or the body, some anywhere around."""
    shares = {0.010: 0.45, 0.030: 0.2, "body": 0.2, "box": 0.15}
    parts = [int(share * count) for share in shares.values()]
    parts[0] += count - sum(parts)
    faces = view.person.faces
    corner = view.clothed[faces]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    out = []
    for metres, part in zip((0.010, 0.030), parts[:2], strict=True):
        pick = rng.choice(len(faces), part, p=area / area.sum())
        share = rng.dirichlet((1, 1, 1), part)
        out.append(
            (corner[pick] * share[..., None]).sum(1) + view.units * metres * rng.normal(0, 1, (part, 3))
        )
    normals = vertex_normals(view.body, view.person.model.faces)
    pick = rng.integers(len(view.body), size=parts[2])
    out.append(view.body[pick] + normals[pick] * view.units * rng.normal(0, 0.04, (parts[2], 1)))
    low, high = view.clothed.min(0) - 0.05, view.clothed.max(0) + 0.05
    out.append(rng.uniform(low, high, (parts[3], 3)))
    return np.concatenate(out).astype(np.float32)


def depth_shift(points: np.ndarray, true: np.ndarray, estimated: np.ndarray) -> np.ndarray:
    """How far points (N, 3) are moved along z so that they follow the estimated body: (N,), at most 0.05.

    A picture does not tell depth, so the truth is asked relative to the body that the network is given:
    the mean shift of the four nearest vertices, weighted by distance (Zheng et al., TPAMI 2021, section 3.4).

    Args:
        true, estimated: (B, 3) vertices.
    """
    distance, near = cKDTree(true).query(points, k=4)
    weight = np.exp(-(distance**2) / (2 * np.maximum(distance[:, :1], 1e-6) ** 2))
    weight /= weight.sum(1, keepdims=True)
    shift = (weight * (estimated[near, 2] - true[near, 2])).sum(1)
    return np.tanh(20 * shift) / 20


def arrays_of(
    view: View, rng: np.random.Generator, codes: np.ndarray, *, volume: int
) -> dict[str, np.ndarray]:
    """The arrays of one view that are stored; P points, volume of ``volume`` voxels a side, codes (B, 3)."""
    points = draw_points(view, rng)
    return {
        "picture": view.picture,
        **stored_arrays(points, view.bare, view.body, view.person.model.faces, codes, volume=volume),
        "inside": view.person.inside(points, view.clothed, view.bare),
    }


def stored_arrays(
    points: np.ndarray,
    true: np.ndarray,
    body: np.ndarray,
    faces: np.ndarray,
    codes: np.ndarray,
    *,
    volume: int,
) -> dict[str, np.ndarray]:
    """What the told body says of points (P, 3): the volume, their shift in depth and their place on it.

    Args:
        true, body: (B, 3) the true body and the told one, in the cube. faces: (F, 3). codes: (B, 3).
    """
    shift = depth_shift(points, true, body).astype(np.float32)
    moved = points + shift[:, None] * np.array([0, 0, 1], np.float32)
    semantic = semantic_volume(body, faces, codes, side=volume)
    filled = (semantic != 0).any(0)
    return {
        "volume": np.where(filled, 1 + np.round(semantic * 254), 0).astype(np.uint8),
        "points": moved,
        "shift": shift.astype(np.float16),
        "place": place_on_body(moved, body, faces, codes).numpy().astype(np.float16),
    }


def make_shard(
    folder: Path, index: int, poses: Poses, outfits: tuple[str, ...], *, seed: int, side: int, volume: int
) -> Path:
    """The file of one shard, made if it is not there."""
    path = folder / f"{index:05d}.npz"
    if path.exists():
        return path
    rng, model = np.random.default_rng([seed, index]), load_body_model(OPEN_BODY)
    codes = vertex_codes(model.v_template.numpy())
    rows = []
    for k in range(PEOPLE):
        person = draw_person(outfits[(index * PEOPLE + k) % len(outfits)], model, rng)
        for _ in range(POSES):
            view = draw_view(person, poses.draw(rng), rng, side=side)
            rows.append(arrays_of(view, rng, codes, volume=volume))
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez(file, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})
    return path


def load_shard(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a shard; None for a damaged one, which is deleted and made again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        path.unlink(missing_ok=True)
        return None
