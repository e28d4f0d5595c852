"""SelfRecon and REC-MV data folders to clip folders (docs/formats.md, 7); ``selfrecon_export`` writes them.

A folder holds ``imgs/000000.png`` ..., ``masks/000000.png`` ..., ``smpl_rec.npz``, ``camera.npz`` and perhaps
``normals/``; REC-MV adds ``parsing_SCH_ATR/000000.npy``. Numbers begin at 0 and index the rows of
``smpl_rec.npz``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hvr_nb.body.model import BodyModel, load_body_model, posed
from hvr_nb.body.worlds import on_model, rest_pelvis, shape_from_height, turned
from hvr_nb.formats.datasets.selfrecon_camera import camera_from_values, normals_from_picture
from hvr_nb.geometry.camera import project, resized_images
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image, results
from hvr_nb.store.safe_pickle import read_npz_values
from hvr_nb.types import DAMAGE, MONOCULAR_R, Body, Camera, HvrError, Masks, Normals

TALLEST, SMALLEST = 2.2, 1.2  # metres; another height means a wrong scale, not an unusual shape


@dataclass(frozen=True)
class FolderPictures:
    """The pictures of the T frames that are imported."""

    numbers: np.ndarray  # (T,) numbers of the files, rows of smpl_rec.npz
    frames: np.ndarray  # (T, H, W, 3) uint8
    alpha: np.ndarray  # (T, H, W) uint8, 0 or 255
    labels: np.ndarray | None  # (T, H, W) uint8 ATR
    normals: np.ndarray | None  # (T, H, W, 3) int8, see ``Normals``


def read_selfrecon(
    folder: str | Path,
    clip_folder: str | Path,
    *,
    start: int = 0,
    stop: int = 0,
    stride: int = 1,
    fps: float = 30.0,
    max_side: int = 0,
    model: BodyModel | None = None,
) -> Clip:
    """Import a data folder as a clip with frames, camera, masks and body, ready for 04_canonical.

    The world of the clip has the camera's axes with y and z turned, whatever the folder's is. The shape
    belongs to the licensed SMPL; for the open body it is replaced by one of the height in the masks.

    Args:
        folder: with imgs, masks, smpl_rec.npz and camera.npz. clip_folder: the clip to write.
        start, stop, stride: range of the frames; stop 0 takes all.
        fps: frames per second of the imported frames; the folder does not say.
        max_side: largest side of the frames, pixels; larger ones are reduced, 0 keeps all.
        model: None takes ``load_body_model()``.

    Raises:
        HvrError: a file is missing, damaged or does not fit the others; the message names it.
    """
    folder, model = Path(folder), model or load_body_model()
    numbers = frame_numbers(folder)
    picked = numbers[start : stop or None : stride]
    if not len(picked):
        raise HvrError(
            f"{folder / 'imgs'} has frames 0 to {len(numbers) - 1}, none of them from {start} to "
            f"{stop}; choose other frames"
        )
    values = _read_values(folder / "smpl_rec.npz")
    poses, trans, betas = _parameters(folder / "smpl_rec.npz", values, len(numbers))
    _warn_of_cuts(folder, values, picked)
    taken = _read_pictures(folder, picked)
    height, width = taken.alpha.shape[1:]
    lens = camera_from_values(
        _read_values(folder / "camera.npz"), folder / "camera.npz", width=width, height=height
    )
    foreign = model.name == "open body" and str(values.get("model_hash", "")) != model.hash
    body = Body(
        np.zeros(10) if foreign else betas,
        poses[picked, :3],
        poses[picked, 3:],
        trans[picked],
        lens,
        np.ones(len(picked), bool),
        model.hash,
    )
    body = seen_from_ours(body, model)
    if foreign:
        body = _as_tall_as_the_masks(folder, body, taken.alpha, model)
    taken, small = _smaller(taken, body.camera, max_side)
    clip = Clip.create(
        clip_folder,
        taken.frames,
        fps=fps,
        names=[f"{n:06d}" for n in picked],
        times=np.arange(len(picked)) / fps,
        source={
            "file": folder.name,
            "path": str((folder / "imgs").resolve()),
            "format": "selfrecon",
            "start": start,
            "stop": stop,
            "stride": stride,
            "size": [width, height],
            "gender": str(values.get("gender", "neutral")),
        },
    )
    clip.save("camera", small)
    made_by = "imported from parsing_SCH_ATR" if taken.labels is not None else ""
    clip.save(
        "masks", Masks(taken.alpha, taken.labels, "ATR", source="imported from masks", parsing_source=made_by)
    )
    if taken.normals is not None:
        clip.save("normals", Normals(taken.normals))
    clip.save("body", replace(body, camera=small))
    return clip


def seen_from_ours(body: Body, model: BodyModel) -> Body:
    """A body in the world of a monocular clip, whose camera has R = diag(1, -1, -1), t = 0."""
    camera = body.camera
    body = turned(body, MONOCULAR_R @ camera.R, rest_pelvis(model, body.betas))
    still = replace(body.camera, R=MONOCULAR_R.copy(), t=np.zeros(3))
    return replace(body, transl=body.transl + camera.t @ MONOCULAR_R, camera=still)


def frame_numbers(folder: Path) -> np.ndarray:
    """The numbers (F,) 0 .. F-1 of the pictures in imgs; an error where one is missing."""
    names = [p.stem for p in results(folder / "imgs", "*") if p.suffix.lower() in (".png", ".jpg", ".jpeg")]
    if not names:
        raise HvrError(
            f"{folder / 'imgs'} holds no pictures; put the frames there as 000000.png, 000001.png ..."
        )
    odd = sorted(name for name in names if not name.isdecimal())
    if odd:
        raise HvrError(
            f"{folder / 'imgs'} has a picture {odd[0]}; only frames named 000000, 000001 ... may be there"
        )
    numbers = {int(name) for name in names}
    if len(numbers) < len(names):
        raise HvrError(f"{folder / 'imgs'} has two pictures of one number (jpg and png); keep one of each")
    lost = sorted(set(range(max(numbers) + 1)) - numbers)
    if lost:
        some = ", ".join(f"{n:06d}" for n in lost[:5]) + (" ..." if len(lost) > 5 else "")
        raise HvrError(
            f"{folder / 'imgs'}: {len(lost)} of {max(numbers) + 1} frames are missing ({some}); numbers must "
            "start at 0 and have no gaps, because they index the poses: put the frames back, or number the "
            "rest anew and delete the same rows of smpl_rec.npz"
        )
    return np.arange(len(numbers))


def _read_values(path: Path) -> dict:
    if not path.is_file():
        raise HvrError(f"{path} is missing; complete the folder")
    return read_npz_values(path)


def _parameters(path: Path, values: dict, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """poses (F, 72), trans (F, 3) and shape (10,), F being at least ``count``."""
    try:
        poses = np.asarray(values["poses"], np.float64)
        poses = poses.reshape(len(poses), -1)
        trans = np.asarray(values["trans"], np.float64)
        betas = np.asarray(values["shape"], np.float64).ravel()[:10]
    except (KeyError, TypeError, ValueError) as error:
        raise HvrError(
            f"{path} lacks poses (F, 24, 3), trans (F, 3) or shape (10,) as numbers ({error!r}); "
            "write it again"
        ) from error
    if poses.shape[1:] != (72,) or trans.ndim != 2 or trans.shape[1] != 3 or betas.shape != (10,):
        raise HvrError(
            f"{path}: poses {poses.shape}, trans {trans.shape} and shape {betas.shape} are not "
            "(F, 24, 3) or (F, 72), (F, 3) and (10,)"
        )
    if min(len(poses), len(trans)) < count:
        raise HvrError(
            f"{path} has {len(poses)} poses and {len(trans)} translations for {count} frames; more are "
            "allowed, fewer are not: fit the missing frames or remove their pictures"
        )
    if not all(np.isfinite(a).all() for a in (poses[:count], trans[:count], betas)):
        raise HvrError(f"{path} holds values that are not finite; write it again")
    return poses, trans, betas


def _warn_of_cuts(folder: Path, values: dict, picked: np.ndarray) -> None:
    ends = np.asarray(values.get("vid_seg_indices", []), int).ravel()[:-1]
    inside = ends[(ends > picked[0]) & (ends <= picked[-1])]
    if len(inside):
        warnings.warn(
            f"{folder.name}: a new film begins at frame {inside[0]} (vid_seg_indices), but motion is assumed "
            "to be smooth; import one film with start and stop",
            stacklevel=3,
        )


def _read_pictures(folder: Path, picked: np.ndarray) -> FolderPictures:
    """Frames and masks, and labels and normals where their folders exist."""
    lists: dict[str, list] = {"imgs": [], "masks": [], "parsing_SCH_ATR": [], "normals": []}
    given = [name for name in lists if (folder / name).is_dir()]
    if "masks" not in given:
        raise HvrError(f"{folder / 'masks'} is missing; masks are needed, one for every picture")
    size = None
    for n in tqdm(picked, desc=f"reading {folder.name}", unit="frame"):
        for name in given:
            path, picture = _layer(folder / name, int(n))
            size = size or (path, picture.shape[:2])
            if picture.shape[:2] != size[1]:
                (h, w), (height, width) = picture.shape[:2], size[1]
                raise HvrError(
                    f"{path} is {w}x{h}, {size[0]} is {width}x{height}; pictures, masks and camera must have "
                    "one size"
                )
            lists[name].append(picture)
    stacks = {name: np.stack(pictures) if pictures else None for name, pictures in lists.items()}
    return FolderPictures(
        picked, stacks["imgs"], stacks["masks"], stacks["parsing_SCH_ATR"], stacks["normals"]
    )


def _layer(folder: Path, number: int) -> tuple[Path, np.ndarray]:
    """The file of a frame and its content: RGB, mask 0 or 255, ATR labels, or normals int8."""
    endings = (".npy",) if folder.name == "parsing_SCH_ATR" else (".png", ".jpg", ".jpeg")
    path = next((p for p in (folder / f"{number:06d}{e}" for e in endings) if p.is_file()), None)
    if path is None:
        raise HvrError(
            f"{folder / f'{number:06d}{endings[0]}'} is missing; every picture in imgs needs its own"
        )
    if path.suffix == ".npy":
        return path, label_map(path)
    picture = read_image(path, remedy="write it again")
    picture = picture if picture.dtype == np.uint8 else (picture >> 8).astype(np.uint8)
    if folder.name == "masks":
        person = picture > 0 if picture.ndim == 2 else (picture > 0).any(-1)
        return path, np.where(person, 255, 0).astype(np.uint8)
    picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)
    if folder.name == "normals":
        return path, np.rint(127 * normals_from_picture(picture)).astype(np.int8)
    return path, picture


def label_map(path: Path) -> np.ndarray:
    """(H, W) uint8 ATR labels of an .npy of integers."""
    try:
        labels = np.load(path, allow_pickle=False)
    except DAMAGE as error:
        raise HvrError(f"{path} cannot be read ({error}); write it again") from error
    if labels.ndim != 2 or labels.min(initial=0) < 0 or labels.max(initial=0) >= len(LABEL_NAMES["ATR"]):
        raise HvrError(
            f"{path} is {labels.shape} with values to {labels.max(initial=0)}; a map (H, W) of ATR labels "
            f"0 to {len(LABEL_NAMES['ATR']) - 1} is expected"
        )
    return labels.astype(np.uint8)


def _as_tall_as_the_masks(folder: Path, mean: Body, alpha: np.ndarray, model: BodyModel) -> Body:
    """The open body with the height that the masks show.

    A height that no person has means that the input has a wrong scale. Then the mean shape is kept, and
    the check of the inputs reports the scale.
    """
    some = spread_indices(len(mean), 24)
    ratios = []
    for k, vertices in zip(some, posed(model, mean.frame(some))[0], strict=True):
        rows = np.flatnonzero(alpha[k].any(1))
        if len(rows) and rows[0] > 0 and rows[-1] < alpha.shape[1] - 1 and (vertices[:, 2] < -0.1).all():
            ratios.append((np.ptp(rows) + 1) / np.ptp(project(vertices, mean.camera)[:, 1]))
    tall = float(np.ptp(model.v_template[:, 1].numpy())) * float(np.median(ratios)) if ratios else 0.0
    known = SMALLEST < tall < TALLEST
    warnings.warn(
        f"{folder.name}: its shape belongs to SMPL; the open body takes "
        + ("the height of the masks" if known else "the mean shape")
        + ". Put SMPL_NEUTRAL.pkl into data/models to use it",
        stacklevel=3,
    )
    if not known:
        return mean
    return on_model(mean, model, shape_from_height(model, tall), rest_pelvis(model, np.zeros(10)))


def _smaller(taken: FolderPictures, camera: Camera, max_side: int) -> tuple[FolderPictures, Camera]:
    """Pictures and camera reduced to ``max_side`` pixels where they are larger; 0 keeps them."""
    small = camera.at_most(max_side)
    labels, normals = (
        None if stack is None else resized_images(stack, small, nearest=True)
        for stack in (taken.labels, taken.normals)
    )
    frames, alpha = resized_images(taken.frames, small), resized_images(taken.alpha, small)
    return replace(taken, frames=frames, alpha=alpha, labels=labels, normals=normals), small
