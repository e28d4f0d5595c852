"""AMASS motion files: ``poses``, ``trans``, ``betas``, ``mocap_framerate`` in one npz (docs/formats.md, 9).

SMPL files have 72 pose values per frame, SMPL-H 156 and SMPL-X 165. The 22 joints of the body come first
in all of them; the hands are dropped. The AMASS archives have Z up (argument ``up``).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.motion import resample
from hvr_nb.formats.motion.up import stand_up
from hvr_nb.geometry.camera import default_camera
from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import DAMAGE, Body, HvrError, check_fps

WIDTHS = (72, 156, 165)
BODY_JOINTS = 22  # joints that SMPL, SMPL-H and SMPL-X share, root first
LONGEST = 1_000_000  # frames; a longer file counts as damaged


def read_motion(path: str | Path, *, fps: float | None = None, up: str = "y") -> Body:
    """Read a motion; it is resampled by slerp if ``fps`` is given.

    Args:
        path: npz with ``poses`` (T, 72, 156 or 165) radians, ``trans`` (T, 3) metres, and optionally
            ``betas`` and ``mocap_framerate`` (or ``mocap_frame_rate``; 60 if absent).
        fps: frames per second of the result; None keeps those of the file.
        up: vertical axis of the file, "z" in the AMASS archives; "" finds it out. The result has Y up.

    Returns:
        Body at its position in the file, with a default 512x512 camera.

    Raises:
        HvrError: the file is missing, damaged, holds pickled objects or is not a motion.
    """
    arrays = _read(Path(path))
    poses, trans = arrays["poses"], arrays["trans"]
    pose = np.zeros((len(poses), 69))
    kept = poses[:, 3:] if poses.shape[1] == 72 else poses[:, 3 : 3 * BODY_JOINTS]
    pose[:, : kept.shape[1]] = kept
    betas = np.zeros(10)
    given = arrays.get("betas", betas).ravel()[:10]
    betas[: len(given)] = given
    body = Body(
        betas=betas,
        global_orient=poses[:, :3].copy(),
        body_pose=pose,
        transl=trans,
        camera=default_camera(512, 512),
        valid=np.ones(len(poses), bool),
    )
    rates = np.ravel(arrays.get("mocap_framerate", arrays.get("mocap_frame_rate", 60.0)))
    if len(rates) != 1 or not 0 < rates[0] < 10_000:
        raise HvrError(f"{path}: the frame rate is {rates[:4]}; correct mocap_framerate")
    rate = float(rates[0])
    return at_rate(stand_up(body, up, path), rate, fps)


def at_rate(body: Body, rate: float, fps: float | None) -> Body:
    """A motion of ``rate`` frames per second resampled to ``fps`` by slerp; None leaves it as it is."""
    if fps is None or fps == rate:
        return body
    check_fps(fps)
    wanted = np.arange(0, (len(body) - 1) / rate + 1e-9, 1 / fps) * rate
    return resample(body, np.arange(len(body)), wanted)


def write_motion(body: Body, path: str | Path, *, fps: float) -> Path:
    """Write a body's motion as an AMASS-style SMPL npz (72 pose values); returns ``path``."""
    path = Path(path)
    if path.suffix != ".npz":
        raise HvrError(f"{path}: motions are written as .npz")
    with atomic(path) as partial:
        np.savez_compressed(
            partial,
            poses=body.poses,
            trans=body.transl,
            betas=body.betas,
            mocap_framerate=np.float64(fps),
            gender=np.str_("neutral"),
        )
    return path


def place_motion(motion: Body, like: Body) -> Body:
    """A motion with the position, shape and camera of another body.

    In its first frame the person stands upright where ``like`` stands in its first frame, facing the camera.
    The path over the ground is kept.

    Args:
        motion: any motion with Y up. like: the body that gets the motion.
    """
    camera = like.camera
    up, towards = np.array([0.0, 1.0, 0.0]), -camera.R[2]
    first = Rotation.from_rotvec(motion.global_orient[0])
    turn = Rotation.from_rotvec(up * (_heading(towards) - _heading(first.apply([0.0, 0.0, 1.0]))))
    orient = (turn * Rotation.from_rotvec(motion.global_orient)).as_rotvec()
    shift = turn.apply(motion.transl - motion.transl[0])
    return replace(
        motion,
        betas=like.betas,
        global_orient=orient,
        transl=like.transl[0] + shift,
        camera=camera,
        model_hash=like.model_hash,
    )


def _heading(direction: np.ndarray) -> float:
    """Heading of a direction (3,): angle about Y, radians, 0 along +z."""
    return float(np.arctan2(direction[0], direction[2]))


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = ("poses", "trans", "betas", "mocap_framerate", "mocap_frame_rate")
            arrays = {key: np.asarray(file[key], np.float64) for key in wanted if key in file.files}
    except FileNotFoundError:
        raise HvrError(f"{path} is missing; check the path of the motion") from None
    except DAMAGE as error:
        raise HvrError(f"{path} cannot be read as a motion ({error}); use an npz of plain arrays") from error
    poses, trans = arrays.get("poses"), arrays.get("trans")
    if poses is None or trans is None:
        raise HvrError(f"{path} has no `poses` and `trans`; it is not an AMASS-style motion")
    if poses.ndim != 2 or poses.shape[1] not in WIDTHS or trans.shape != (len(poses), 3):
        raise HvrError(
            f"{path}: poses {poses.shape} and trans {trans.shape} are not (T, 72, 156 or 165) and (T, 3)"
        )
    if not 0 < len(poses) <= LONGEST or not (np.isfinite(poses).all() and np.isfinite(trans).all()):
        raise HvrError(f"{path} holds no frames, too many, or values that are not finite; export it again")
    return arrays
