"""EasyMocap's bodies: `smpl/<frame>.json` (docs/formats.md, 5).

They rotate about the origin of the model, V = R(Rh) LBS(betas, poses) + Th; standard SMPL bodies rotate
about the pelvis. With the rest pelvis p: global_orient = Rh, transl = Th + R p - p (EasyMocap issue 469).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import BodyModel
from hvr_nb.body.worlds import from_standard, rest_pelvis, to_standard
from hvr_nb.formats.joints2d.frames import match_pictures
from hvr_nb.formats.joints2d.seen import read_json_content
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.inside import check_names
from hvr_nb.types import Body, Camera, HvrError


def read_smpl(
    folder: str | Path,
    *,
    camera: Camera,
    model: BodyModel,
    names: list[str] | None = None,
    person: int = 0,
    in_camera: bool = True,
) -> Body:
    """Read SMPL parameters of one person from `smpl/<frame>.json`.

    Args:
        folder: one JSON file for each frame.
        camera: the clip's camera.
        model: the model that the parameters belong to; the conversion needs its pelvis.
        names: T frame names of the clip, matched by name or number; None takes the names of the files.
        person: the `id` in the files.
        in_camera: the parameters are in the axes of the camera, as in a monocular fit; False if they are
            in the world of ``camera``.

    Returns:
        Body. Frames without a file repeat the nearest one and are not valid. The shape is the mean.

    Raises:
        HvrError: no files, a damaged one, or nobody with this id.
    """
    names, files = _frame_files(Path(folder), names)
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


def _frame_files(folder: Path, names: list[str] | None) -> tuple[list[str], dict[int, Path]]:
    """Frame names, and the file of each frame that has one."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise HvrError(f"{folder} holds no .json files; give the folder with one JSON file for each frame")
    stems = [file.stem for file in files]
    names = names or stems
    frames, _ = match_pictures(stems, names)
    return names, {i: file for i, file in zip(frames, files, strict=True) if i is not None}


def _smpl_row(file: Path, person: int) -> dict[str, np.ndarray] | None:
    """Rh (3,), Th (3,), poses (69,) and shapes (10,) of one person; None if it is not in the file."""
    content = read_json_content(file)
    try:
        people = content["annots"] if isinstance(content, dict) else content
        entry = next((p for p in people if p["id"] == person), None)
        if entry is None:
            return None
        row = {key: np.asarray(entry[key], float).ravel() for key in ("Rh", "Th", "poses", "shapes")}
    except (KeyError, TypeError, ValueError) as error:
        raise HvrError(f"{file} is not an EasyMocap SMPL file ({error}); check the folder") from error
    if len(row["poses"]) == 72:  # later versions start with three zeros
        row["poses"] = row["poses"][3:]
    sizes = {key: len(value) for key, value in row.items()}
    if sizes != {"Rh": 3, "Th": 3, "poses": 69, "shapes": 10} or not all(
        np.isfinite(value).all() for value in row.values()
    ):
        raise HvrError(f"{file} has {sizes} values; Rh 3, Th 3, poses 69, shapes 10 are expected")
    return row


def write_smpl(
    folder: str | Path,
    body: Body,
    *,
    model: BodyModel,
    names: list[str],
    person: int = 0,
    in_camera: bool = True,
    decimals: int = 6,
) -> Path:
    """Write `smpl/<name>.json` under ``folder``, one file for each valid frame.

    Args:
        folder: the data root. names: T frame names. person: the `id` to write.
        body, model: the parameters and the model that they belong to.
        in_camera: write them in the axes of the camera, as a monocular fit of EasyMocap does.
        decimals: EasyMocap itself writes 3, which loses a millimetre; it reads any number of them.

    Returns:
        The folder `smpl`.
    """
    check_names(names, "the frames' names", "give plain names that differ")
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
