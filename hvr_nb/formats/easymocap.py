"""EasyMocap's layouts: `annots/<sub>/<frame>.json` and `smpl/<frame>.json` (`specs/nvr.md` 1.1, 1.2).

Its bodies turn about the model's origin, V = R(Rh) LBS(betas, poses) + Th; ours about the pelvis.
With p the rest pelvis: global_orient = Rh, transl = Th + R p - p (EasyMocap issue 469).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hvr_nb.body_model import BodyModel
from hvr_nb.files import atomic, write_json
from hvr_nb.formats.people import frame_index, frame_names, joint_array, load_json, pick_person, with_means
from hvr_nb.types import Body, Camera, HvrError, Keypoints


def _frame_files(folder: Path, names: list[str] | None, count: int) -> tuple[list[str], dict[int, Path]]:
    """Frame names and the file of each frame that has one."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise HvrError(f"{folder} holds no .json files; give the folder with one JSON file a frame")
    names = frame_names(names, count, [file.stem for file in files])
    matched = {frame_index(file.stem, names): file for file in files}
    return names, {i: matched[i] for i in sorted(k for k in matched if k is not None)}


def read_annots(folder: str | Path, *, names: list[str] | None = None, count: int = 0,
                person: int = 0) -> Keypoints:  # fmt: skip
    """Read 2D joints from `annots/<sub>`; the image size stands in the files.

    Args:
        folder: one JSON file a frame. EasyMocap numbers people anew in each frame, so they are
            followed by their boxes.
        names: the clip's frame names, matched to the files by name or number.
        count: instead of names, the number of frames, numbered from 0. With neither, the files'.
        person: 0 is the most prominent person, 1 the next ...

    Raises:
        HvrError: no such files, a damaged one, or not so many people.
    """
    names, files = _frame_files(Path(folder), names, count)
    people: list[list[np.ndarray]] = [[] for _ in names]
    size = (0, 0)
    for index, file in files.items():
        content = load_json(file)
        try:
            size = int(content["width"]), int(content["height"])
            flats = [entry["keypoints"] for entry in content["annots"]]
        except (KeyError, TypeError, ValueError) as error:
            raise HvrError(f"{file} is not an EasyMocap annotation ({error}); check the folder") from error
        people[index] = [with_means(joint_array(flat, file, (25,))) for flat in flats]
    return pick_person(people, size=size, person=person, source="easymocap")


def write_annots(folder: str | Path, keypoints: Keypoints, *, names: list[str], size: tuple[int, int],
                 sub: str = "video", suffix: str = ".jpg") -> Path:  # fmt: skip
    """Write `annots/<sub>/<name>.json` under ``folder``, two decimals as EasyMocap does.

    Args:
        folder: the data root. names: T frame names. size: width, height of the images, pixels.
        sub: the video's sub-folder. suffix: of the image files the annotations name.

    Returns:
        The folder `annots/<sub>`.
    """
    target = Path(folder) / "annots" / sub
    width, height = size
    for t, name in enumerate(names):
        people = [_person(keypoints, t)] if keypoints.found[t] else []
        write_json(target / f"{name}.json", {
            "filename": f"images/{sub}/{name}{suffix}", "height": int(height), "width": int(width),
            "annots": people, "isKeyframe": False,
        })  # fmt: skip
    return target


def _person(keypoints: Keypoints, t: int) -> dict:
    x0, y0, x1, y1 = (round(float(x), 2) for x in keypoints.boxes[t])
    joints = keypoints.points[t]
    return {
        "personID": 0,
        "bbox": [x0, y0, x1, y1, round(float(joints[joints[:, 2] > 0, 2].mean()), 2)],
        "keypoints": [[round(float(x), 2) for x in joint] for joint in joints],
        "area": round(max(x1 - x0, y1 - y0) ** 2, 2),
        "isKeyframe": False,
    }


def rest_pelvis(model: BodyModel, betas: np.ndarray) -> np.ndarray:
    """(3,) the pelvis of the shape in the rest pose, metres."""
    return model.shaped(torch.as_tensor(betas, dtype=torch.float32))[1][0].double().numpy()


