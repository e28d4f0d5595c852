"""PaMIR's folders of pictures to reconstruct, as a clip (docs/pamir.md, 12).

For every stem X: ``X.png`` or ``.jpg``, a square crop; ``X_mask.png``; perhaps ``X_keypoints.json`` of
OpenPose in pixels of the crop, and ``X_smplparams.pkl``. All were seen by PaMIR's camera, 10 units from the
middle of the unit cube, with a focal length of 5000 pixels for a picture of 512.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import BodyModel, load_body_model
from hvr_nb.body.worlds import on_model, rest_pelvis, turned
from hvr_nb.formats.joints2d.openpose import openpose_people
from hvr_nb.geometry.camera import default_camera
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image, read_json
from hvr_nb.store.picture_folder import list_pictures
from hvr_nb.store.safe_pickle import read_values
from hvr_nb.types import MONOCULAR_R, Body, Camera, HvrError, Keypoints, Masks

FOCAL_RATIO, UNITS_AWAY = 5000 / 512, 10.0  # of PaMIR's camera: focal length by the side, distance
USUAL_SCALE = 0.45  # units of the cube in a metre, for folders without bodies
BEYOND = 10.0  # largest size of a number in X_smplparams.pkl


def read_pamir_pictures(
    source: str | Path, clip: str | Path, *, fps: float = 30.0, model: BodyModel | None = None
) -> Clip:
    """Make a clip of such a folder: frames, camera, masks, joints, and bodies where all frames have them.

    Args:
        source: the folder. clip: the clip folder to write. fps: frames per second, for what plays.
        model: whose parameters the bodies are; None takes ``load_body_model()``.

    Raises:
        HvrError: a mask is missing or of another size, pictures differ in size or are not square, or a file
            cannot be read.
    """
    source, model = Path(source), model or load_body_model()
    files = [f for f in list_pictures(source)[0] if not f.stem.endswith("_mask")] if source.is_dir() else []
    if not files:
        raise HvrError(f"{source} holds no pictures; give a folder with X.png and X_mask.png")
    frames = np.stack(list(_of_one_size(files, (read_image(f, remedy="replace it") for f in files))))
    if frames.shape[1] != frames.shape[2]:
        raise HvrError(
            f"{files[0]} is {frames.shape[2]}x{frames.shape[1]}; PaMIR's pictures are square crops"
        )
    alpha = np.stack([_mask(f, frames.shape[1:3]) for f in files])
    names, side = [f.stem for f in files], frames.shape[1]
    joints = [_joints(f.with_name(f"{f.stem}_keypoints.json")) for f in files]
    body, scale = _bodies(files, side, model)
    made = Clip.create(
        clip, frames, fps=fps, names=names, times=np.arange(len(files)) / fps, source={"file": source.name}
    )
    made.save("camera", body.camera if body else cube_camera(side, scale))
    if any(len(j) for j in joints):
        made.save("keypoints", _keypoints(joints))
    made.save("masks", Masks(alpha=alpha, source="PaMIR's folder"))
    if body:
        made.save("body", body)
    return made


def cube_camera(side: int, scale: float) -> Camera:
    """PaMIR's camera for crops of ``side`` pixels, in metres, of a cube with ``scale`` units in a metre."""
    camera = default_camera(side, side, focal=FOCAL_RATIO * side)
    return replace(camera, t=np.array([0, 0, UNITS_AWAY / scale]))


def _of_one_size(files, images):
    first = None
    for file, image in zip(files, images, strict=True):
        image = np.repeat(image[..., None], 3, 2) if image.ndim == 2 else image
        first = image.shape if first is None else first
        if image.shape != first or image.dtype != np.uint8:
            raise HvrError(f"{file} is no 8-bit picture of {first[1]}x{first[0]} pixels like those before it")
        yield image


def _mask(file: Path, size: tuple[int, int]) -> np.ndarray:
    path = file.with_name(f"{file.stem}_mask.png")
    mask = read_image(path, remedy=f"PaMIR needs a mask for {file.name}")
    mask = mask[..., 0] if mask.ndim == 3 else mask
    if mask.shape != size or mask.dtype != np.uint8:
        raise HvrError(
            f"{path} is {mask.shape[1]}x{mask.shape[0]}, {file.name} {size[1]}x{size[0]}; make it anew"
        )
    return mask


