"""A moving body, the exact keypoints that a detector would give of it, and errors of a fit."""

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.kinematics import pose_rig
from hvr_nb.body.landmarks import blazepose_table, body25_table, place_landmarks
from hvr_nb.body.model import posed
from hvr_nb.body.motion import unwrap_rotations
from hvr_nb.geometry.camera import default_camera, project, to_camera
from hvr_nb.metrics.images import mpjpe, pa_mpjpe
from hvr_nb.types import Body, Keypoints

SIZE, FPS = 192, 30.0


def motion(model, frames, *, turn=0.0, start=0.0):
    """A person in A-pose with swinging legs, turning by ``turn`` radians over the clip."""
    poses, time = np.zeros((frames, 24, 3)), np.arange(frames) / FPS
    poses[:, 0, 1] = start + turn * np.arange(frames) / max(frames - 1, 1)
    swing = 0.35 * np.sin(2 * np.pi * time)
    poses[:, 1, 0], poses[:, 2, 0] = -0.15 + swing, -0.15 - swing
    poses[:, 4, 0], poses[:, 5, 0] = 0.35 - swing, 0.35 + swing
    poses[:, 16, 2], poses[:, 17, 2], poses[:, 18, 1], poses[:, 19, 1] = -0.9, 0.9, -0.5, 0.5
    flat = poses.reshape(frames, 72)
    camera = default_camera(SIZE, SIZE)
    return Body(
        betas=np.zeros(10),
        global_orient=unwrap_rotations(flat[:, :3]),
        body_pose=flat[:, 3:],
        transl=np.tile([0.05, 0.2, -2.9], (frames, 1)),
        camera=camera,
        valid=np.ones(frames, bool),
        model_hash=model.hash,
    )


def seen(body, rig, model, *, landmarks=True):
    """Exact keypoints of a body, as BlazePose or as imported BODY_25."""
    turns = Rotation.from_rotvec(body.poses.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    pose = pose_rig(rig, turns, body.transl, body.betas)
    table = blazepose_table() if landmarks else body25_table(model)
    points = place_landmarks(table, rig, pose, body.betas).points
    pixels = np.concatenate([project(points, body.camera), np.ones((*points.shape[:2], 1))], 2)
    n = len(body)
    empty = {"filled": np.zeros((n, 25), bool), "found": np.ones(n, bool), "boxes": np.zeros((n, 4))}
    if not landmarks:
        return Keypoints(points=pixels, source="openpose", **empty)
    hips = table.rows("left_hip", "right_hip")
    world = to_camera(points, body.camera)
    world = world - world[:, hips].mean(1, keepdims=True)
    return Keypoints(points=np.zeros((n, 25, 3)), landmarks=pixels, world=world, **empty)


def errors(model, fit, truth):
    a, b = posed(model, fit)[1], posed(model, truth)[1]
    return mpjpe(a, b), pa_mpjpe(a, b)
