"""A clip as an Instant-NVR root, to train that program on it (docs/formats.md, 6)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hvr_nb.body.model import BodyModel, load_body_model, posed
from hvr_nb.body.worlds import from_standard, rest_pelvis
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.formats.datasets.zju_grids import surface_uv, vertex_weights, weight_volume
from hvr_nb.masks.labels import LABEL_NAMES, from_atr, write_label_png
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_image
from hvr_nb.types import Body, Camera, HvrError

SUB = "00"  # name of the only camera


def write_zju(clip: Clip, root: str | Path, *, model: BodyModel | None = None, grids: bool = True) -> Path:
    """Export frames, camera, masks and body of a clip as an Instant-NVR root.

    It has `annots.npy`, `images/00`, `schp/00` (CIHP labels; `mask_cihp/images/00` for a clip without
    labels), `smpl_params`, `smpl_vertices`, `smpl_lbs`, `bigpose_uv.npy` (where the model has texture
    coordinates), and `smpl-meta` with the files that the program expects in its `data/smpl-meta`. Soft
    masks become binary.

    Args:
        clip: with masks and body. root: a new or empty folder.
        model: None takes ``load_body_model()``.
        grids: write `bigpose_bw`, `bweights` (5 to 15 MB a frame) and `bigpose_uv`; the program's own
            preparation script makes them too.

    Raises:
        HvrError: something is missing in the clip, or the folder is not empty.
    """
    root, model = Path(root), model or load_body_model()
    clip.require("masks", "body")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise HvrError(f"{root} is not empty; give a new folder")
    body, indices = clip.body, _indices(clip.frame_names)
    vertices, _ = posed(model, body)
    for t, index in enumerate(tqdm(indices, desc=f"writing {root.name}", unit="frame")):
        write_image(root / _picture(index), clip.frames[t])
        _write_mask(root, index, clip, t)
        _write_body(root, index, body, t, vertices[t], model, grids=grids)
    _write_rest(root, body, model, grids=grids)
    rows = [{"ims": [_picture(index)]} for index in indices]
    _save(root / "annots.npy", {"cams": _cameras(body.camera), "ims": rows})  # last, when all else is there
    return root


def _indices(names: list[str]) -> list[int]:
    """Frame numbers: those of the names, or 0, 1 ... where the names are not numbers."""
    numbers = [int(name) for name in names if name.isdecimal()]
    return numbers if len(set(numbers)) == len(names) else list(range(len(names)))


def _picture(index: int) -> str:
    return f"images/{SUB}/{index:06d}.png"


def _cameras(camera: Camera) -> dict[str, list]:
    K = camera.K.copy()
    K[:2, 2] -= 0.5  # pixel centres are at integers there
    return {
        "K": [K],
        "D": [camera.dist.reshape(1, 5)],
        "R": [camera.R],
        "T": [camera.t.reshape(3, 1) * 1000.0],
    }


def _write_mask(root: Path, index: int, clip: Clip, t: int) -> None:
    masks = clip.masks
    person = masks.alpha[t] >= 128
    if masks.labels is None:
        write_image(root / f"mask_cihp/images/{SUB}/{index:06d}.png", person.astype(np.uint8) * 255)
        return
    labels = from_atr(masks.labels[t]) if masks.label_set == "ATR" else masks.labels[t]
    write_label_png(root / f"schp/{SUB}/{index:06d}.png", label_everywhere(labels, person))


def label_everywhere(labels: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint8, nonzero exactly inside ``person`` (H, W) bool; gaps take the nearest label."""
    known = person & (labels > 0)
    if not known.any():
        return np.where(person, LABEL_NAMES["CIHP"].index("upper clothes"), 0).astype(np.uint8)
    row, column = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.where(person, labels[row, column], 0).astype(np.uint8)


def _write_body(
    root: Path, index: int, body: Body, t: int, vertices: np.ndarray, model: BodyModel, *, grids: bool
) -> None:
    """Write parameters, vertices (V, 3) and, if asked for, the grid of one frame."""
    Rh, Th = from_standard(body.global_orient[t], body.transl[t], rest_pelvis(model, body.betas))
    poses = np.concatenate([np.zeros(3), body.body_pose[t]])
    _save(
        root / "smpl_params" / f"{index}.npy",
        {"Rh": Rh[None], "Th": Th[None], "poses": poses[None], "shapes": body.betas[None]},
    )
    _save(root / "smpl_vertices" / f"{index}.npy", vertices.astype(np.float32))
    if grids:
        unturned = Rotation.from_rotvec(Rh).inv().apply(vertices - Th)
        _save(root / "smpl_lbs" / "bweights" / f"{index}.npy", vertex_weights(unturned, model))


def _write_rest(root: Path, body: Body, model: BodyModel, *, grids: bool) -> None:
    """Write the rest skeleton, the big pose with its grids, and the tables of the body model."""
    canonical = make_canonical(body, model)
    parents, faces = np.array(model.parents, np.int64), model.faces.astype(np.uint32)
    big = canonical.vertices.astype(np.float64)
    rest = {
        "joints": canonical.rest_joints.astype(np.float64),
        "parents": parents,
        "faces": faces,
        "bigpose_vertices": big,
    }
    if grids:
        rest["bigpose_bw"] = weight_volume(big, model)
    for name, array in rest.items():
        _save(root / "smpl_lbs" / f"{name}.npy", array)
    if grids and model.uv is not None:
        _save(root / "bigpose_uv.npy", surface_uv(big, model))
    for name, array in {"faces": faces, "weights": model.weights.numpy(), "parents": parents}.items():
        _save(root / "smpl-meta" / f"{name}.npy", array)


def _save(path: Path, value: np.ndarray | dict) -> None:
    """Write an .npy; a dictionary is pickled into it, as the layout requires."""
    with atomic(path) as partial, open(partial, "wb") as stream:
        np.save(stream, value, allow_pickle=isinstance(value, dict))