def to_standard(Rh: np.ndarray, Th: np.ndarray, pelvis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """EasyMocap's (T, 3) rotation vector and translation to global_orient and transl."""
    return Rh.copy(), Th + Rotation.from_rotvec(Rh).apply(pelvis) - pelvis


def from_standard(global_orient: np.ndarray, transl: np.ndarray, pelvis: np.ndarray):
    """global_orient and transl (T, 3) to EasyMocap's Rh, Th."""
    return global_orient.copy(), transl + pelvis - Rotation.from_rotvec(global_orient).apply(pelvis)


def read_smpl(folder: str | Path, *, camera: Camera, model: BodyModel, names: list[str] | None = None,
              count: int = 0, person: int = 0, in_camera: bool = True) -> Body:  # fmt: skip
    """Read SMPL parameters of one person from `smpl/<frame>.json`.

    Args:
        folder: one JSON file a frame.
        camera: the clip's camera.
        model: the body the parameters belong to; its pelvis enters the conversion.
        names, count: frames, as in ``read_annots``.
        person: the `id` in the files.
        in_camera: the parameters live in the camera's axes, as a monocular fit leaves them;
            False if they already live in the world of ``camera``.

    Returns:
        Body; frames without a file repeat the nearest one and are not valid. One shape: the mean.

    Raises:
        HvrError: no files, a damaged one, or nobody with this id.
    """
    names, files = _frame_files(Path(folder), names, count)
    rows = {index: row for index, file in files.items() if (row := _smpl_row(file, person)) is not None}
    if not rows:
        raise HvrError(f"{folder} has nobody with id {person} in these {len(names)} frames")
    known = np.array(sorted(rows))
    nearest = known[np.abs(np.arange(len(names))[:, None] - known).argmin(1)]
    Rh, Th, poses = (np.stack([rows[i][k] for i in nearest]) for k in ("Rh", "Th", "poses"))
    betas = np.mean([rows[i]["shapes"] for i in known], axis=0)
    if in_camera:
        to_world = Rotation.from_matrix(camera.R.T)
        Rh, Th = (to_world * Rotation.from_rotvec(Rh)).as_rotvec(), to_world.apply(Th - camera.t)
    global_orient, transl = to_standard(Rh, Th, rest_pelvis(model, betas))
    valid = np.isin(np.arange(len(names)), known)
    return Body(betas, global_orient, poses, transl, camera, valid, model.hash)


def _smpl_row(file: Path, person: int) -> dict[str, np.ndarray] | None:
    """Rh (3,), Th (3,), poses (69,) and shapes (10,) of one person; None if it is not in the file."""
    content = load_json(file)
    try:
        people = content["annots"] if isinstance(content, dict) else content
        entry = next((p for p in people if p["id"] == person), None)
        if entry is None:
            return None
        row = {key: np.asarray(entry[key], float).ravel() for key in ("Rh", "Th", "poses", "shapes")}
    except (KeyError, TypeError, ValueError) as error:
        raise HvrError(f"{file} is not an EasyMocap SMPL file ({error}); check the folder") from error
    if len(row["poses"]) == 72:  # later versions put three zeros first
        row["poses"] = row["poses"][3:]
    sizes = {key: len(value) for key, value in row.items()}
    if sizes != {"Rh": 3, "Th": 3, "poses": 69, "shapes": 10} or not all(
        np.isfinite(value).all() for value in row.values()
    ):
        raise HvrError(f"{file}: numbers of values are {sizes}; Rh 3, Th 3, poses 69, shapes 10 are expected")
    return row


def write_smpl(folder: str | Path, body: Body, *, model: BodyModel, names: list[str], person: int = 0,
               in_camera: bool = True, decimals: int = 6) -> Path:  # fmt: skip
    """Write `smpl/<name>.json` under ``folder``, one file for each valid frame.

    Args:
        folder: the data root. names: T frame names. person: the `id` to write.
        body, model: the parameters and the body they belong to.
        in_camera: write them in the camera's axes (what a monocular EasyMocap fit gives).
        decimals: EasyMocap itself writes 3, which loses a millimetre; it reads any number.

    Returns:
        The folder `smpl`.
    """
    Rh, Th = from_standard(body.global_orient, body.transl, rest_pelvis(model, body.betas))
    if in_camera:
        to_camera = Rotation.from_matrix(body.camera.R)
        Rh, Th = (to_camera * Rotation.from_rotvec(Rh)).as_rotvec(), to_camera.apply(Th) + body.camera.t
    target = Path(folder) / "smpl"
    for t in np.flatnonzero(body.valid):
        values = {"Rh": Rh[t], "Th": Th[t], "poses": body.body_pose[t], "shapes": body.betas}
        texts = {key: ", ".join(f"{x:.{decimals}f}" for x in value) for key, value in values.items()}
        entry = ", ".join(f'"{key}": [[{text}]]' for key, text in texts.items())
        with atomic(target / f"{names[t]}.json") as partial:
            partial.write_text(f'[\n    {{"id": {person}, {entry}}}\n]\n')
    return target
