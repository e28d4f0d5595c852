"""ZJU-MoCap, MonoCap and Instant-NVR roots to clip folders (docs/formats.md, 6); `zju_export` writes them.

A root holds `annots.npy` (cameras with T in millimetres, picture paths by frame and camera), pictures,
masks and EasyMocap parameters by frame number. Its pixel centres are at integers. Its world is metric, with
z up in a rig and the camera's own axes (y down) in a monocular capture. Turntables and novel poses need Y
up, so the world is turned by quarter turns (`upright`).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hvr_nb.body.model import BodyModel, load_body_model, posed
from hvr_nb.body.worlds import (
    on_model,
    rest_pelvis,
    shape_from_joints,
    to_standard,
    turned,
    turned_camera,
    upright_turn,
)
from hvr_nb.geometry.camera import project, resized_images, undistort_images
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.masks.labels import import_masks
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image
from hvr_nb.store.safe_pickle import read_values
from hvr_nb.types import DAMAGE, Body, Camera, HvrError, Masks

PARAMS = ("smpl_params", "new_params", "params")  # the three generations of the layout
VERTICES = ("smpl_vertices", "new_vertices", "vertices")
RIGS = ("smpl_lbs", "new_lbs", "lbs")
SAME_MODEL = 0.01  # metres, largest distance between the root's vertices and those of the same model file
MIN_INSIDE = 0.7  # least share of the posed vertices on the silhouette
DEEPCAP_PERSON = 125  # largest brightness of the background in the masks of DeepCap's roots


@dataclass(frozen=True)
class Shot:
    """One camera of a root and its pictures."""

    camera: Camera  # in the world of the root, without the size of its pictures (0 x 0)
    pictures: list[str]  # T paths under the root
    indices: list[int]  # T frame numbers, those of the parameter files


def read_zju(
    root: str | Path,
    folder: str | Path,
    *,
    camera: int = 0,
    start: int = 0,
    stop: int = 0,
    stride: int = 1,
    fps: float = 30.0,
    max_side: int = 0,
    model: BodyModel | None = None,
    upright: bool = True,
) -> Clip:
    """Import one camera of a root as a clip with frames, camera, masks and body, ready for 04_canonical.

    Lens distortion is removed, as in 00_video. The parameters belong to the licensed SMPL; for the open
    body the shape is fitted to the rest skeleton of the root (`smpl_lbs/joints.npy`) where there is one.

    Args:
        root: the folder with `annots.npy`. folder: the clip folder to write.
        camera: number of the camera, from 0. start, stop, stride: range of the frames; stop 0 takes all.
        fps: frames per second of the imported frames; the root does not say.
        max_side: largest side of the pictures, pixels; larger ones are reduced, 0 keeps all.
        model: None takes ``load_body_model()``.
        upright: turn the world by quarter turns so that the person stands along +Y; False keeps it.

    Raises:
        HvrError: a file is missing, damaged or does not fit the others.
    """
    root, model = Path(root), model or load_body_model()
    shot = read_shot(root, camera, slice(start, stop or None, stride))
    images, lens = _read_pictures(root, shot)
    body = _read_body(root, replace(shot, camera=lens), model)
    turn = upright_turn(posed(model, body)[1]) if upright else np.eye(3)
    body, lens = turned(body, turn, rest_pelvis(model, body.betas)), turned_camera(lens, turn)
    masks = _read_masks(root, shot)
    images, masks, clean = _straight_and_small(images, masks, lens, max_side)
    body = replace(body, camera=clean)
    source = {
        "file": root.name,
        "path": str((root / "annots.npy").resolve()),
        "format": "zju",
        "camera": camera,
        "world_turn": turn,
        "size": [lens.width, lens.height],
        "body_in_mask": _check_place(body, masks, model),
    }
    clip = Clip.create(
        folder,
        images,
        fps=fps,
        names=[Path(p).stem for p in shot.pictures],
        times=np.arange(len(images)) / fps,
        source=source,
    )
    clip.save("camera", clean)
    clip.save("masks", masks)
    clip.save("body", body)
    return clip


def read_shot(root: Path, camera: int, frames: slice) -> Shot:
    """A camera and its picture paths from `annots.npy`; the camera has no size yet."""
    path = root / "annots.npy"
    content = read_values(path)
    try:
        cams, rows = content["cams"], content["ims"]
        count = len(cams["K"])
        if not 0 <= camera < count:
            raise HvrError(f"{path} has cameras 0 to {count - 1}, not {camera}")
        K, R, T, D = (np.array(cams[key][camera], np.float64) for key in "KRTD")
        pictures = [str(row["ims"][camera]) for row in rows[frames]]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise HvrError(f"{path} is not laid out as ZJU-MoCap's ({error!r}); check the file") from error
    if (
        K.shape != (3, 3)
        or R.shape != (3, 3)
        or T.size != 3
        or not np.allclose(R @ R.T, np.eye(3), atol=1e-3)
    ):
        raise HvrError(
            f"{path}: camera {camera} has K {K.shape}, R {R.shape}, T {T.shape}, or R is not a rotation"
        )
    if not pictures:
        raise HvrError(f"{path} has {len(rows)} frames, none of them in {frames}; choose other frames")
    K[:2, 2] += 0.5
    dist = np.pad(D.ravel()[:5], (0, 5 - min(5, D.size)))
    lens = Camera(K=K, width=0, height=0, R=R, t=T.ravel() / 1000.0, dist=dist, source="given")
    return Shot(lens, pictures, [_number(path, picture) for picture in pictures])


def _number(path: Path, picture: str) -> int:
    stem = Path(picture).stem
    if not stem.isdecimal():
        raise HvrError(
            f"{path}: the picture {picture} is not named by a frame number, so its parameters cannot "
            "be found; rename the pictures to 000000.jpg ..."
        )
    return int(stem)


def _read_pictures(root: Path, shot: Shot) -> tuple[np.ndarray, Camera]:
    """Pictures (T, H, W, 3) uint8, and the camera with their size."""
    images = []
    for picture in tqdm(shot.pictures, desc="reading pictures", unit="frame"):
        image = read_image(root / picture, remedy="complete the root")
        image = image if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
        if image.dtype != np.uint8 or (images and image.shape != images[0].shape):
            raise HvrError(
                f"{root / picture} is {image.shape} {image.dtype}; all pictures must have one size and 8 bits"
            )
        images.append(image)
    height, width = images[0].shape[:2]
    return np.stack(images), replace(shot.camera, width=width, height=height)


def mask_folder(root: Path, picture: str) -> Path:
    """The folder of the masks for a picture's camera: SCHP's palette labels first, then single-channel masks.

    Raises:
        HvrError: neither is there.
    """
    inner = Path(picture)
    in_schp = Path(*["schp" if part == "images" else part for part in inner.parts])
    tried = [
        p for p in (in_schp, "schp" / inner, "mask_cihp" / inner, "mask" / inner) if p.parent != inner.parent
    ]
    for place in dict.fromkeys(p.with_suffix(".png") for p in tried):
        if (root / place).exists():
            return root / place.parent
    raise HvrError(f"{root} has no mask of {picture}; none of {', '.join(map(str, tried))} (.png) is there")


def _read_masks(root: Path, shot: Shot) -> Masks:
    """Silhouettes, 0 or 255, and CIHP labels where the masks are label pictures, at their own size."""
    folder = mask_folder(root, shot.pictures[0])
    stems = [Path(picture).stem for picture in shot.pictures]
    height, width = read_image(folder / f"{stems[0]}.png", remedy="get the mask again").shape[:2]
    masks = import_masks(folder, stems, (len(stems), height, width), allow_empty=True)
    floor = DEEPCAP_PERSON if "deepcap" in str(root).lower() and masks.labels is None else 0
    name = folder.relative_to(root).parts[0]
    return replace(
        masks,
        alpha=np.where(masks.alpha > floor, 255, 0).astype(np.uint8),
        source=f"imported from {name}",
        parsing_source=f"imported from {name}" if masks.labels is not None else "",
    )


def _straight_and_small(images: np.ndarray, masks: Masks, camera: Camera, max_side: int):
    """Pictures, masks and camera without distortion, reduced to ``max_side`` pixels (0 keeps the size)."""
    alpha = resized_images(masks.alpha, camera, nearest=True)
    labels = None if masks.labels is None else resized_images(masks.labels, camera, nearest=True)
    images, clean = undistort_images(images, camera)
    alpha, _ = undistort_images(alpha, camera)
    labels = None if labels is None else _undistort_labels(labels, camera)
    small = clean.at_most(max_side)
    images, alpha = resized_images(images, small), resized_images(alpha, small)
    labels = None if labels is None else resized_images(labels, small, nearest=True)
    return images, replace(masks, alpha=alpha, labels=labels), small


def _undistort_labels(labels: np.ndarray, camera: Camera) -> np.ndarray:
    """Labels (T, H, W) undistorted, without interpolating between labels."""
    if not np.any(camera.dist):
        return labels
    K = camera.K.copy()
    K[:2, 2] -= 0.5  # OpenCV counts pixel centres from 0
    maps = cv2.initUndistortRectifyMap(K, camera.dist, None, K, labels.shape[2:0:-1], cv2.CV_32FC1)
    return np.stack([cv2.remap(image, *maps, cv2.INTER_NEAREST) for image in labels])


def _read_body(root: Path, shot: Shot, model: BodyModel) -> Body:
    """The body in the world of the root; its shape is fitted anew where the root has another model."""
    folder = _folder(root, PARAMS)
    if folder is None:
        raise HvrError(f"{root} has none of {', '.join(PARAMS)}; body parameters are needed")
    rows = [_params(folder / f"{index}.npy") for index in shot.indices]
    Rh, Th, poses, shapes = (np.stack([row[key] for row in rows]) for key in ("Rh", "Th", "poses", "shapes"))
    betas = shapes.mean(0)
    orient = (Rotation.from_rotvec(Rh) * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    pelvis = rest_pelvis(model, betas)
    body = Body(
        betas,
        orient,
        poses[:, 3:],
        to_standard(Rh, Th, pelvis)[1],
        shot.camera,
        np.ones(len(rows), bool),
        model.hash,
    )
    if not _is_other_model(root, shot.indices[0], body, model):
        return body
    joints = _rest_joints(root)
    if joints is None:
        warnings.warn(
            f"{root.name}: the parameters belong to another body model than {model.name}, and there is no "
            "rest skeleton to fit the shape to, so the mean shape is used. Put SMPL_NEUTRAL.pkl into "
            "data/models to use the parameters as they are",
            stacklevel=3,
        )
        return on_model(body, model, np.zeros(10), pelvis)
    warnings.warn(
        f"{root.name}: the parameters belong to another body model than {model.name}; its shape is "
        "fitted to the skeleton. Put SMPL_NEUTRAL.pkl into data/models to use them as they are",
        stacklevel=3,
    )
    body = replace(body, transl=to_standard(Rh, Th, joints[0])[1])
    return on_model(body, model, shape_from_joints(model, joints), joints[0])


def _folder(root: Path, names: tuple[str, ...]) -> Path | None:
    return next((root / name for name in names if (root / name).is_dir()), None)


def _params(path: Path) -> dict[str, np.ndarray]:
    """Rh (3,), Th (3,), poses (72,) and shapes (10,) of one frame."""
    content = read_values(path)
    try:
        row = {key: np.array(content[key], np.float64).ravel() for key in ("Rh", "Th", "poses", "shapes")}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise HvrError(f"{path} holds no Rh, Th, poses and shapes ({error!r}); check the file") from error
    if row["Rh"].size == 9:
        row["Rh"] = Rotation.from_matrix(row["Rh"].reshape(3, 3)).as_rotvec()
    if row["poses"].size == 69:
        row["poses"] = np.concatenate([np.zeros(3), row["poses"]])
    row["shapes"] = row["shapes"][:10]
    sizes = [row[key].size for key in ("Rh", "Th", "poses", "shapes")]
    if sizes != [3, 3, 72, 10] or not all(np.isfinite(value).all() for value in row.values()):
        raise HvrError(
            f"{path}: Rh, Th, poses, shapes have {sizes} values; 3, 3, 72, 10 numbers are expected"
        )
    return row


def _plain(path: Path, width: int) -> np.ndarray:
    """The numbers (N, width) of an .npy."""
    try:
        array = np.load(path, allow_pickle=False).astype(np.float64)
    except DAMAGE as error:
        raise HvrError(f"{path} cannot be read ({error}); get it again") from error
    if array.ndim != 2 or array.shape[1] != width:
        raise HvrError(f"{path} has shape {array.shape}; (N, {width}) is expected")
    return array


def _is_other_model(root: Path, index: int, body: Body, model: BodyModel) -> bool:
    """Whether the root's vertices of one frame differ from those that ``model`` gives for its parameters."""
    folder = _folder(root, VERTICES)
    if folder is None or not (folder / f"{index}.npy").exists():
        return model.name == "open body"
    theirs, ours = _plain(folder / f"{index}.npy", 3), posed(model, body.frame(0))[0][0]
    return theirs.shape != ours.shape or float(np.linalg.norm(theirs - ours, axis=1).mean()) > SAME_MODEL


def _rest_joints(root: Path) -> np.ndarray | None:
    folder = _folder(root, RIGS)
    if folder is None or not (folder / "joints.npy").exists():
        return None
    joints = _plain(folder / "joints.npy", 3)
    if joints.shape != (24, 3):
        raise HvrError(f"{folder / 'joints.npy'} has shape {joints.shape}; 24 joints are expected")
    return joints


def _check_place(body: Body, masks: Masks, model: BodyModel) -> float:
    """Median share of the vertices on the silhouette (docs/formats.md, 6); a warning where it is low."""
    some = spread_indices(len(body), 12)
    shares = []
    for t, vertices in zip(some, posed(model, body.frame(some))[0], strict=True):
        column, row = np.floor(project(vertices, body.camera)).astype(int).T
        height, width = masks.alpha[t].shape
        seen = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        if seen.any():
            shares.append(float((masks.alpha[t][row[seen], column[seen]] > 127).mean()))
    share = float(np.median(shares)) if shares else 0.0
    if share < MIN_INSIDE:
        warnings.warn(
            f"only {100 * share:.0f} % of the body lies on the silhouettes: check that T is in millimetres, "
            "Th in metres, and that the body model is that of the data set",
            stacklevel=3,
        )
    return share
