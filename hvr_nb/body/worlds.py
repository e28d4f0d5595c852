"""Bodies of other data sets: another world, EasyMocap's parameters, or the shape of another model file.

Data sets give their poses for the licensed SMPL. Joint rotations carry over to the open body, `betas`
do not: the shape is found again from the skeleton or the height in the data (docs/body.md, 7).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hvr_nb.body.kinematics import rig_of
from hvr_nb.body.model import BodyModel
from hvr_nb.types import Body, Camera

STIFFNESS = 1e-3  # metres of error in the skeleton that weigh as much as one unit of beta


def turned_camera(camera: Camera, turn: np.ndarray) -> Camera:
    """The camera in the world ``turn @ x``, turn (3, 3)."""
    return replace(camera, R=camera.R @ turn.T)


def turned(body: Body, turn: np.ndarray, pelvis: np.ndarray) -> Body:
    """Body and camera in the world ``turn @ x``.

    Args:
        turn: (3, 3) rotation. pelvis: (3,) of the body's shape at rest, metres.
    """
    turn = np.asarray(turn, float)
    orient = (Rotation.from_matrix(turn) * Rotation.from_rotvec(body.global_orient)).as_rotvec()
    return replace(
        body,
        global_orient=orient,
        transl=(body.transl + pelvis) @ turn.T - pelvis,
        camera=turned_camera(body.camera, turn),
    )


def upright_turn(joints: np.ndarray) -> np.ndarray:
    """(3, 3) quarter or half turn that takes the axis nearest to the person's own up direction to +Y.

    Args:
        joints: (T, 24, 3) SMPL joints, metres, in any world.
    """
    up = (joints[:, 12] - joints[:, [7, 8]].mean(1)).mean(0)
    axis = int(np.abs(up).argmax())
    degrees = {
        (0, 1): ("z", 90),
        (0, -1): ("z", -90),
        (1, 1): ("x", 0),
        (1, -1): ("x", 180),
        (2, 1): ("x", -90),
        (2, -1): ("x", 90),
    }[axis, 1 if up[axis] > 0 else -1]
    return np.rint(Rotation.from_euler(*degrees, degrees=True).as_matrix())


def shape_from_joints(model: BodyModel, joints: np.ndarray) -> np.ndarray:
    """(10,) betas whose rest skeleton is nearest to ``joints`` (24, 3), metres, up to a translation."""
    rig = rig_of(model)
    slopes = (rig.directions - rig.directions[0]).reshape(72, 10)
    wanted = ((joints - joints[0]) - (rig.joints - rig.joints[0])).reshape(72)
    A = np.concatenate([slopes, STIFFNESS * np.eye(10)])
    return np.linalg.lstsq(A, np.concatenate([wanted, np.zeros(10)]), rcond=None)[0]


def shape_from_height(model: BodyModel, height: float) -> np.ndarray:
    """(10,) smallest betas with which the body in the rest pose is ``height`` metres tall."""
    y = model.v_template[:, 1]
    top, bottom = int(y.argmax()), int(y.argmin())
    slope = (model.shapedirs[top, 1] - model.shapedirs[bottom, 1]).double().numpy()
    return slope * (height - float(y[top] - y[bottom])) / (slope @ slope)


def on_model(body: Body, model: BodyModel, betas: np.ndarray, pelvis: np.ndarray) -> Body:
    """``body`` with the shape ``betas`` (10,) of ``model``; its pelvis stays where it was.

    Args:
        pelvis: (3,) rest pelvis of the model that the body was made for, metres.
    """
    moved = body.transl + pelvis - rest_pelvis(model, betas)
    return replace(body, betas=betas, transl=moved, model_hash=model.hash)


def rest_pelvis(model: BodyModel, betas: np.ndarray) -> np.ndarray:
    """(3,) pelvis of the shape in the rest pose, metres."""
    return model.shaped(torch.as_tensor(betas, dtype=torch.float32))[1][0].double().numpy()


def to_standard(Rh: np.ndarray, Th: np.ndarray, pelvis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``global_orient`` and ``transl`` (T, 3) of EasyMocap's ``Rh`` and ``Th`` (T, 3).

    Args:
        pelvis: (3,) rest pelvis, metres.
    """
    return Rh.copy(), Th + Rotation.from_rotvec(Rh).apply(pelvis) - pelvis


def from_standard(global_orient: np.ndarray, transl: np.ndarray, pelvis: np.ndarray):
    """EasyMocap's ``Rh`` and ``Th`` (T, 3) of ``global_orient`` and ``transl`` (T, 3)."""
    return global_orient.copy(), transl + pelvis - Rotation.from_rotvec(global_orient).apply(pelvis)
