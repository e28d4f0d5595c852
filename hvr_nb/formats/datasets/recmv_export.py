"""A clip as a REC-MV data folder (docs/formats.md, 7)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import BodyModel, load_body_model
from hvr_nb.canonical.big_pose import surface_fields
from hvr_nb.formats.datasets.recmv_folder import PARSING, WEIGHTS, WORN
from hvr_nb.formats.datasets.recmv_lines import (
    CLICKED,
    DENSE,
    GARMENT_KINDS,
    guessed_garments,
    read_lines,
    write_lines,
)
from hvr_nb.formats.datasets.selfrecon_export import fill_selfrecon
from hvr_nb.masks.labels import to_atr
from hvr_nb.store.atomic_files import atomic_folder
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_json
from hvr_nb.types import HvrError

HIPS, SHOULDERS = 15.0, 55.0  # degrees about z, of REC-MV's canonical pose
CUBE = 256  # nodes along a side of the cube of weights
LARGER = 1.1  # its side, in longest sides of the body


def write_recmv(
    clip: Clip,
    folder: str | Path,
    *,
    garments: list[str] | None = None,
    lines: dict[int, dict[str, np.ndarray]] | None = None,
    weights: bool = False,
    model: BodyModel | None = None,
) -> Path:
    """Export a clip as a data folder that REC-MV reads.

    It is a SelfRecon folder with label maps, also over the whole of each mask (``mask_parsing_``), with
    lines of garments, and ``garments.json``: garments and lines, which REC-MV keeps in a table of its code.

    Args:
        clip: with masks, labels and body. folder: a new or empty one.
        garments: kinds, of ``GARMENT_KINDS``; None guesses them from lines and labels.
        lines: polylines (N, 2), pixels, by frame and label; None takes those the clip was imported with.
        weights: also write the diffused blend weights (1.6 GB), which REC-MV makes with another program.
        model: None takes ``load_body_model()``.

    Raises:
        HvrError: something is missing in the clip, a garment is unknown, or the folder is not empty.
    """
    model = model or load_body_model()
    clip.require("masks", "body")
    if clip.masks.labels is None:
        raise HvrError(f"{clip.folder} has silhouettes without labels; run 02_masks with parsing")
    unknown = sorted(set(garments or ()) - set(GARMENT_KINDS))
    if unknown:
        raise HvrError(f"{', '.join(unknown)} is no garment of REC-MV; choose of {', '.join(GARMENT_KINDS)}")
    labels, alpha = to_atr(clip.masks.labels, label_set=clip.masks.label_set), clip.masks.alpha
    size = labels.shape[2], labels.shape[1]
    own = {kind: read_lines(clip.folder, kind, frames=len(labels), size=size) for kind in (CLICKED, DENSE)}
    own |= {} if lines is None else {CLICKED: {n: _ends(of) for n, of in lines.items()}, DENSE: lines}
    worn = garments or guessed_garments(own[DENSE] or own[CLICKED], labels)
    with atomic_folder(Path(folder), ours=set()) as new:
        fill_selfrecon(clip, new, model, name=Path(folder).name)
        for k in range(len(labels)):
            np.save(new / PARSING / f"mask_parsing_{k:06d}.npy", filled_labels(labels[k], alpha[k] > 127))
        for kind, by_frame in own.items():
            if by_frame:
                write_lines(new, kind, by_frame, size=size)
        drawn = list(dict.fromkeys(label for kind in worn for label in GARMENT_KINDS[kind][0]))
        write_json(new / WORN, {"garments": worn, "feature_lines": drawn})
        if weights:
            write_cube_weights(new / WEIGHTS, model, clip.body.betas)
    return Path(folder)


def _ends(of: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """First and last points (2, 2) of polylines, as somebody would click them."""
    return {label: points[[0, -1]] for label, points in of.items()}


def filled_labels(labels: np.ndarray, person: np.ndarray) -> np.ndarray:
    """(H, W) uint8: every pixel of a mask (H, W) has the label of the nearest labelled one; 0 elsewhere."""
    if not labels.any():
        return np.zeros(labels.shape, np.uint8)
    row, col = distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    return np.where(person, labels[row, col], 0).astype(np.uint8)


def write_cube_weights(path: Path, model: BodyModel, betas: np.ndarray, *, cube: int = CUBE) -> None:
    """Blend weights diffused off the skin of REC-MV's canonical pose, (24, cube, cube, cube) float32.

    Index is joint, z, y, x. The cube is centred on the body's box; its sides are ``LARGER`` times the
    longest side of that, and the outermost nodes lie on its faces.
    """
    turn = np.zeros((24, 3))
    turn[[1, 2], 2] = np.radians([HIPS, -HIPS])
    turn[[16, 17], 2] = np.radians([-SHOULDERS, SHOULDERS])
    with torch.no_grad():
        poses = torch.as_tensor(Rotation.from_rotvec(turn).as_rotvec().reshape(1, 72)).float()
        vertices = model.pose(torch.as_tensor(betas).float(), poses, torch.zeros(1, 3))[0][0].numpy()
    low, high = vertices.min(0), vertices.max(0)
    half = LARGER * (high - low).max() / 2
    bounds = np.stack([(low + high) / 2 - half, (low + high) / 2 + half])
    spacing = float(2 * half / max(8, min(80, cube)))
    field = surface_fields(vertices, model.faces, model.weights.numpy(), bounds, spacing)["field_weights"]
    at = np.linspace(0, 2 * half / spacing, cube)
    z, y, x = np.meshgrid(at, at, at, indexing="ij")
    out = np.lib.format.open_memmap(path, "w+", np.float32, (24, cube, cube, cube))
    for joint in range(24):
        out[joint] = map_coordinates(field[..., joint].astype(np.float32), [x, y, z], order=1, mode="nearest")
    out.flush()
