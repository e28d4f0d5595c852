"""BVH motions as SMPL poses, and SMPL bodies as BVH files (docs/formats.md, 9).

Joints are recognised by their names (CMU, Mixamo, SMPL and similar ones). At rest each SMPL bone is aligned
with a bone of the file; then it takes the world rotations of that bone relative to its rest pose. So an
A-pose skeleton can drive a T-pose one, and other spines and twist bones do not matter.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hvr_nb.body.kinematics import pose_rig, rig_of
from hvr_nb.body.model import BodyModel, check_fitted_with, load_body_model
from hvr_nb.body.motion import resample, unwrap_rotations
from hvr_nb.formats.motion.amass import at_rate
from hvr_nb.formats.motion.bvh_file import Bvh, format_bvh, parse_bvh
from hvr_nb.formats.motion.bvh_names import smpl_joints
from hvr_nb.formats.motion.up import stand_up
from hvr_nb.geometry.camera import default_camera
from hvr_nb.store.times import frame_seconds, steady_seconds
from hvr_nb.types import SMPL_JOINT_NAMES, Body, HvrError

UNITS = 100.0  # units per metre in the files written here: centimetres, as in Mixamo and most programs
# SMPL joints of each limb in order, and those that follow the last bone at rest (hands, but not feet)
_LIMBS = (((1, 4, 7), ()), ((2, 5, 8), ()), ((16, 18, 20), (20, 22)), ((17, 19, 21), (21, 23)))
_SNAP = np.radians(20)  # a rest pose that faces an axis this closely faces it exactly


def read_bvh(
    path: str | Path,
    *,
    model: BodyModel | None = None,
    fps: float | None = None,
    betas: np.ndarray | None = None,
    up: str = "y",
) -> Body:
    """Read a motion as a Body in metres; the skeleton of the file is scaled to the size of the model.

    Args:
        path: the .bvh file, in any unit of length.
        model: None takes ``load_body_model()``. betas: (10,) shape of the result; None for the mean.
        fps: frames per second of the result; None keeps those of the file.
        up: vertical axis of the file, "y", "z" ...; "" finds it out. The result has Y up.

    Returns:
        Body at its position in the file, with a default 512x512 camera.

    Raises:
        HvrError: a line is wrong, or joints were not recognised; the message names them.
    """
    path, model = Path(path), model or load_body_model()
    bvh = parse_bvh(path)
    betas = np.zeros(10) if betas is None else np.asarray(betas, np.float64)
    rest = rig_of(model).rest(betas)
    found = smpl_joints(bvh, path)
    turns, joints = bvh.pose()
    world = _world_turns(bvh.rest(), turns, found, rest, model.parents)
    if not np.isfinite(world).all():
        raise HvrError(
            f"{path}: at rest the hips, or the joints of a limb, lie at one point, so it faces nowhere; "
            "export the motion with a T-pose or A-pose as its rest pose"
        )
    local = np.array(world)
    for k in range(1, 24):
        local[:, k] = world[:, model.parents[k]].swapaxes(1, 2) @ world[:, k]
    size = _size(rest, {k: k for k in found}) / _size(bvh.rest(), found)
    here = pose_rig(rig_of(model), local, np.zeros((len(local), 3)), betas).joints
    transl = size * joints[:, [found[1], found[2]]].mean(1) - here[:, [1, 2]].mean(1)
    poses = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)
    poses = np.stack([unwrap_rotations(poses[:, k]) for k in range(24)], 1)
    body = Body(
        betas,
        poses[:, 0],
        poses[:, 1:].reshape(-1, 69),
        transl,
        default_camera(512, 512),
        np.ones(len(poses), bool),
        model.hash,
    )
    return at_rate(stand_up(body, up, path), bvh.fps, fps)


def write_bvh(
    path: str | Path, body: Body, model: BodyModel, fps: float, *, times: np.ndarray | None = None
) -> Path:
    """Write the motion of a body, on the skeleton of its shape, in centimetres; returns ``path``.

    Where ``times`` (T,), seconds, have a varying rate, the motion is resampled at the mean rate ``fps``.
    """
    path = Path(path)
    if path.suffix.lower() != ".bvh":
        raise HvrError(f"{path}: BVH motions are written as .bvh")
    seconds = frame_seconds(len(body), fps=fps, times=times)
    if len(body) and not np.array_equal(steady := steady_seconds(seconds, fps), seconds):
        body = resample(body, seconds, steady)
    check_fitted_with(model, body)
    rest = model.shaped(torch.as_tensor(body.betas, dtype=torch.float32))[1].double().numpy() * UNITS
    offsets = rest - rest[[max(p, 0) for p in model.parents]]
    offsets[0] = rest[0]
    translations = np.repeat(offsets[None], len(body), axis=0)
    translations[:, 0] += body.transl * UNITS
    rotations = Rotation.from_rotvec(body.poses.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    ends = {j: offsets[j] for j in range(24) if j not in model.parents}
    return format_bvh(Bvh(SMPL_JOINT_NAMES, model.parents, offsets, translations, rotations, ends, fps), path)


def _world_turns(
    rest: np.ndarray, turns: np.ndarray, found: dict[int, int], smpl: np.ndarray, parents: tuple[int, ...]
) -> np.ndarray:
    """World rotations (T, 24, 3, 3) of the SMPL joints.

    Args:
        rest: (J, 3) joints of the file at rest. turns: (T, J, 3, 3) its world rotations relative to rest.
        found: SMPL joint -> joint of the file. smpl: (24, 3) rest joints of the body. parents: 24.
    """
    lays, world = _lays(rest, found, smpl), np.empty((len(turns), 24, 3, 3))
    for k in range(24):  # a joint that the file lacks moves with its parent
        world[:, k] = turns[:, found[k]] @ lays[k] if k in found else world[:, parents[k]]
    return world


def _lays(rest: np.ndarray, found: dict[int, int], smpl: np.ndarray) -> np.ndarray:
    """(24, 3, 3) rotation of each SMPL joint that aligns the body at rest with the rest pose of the file."""
    lays = np.repeat(_facing(rest, smpl, found)[None], 24, axis=0)
    for limb, followers in _LIMBS:
        lay = lays[limb[0]]
        for a, b in zip(limb[:-1], limb[1:], strict=True):
            bone = rest[found[b]] - rest[found[a]] if b in found else np.zeros(3)
            if bone.any():
                lay = _least_turn(lay @ (smpl[b] - smpl[a]), bone) @ lay
            lays[a] = lay
        lays[list(followers)] = lay
    return lays


def _facing(rest: np.ndarray, smpl: np.ndarray, found: dict[int, int]) -> np.ndarray:
    """(3, 3) rotation of the body at rest to the rest pose of the file, exactly to an axis if near it."""
    theirs = _frame(rest[found[1]], rest[found[2]], rest[[found[16], found[17]]].mean(0))
    turn = theirs @ _frame(smpl[1], smpl[2], smpl[[16, 17]].mean(0)).T
    plain = np.zeros((3, 3))
    plain[np.abs(turn).argmax(0), range(3)] = np.sign(turn[np.abs(turn).argmax(0), range(3)])
    near = np.linalg.det(plain) > 0.5 and (np.trace(plain.T @ turn) - 1) / 2 > np.cos(_SNAP)
    return plain if near else turn


def _frame(left: np.ndarray, right: np.ndarray, top: np.ndarray) -> np.ndarray:
    """(3, 3) columns left, up, forward of a person with hips ``left``, ``right`` and chest ``top`` (3,)."""
    x = (left - right) / np.linalg.norm(left - right)
    z = np.cross(x, top - (left + right) / 2)
    z /= np.linalg.norm(z)
    return np.stack([x, np.cross(z, x), z], 1)


def _least_turn(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(3, 3) smallest rotation of the direction ``source`` (3,) to ``target`` (3,)."""
    a, b = source / np.linalg.norm(source), target / np.linalg.norm(target)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis)
    angle = np.arctan2(sine, a @ b)
    if sine < 1e-12:
        return np.eye(3) if a @ b > 0 else Rotation.from_rotvec(np.pi * _across(a)).as_matrix()
    return Rotation.from_rotvec(angle * axis / sine).as_matrix()


def _across(a: np.ndarray) -> np.ndarray:
    side = np.cross(a, np.eye(3)[np.abs(a).argmin()])
    return side / np.linalg.norm(side)


def _size(joints: np.ndarray, found: dict[int, int]) -> float:
    """Size of a skeleton at rest: thigh and shin (mean of both sides) plus trunk from hips to shoulders."""

    def point(k: int) -> np.ndarray:
        return joints[found[k]]

    legs = [np.linalg.norm(point(a) - point(b)) for a, b in ((1, 4), (2, 5), (4, 7), (5, 8)) if b in found]
    trunk = (point(16) + point(17) - point(1) - point(2)) / 2
    return float(sum(legs) / 2 + np.linalg.norm(trunk))
