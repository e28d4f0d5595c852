"""Motions of the synthetic person, framed by the camera that will film it."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import OPEN_BODY, BodyModel, load_body_model, posed
from hvr_nb.geometry.camera import default_camera, to_camera
from hvr_nb.subject.person import subject_betas
from hvr_nb.types import Body, Camera

FILL = 0.80  # share of the image height that the person takes
STRIDES_PER_SECOND = 0.95  # two steps each
CLOTHES = 0.03  # metres that hair and soles add to the bare body


def subject_camera(size: int | tuple[int, int] = 512, *, seed: int = 0, focal_ratio: float = 0.0) -> Camera:
    """The true camera of a synthetic clip.

    Args:
        size: image side, or (width, height), pixels.
        seed: draws the focal length, 1.25 to 1.4 times the larger side. That is near the default of the
            pipeline, but not equal to it. focal_ratio: a given ratio instead.
    """
    width, height = (size, size) if np.isscalar(size) else size
    ratio = focal_ratio or np.random.default_rng([seed, 9]).uniform(1.25, 1.4)
    camera = default_camera(int(width), int(height), focal=ratio * max(width, height))
    return Camera(K=camera.K, width=camera.width, height=camera.height, source="truth")


def rotating_motion(
    frames: int,
    *,
    fps: float = 30.0,
    seed: int = 0,
    camera: Camera | None = None,
    betas: np.ndarray | None = None,
    model: BodyModel | None = None,
) -> Body:
    """A full turn in A-pose over the clip, swaying by 4 degrees.

    Args:
        frames: length; the turn takes the whole clip. fps: frames per second, for the pace of the sway.
        seed: draws shape, camera and phase. camera, betas (10,): given ones instead.
        model: None takes the open body.
    """
    time = np.arange(frames) / fps
    phase = np.random.default_rng([seed, 1]).uniform(0, 2 * np.pi)
    sway = np.radians(4) * np.sin(2 * np.pi * 0.5 * time + phase)
    poses = _a_pose(frames)
    poses[:, 3, 2] += 0.3 * sway  # spine1, sideways
    poses[:, 6, 1] += 0.5 * sway
    poses[:, 16, 2] += sway
    poses[:, 17, 2] += sway
    poses[:, 15, 1] += 0.6 * sway
    poses[:, 0] = _yaw(2 * np.pi * np.arange(frames) / max(frames, 1))
    return _framed(poses, np.zeros((frames, 3)), camera, betas, seed, model, grounded=True)


def walking_motion(
    frames: int,
    *,
    fps: float = 30.0,
    seed: int = 0,
    turn: float = 2 * np.pi,
    camera: Camera | None = None,
    betas: np.ndarray | None = None,
    model: BodyModel | None = None,
) -> Body:
    """Walking on the spot while turning by ``turn`` radians; options as ``rotating_motion``, betas (10,)."""
    rng = np.random.default_rng([seed, 2])
    p = 2 * np.pi * STRIDES_PER_SECOND * np.arange(frames) / fps + rng.uniform(0, 2 * np.pi)
    poses = np.zeros((frames, 24, 3))
    poses[:, 0] = _yaw(turn * np.arange(frames) / max(frames, 1))
    for hip, knee, ankle, phase, out in ((1, 4, 7, p, 0.04), (2, 5, 8, p + np.pi, -0.04)):
        poses[:, hip, 0] = -0.10 - 0.40 * np.sin(phase)
        poses[:, hip, 2] = out
        poses[:, knee, 0] = 0.12 + 0.80 * np.clip(np.cos(phase), 0, None) ** 1.5
        poses[:, ankle, 0] = 0.05 - 0.12 * np.sin(phase + 0.6)
    for shoulder, elbow, phase, side in ((16, 18, p + np.pi, 1), (17, 19, p, -1)):
        swing = -0.38 * np.sin(phase)
        down = Rotation.from_rotvec(np.array([0, 0, -side * np.radians(68)]))
        poses[:, shoulder] = (Rotation.from_rotvec(np.outer(swing, [1.0, 0, 0])) * down).as_rotvec()
        poses[:, elbow, 1] = -side * (0.30 + 0.22 * np.clip(np.sin(phase), 0, None))
    poses[:, 3, 1] = 0.10 * np.sin(p)  # the trunk rotates against the legs
    poses[:, 6, 1] = 0.06 * np.sin(p)
    poses[:, 3, 0] = 0.03
    poses[:, 15, 1] = -0.10 * np.sin(p)
    poses[:, 15, 0] = 0.04 * np.cos(2 * p)
    return _framed(poses, np.zeros((frames, 3)), camera, betas, seed, model, grounded=True)


def clip_motion(
    body: Body,
    *,
    seed: int = 0,
    camera: Camera | None = None,
    betas: np.ndarray | None = None,
    model: BodyModel | None = None,
) -> Body:
    """Any SMPL motion with the subject's betas (10,), framed by the subject's camera.

    The motion may be motion capture or another person's clip. Rotations and the shape of the path over
    the ground are kept; distance and height are chosen so that all of it stays in the picture.
    """
    poses = body.poses.reshape(len(body), 24, 3).astype(np.float64)
    return _framed(poses, body.transl - body.transl[:1], camera, betas, seed, model, grounded=False)


def _yaw(angle: np.ndarray) -> np.ndarray:
    """(T, 3) rotation vectors about the vertical, with angles within half a turn."""
    return np.outer((angle + np.pi) % (2 * np.pi) - np.pi, [0.0, 1.0, 0.0])


def _a_pose(frames: int) -> np.ndarray:
    """(T, 24, 3) arms 48 degrees down, feet a little apart."""
    poses = np.zeros((frames, 24, 3))
    poses[:, 1, 2], poses[:, 2, 2] = 0.10, -0.10
    poses[:, 7, 2], poses[:, 8, 2] = -0.10, 0.10
    poses[:, 16, 2], poses[:, 17, 2] = -np.radians(48), np.radians(48)
    poses[:, 18, 1], poses[:, 19, 1] = -0.18, 0.18
    return poses


def _framed(poses, path, camera, betas, seed, model, *, grounded: bool) -> Body:
    """Place a motion before the camera so that the person fills ``FILL`` of the image's height.

    Args:
        poses: (T, 24, 3). path: (T, 3) metres, translation of the motion.
        grounded: put the lowest point of every frame on one floor; otherwise heights are kept.
    """
    model = model or load_body_model(OPEN_BODY)
    camera = camera or subject_camera(seed=seed)
    shape = subject_betas(seed) if betas is None else np.asarray(betas, np.float64)
    flat = poses.reshape(len(poses), 72)
    body = Body(
        betas=shape,
        global_orient=flat[:, :3],
        body_pose=flat[:, 3:],
        transl=path.astype(np.float64),
        camera=camera,
        valid=np.ones(len(poses), bool),
        model_hash=model.hash,
    )
    vertices, joints = (a.astype(np.float64) for a in posed(model, body))
    shift = path - path.mean(0)
    shift = shift - joints[:, :1].mean((0, 1)) * [1, 0, 1] + path.mean(0) * 0
    if grounded:
        shift[:, 1] = path[:, 1] - vertices[..., 1].min(1)
    vertices = vertices - path[:, None] + shift[:, None]
    place = _distance(vertices, camera)
    return Body(**{**body.__dict__, "transl": shift + place})


def _distance(vertices: np.ndarray, camera: Camera) -> np.ndarray:
    """(3,) translation that makes all vertices (T, V, 3) fill ``FILL`` of the image, centred."""
    place = np.array([0.0, 0.0, -3.0])
    # outstretched arms may take more of the width than the person takes of the height
    limit = np.array([0.92 * camera.width, FILL * camera.height])
    for _ in range(12):
        x = to_camera(vertices.reshape(-1, 3) + place, camera)
        near = np.maximum(x[:, 2:], 0.3)
        pixel = camera.K[[0, 1], [0, 1]] * x[:, :2] / near + camera.K[:2, 2]
        margin = CLOTHES * camera.K[0, 0] / np.median(near)
        lo, hi = pixel.min(0) - margin, pixel.max(0) + margin
        place[2] *= 1 + 0.8 * (float(((hi - lo) / limit).max()) - 1)
        metres = np.median(near) / camera.K[0, 0]
        off = (lo + hi) / 2 - camera.K[:2, 2]
        place[:2] -= off * metres * [1, -1]
    return place
