"""Views of scans in PaMIR's own layout, to learn from beside the people drawn here (docs/pamir.md, 7)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from hvr_nb.body.model import BodyModel
from hvr_nb.formats.datasets import pamir_items, read_pamir_item
from hvr_nb.formats.datasets.pamir_folder import PamirItem, turn_to_view
from hvr_nb.methods.pamir.volume import vertex_codes
from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import HvrError
from scripts.train.pamir.samples import EXACT, POINTS, disturbed, stored_arrays

VIEWS = 32  # of a shard
# points a set, as shares: near the surface inside and outside, uniform inside and outside
SHARES = (0.45, 0.45, 0.05, 0.05)


def scan_shard(
    folder: Path, root: Path, name: str, model: BodyModel, *, seed: int, side: int, volume: int
) -> Path:
    """The file of ``VIEWS`` views of one item, made if it is not there.

    Raises:
        HvrError: the item has no fitted body, or one of another model than ``model``.
    """
    path = folder / f"scan_{name}.npz"
    if path.exists():
        return path
    item, rng = read_pamir_item(root, name), np.random.default_rng([seed, *name.encode()])
    if item.body is None or len(item.body.vertices) != model.v_count or not item.parameters:
        raise HvrError(
            f"{root / 'mesh_data' / name / 'smpl'} has no body of {model.v_count} vertices with its "
            "parameters; fit SMPL to the scan first"
        )
    rows = [scan_arrays(item, model, rng, side=side, volume=volume) for _ in range(VIEWS)]
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez(file, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})
    return path


def scan_arrays(
    item: PamirItem, model: BodyModel, rng: np.random.Generator, *, side: int, volume: int
) -> dict[str, np.ndarray]:
    """The arrays of one random view of a scan, as ``samples.arrays_of`` gives them for a drawn person."""
    view = int(rng.choice(item.views))
    picture, mask = item.picture(view)
    share = mask[..., None].astype(np.float32) / 255
    small = cv2.resize(picture * share + 255 * (1 - share), (side, side), interpolation=cv2.INTER_AREA)
    true = turn_to_view(np.asarray(item.body.vertices, np.float32), view)
    body = true if rng.random() < EXACT else true + _error(item, model, view, rng)
    points, inside = [], []
    for (name, values), part in zip(item.points.items(), SHARES, strict=True):
        if len(values):
            points.append(values[rng.integers(len(values), size=int(part * POINTS))])
            inside.append(np.full(len(points[-1]), name.endswith("inside")))
    points, inside = np.concatenate(points), np.concatenate(inside)
    pick = rng.integers(len(points), size=POINTS)
    at = turn_to_view(points[pick].astype(np.float32), view)
    codes = vertex_codes(model.v_template.numpy())
    return {
        "picture": np.round(small).astype(np.uint8),
        **stored_arrays(at, true, body, model.faces, codes, volume=volume),
        "inside": inside[pick],
    }


def _error(item: PamirItem, model: BodyModel, view: int, rng: np.random.Generator) -> np.ndarray:
    """(V, 3) how far a body errs that is estimated from the view, units of the cube."""
    p, size = item.parameters, rng.uniform(0.2, 1.2)
    pose = p["body_pose"].reshape(24, 3).astype(np.float64)
    errors = (np.zeros(10), pose), (size * rng.normal(0, 0.3, 10), disturbed(pose, model, size, rng))
    vertices = []
    for betas, turned in errors:
        poses = torch.as_tensor(turned.reshape(1, 72), dtype=torch.float32)
        shape = torch.as_tensor(p["betas"] + betas, dtype=torch.float32)
        with torch.no_grad():
            vertices.append(model.pose(shape, poses, torch.zeros(1, 3))[0][0].numpy())
    moved = turn_to_view(float(p["body_scale"][0]) * (vertices[1] - vertices[0]), view)
    return moved - moved.mean(0) + (0.46 * size * rng.normal(0, [0.006, 0.006, 0.020])).astype(np.float32)


def make_scan_shards(folder: Path, root: Path, model: BodyModel, **options) -> int:
    """The files of all items of a folder; returns how many. Items that cannot be used are named."""
    done = 0
    for name in pamir_items(root):
        try:
            scan_shard(folder, root, name, model, **options)
            done += 1
        except HvrError as error:
            print(f"left out: {error}")
    return done