def _joints(path: Path) -> np.ndarray:
    """(25, 3) of the first person, or (0, 3) where there is none."""
    if not path.is_file():
        return np.zeros((0, 3))
    content = read_json(path, remedy="run OpenPose again")
    try:
        people = openpose_people(content)
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise HvrError(f"{path} is not OpenPose's ({error!r}); run OpenPose again") from error
    if people and people[0].shape != (25, 3):
        raise HvrError(f"{path} has {len(people[0])} joints; PaMIR's are OpenPose's BODY_25")
    return people[0] if people else np.zeros((0, 3))


def _keypoints(joints: list[np.ndarray]) -> Keypoints:
    found = np.array([len(j) > 0 for j in joints])
    points = np.stack([j if len(j) else np.zeros((25, 3)) for j in joints])
    points[..., 2] = points[..., 2].clip(0, 1)
    known = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
    boxes = np.full((len(joints), 4), np.nan)
    boxes[found] = np.concatenate([np.nanmin(known[found], 1), np.nanmax(known[found], 1)], 1)
    return Keypoints(points, np.zeros(points.shape[:2], bool), found, boxes, source="openpose")


def _bodies(files: list[Path], side: int, model: BodyModel) -> tuple[Body | None, float]:
    """The body of all frames in metres, and units in a metre; None where a frame has none."""
    paths = [f.with_name(f"{f.stem}_smplparams.pkl") for f in files]
    if not all(path.is_file() for path in paths):
        return None, USUAL_SCALE
    rows = [_parameters(path) for path in paths]
    scales = np.array([row["scale"] for row in rows])
    scale, betas = float(np.median(scales)), np.median([row["betas"] for row in rows], 0)
    poses = np.stack([row["pose"] for row in rows])
    places = np.stack([row["place"] for row in rows])
    flip = rows[0]["flipped"]
    body = Body(
        betas,
        poses[:, :3],
        poses[:, 3:],
        np.zeros((len(rows), 3)),
        cube_camera(side, scale),
        np.ones(len(rows), bool),
        model.hash,
    )
    pelvis = rest_pelvis(model, betas)
    if rows[0]["model"] != model.hash and model.name == "open body":
        warnings.warn(
            f"{files[0].parent.name}: its shapes belong to SMPL; the open body takes the mean shape. "
            "Put SMPL_NEUTRAL.pkl into data/models to use them",
            stacklevel=3,
        )
        betas = np.zeros(10)
        body = on_model(body, model, betas, pelvis)
        pelvis = rest_pelvis(model, betas)
    if flip:  # y down and z away, as PaMIR's own estimator gives it
        camera = body.camera
        body = replace(turned(body, MONOCULAR_R, pelvis), camera=camera)
    away = np.zeros((len(rows), 3))
    away[:, 2] = UNITS_AWAY / scale - UNITS_AWAY / scales  # every frame as far as it is large
    return replace(body, transl=body.transl + places / scales[:, None] + away), scale


def _parameters(path: Path) -> dict:
    values = read_values(path)
    try:
        if not isinstance(values, dict):
            raise ValueError(f"a {type(values).__name__}")
        betas = np.asarray(values["betas"], float).reshape(-1)[:10]
        pose = np.asarray(values["body_pose"], float)
        if pose.size == 216:
            pose = Rotation.from_matrix(pose.reshape(24, 3, 3)).as_rotvec()
        sizes = np.asarray(values["body_scale"], float).ravel()
        place = np.asarray(values["global_body_translation"], float).reshape(3)
        if (
            len(betas) != 10
            or sizes.size not in (1, 3)
            or not np.allclose(np.abs(sizes), abs(sizes[0]), rtol=1e-3)
        ):
            raise ValueError("betas or body_scale of another shape")
        flipped = sizes.size == 3 and bool(sizes[1] < 0)
        row = {"betas": betas, "pose": pose.reshape(72), "place": place, "scale": abs(float(sizes[0]))}
        if (
            not all(np.isfinite(x).all() and np.abs(x).max() < BEYOND for x in row.values())
            or row["scale"] < 1e-3
        ):
            raise ValueError("a number out of range")
    except (KeyError, TypeError, ValueError) as error:
        raise HvrError(f"{path} holds no parameters of PaMIR's ({error}); make it anew") from error
    return row | {"flipped": flipped, "model": values.get("model_hash", "")}
