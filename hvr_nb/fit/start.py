"""The start of a monocular fit: observations, orientation of the root, translation (docs/fit.md, 4).

Also the exchanged legs of a detector, which have to be found before the fit (docs/fit.md, 5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.kinematics import Rig, pose_rig
from hvr_nb.body.landmarks import LandmarkTable, blazepose_table, place_landmarks
from hvr_nb.geometry.camera import similarity
from hvr_nb.types import Camera, HvrError, Joints3D, Keypoints

TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
LEG_PARTS = ("knee", "ankle", "heel", "foot_index", "toe")


@dataclass(frozen=True)
class Opinion:
    """A 3D skeleton of N frames, of unknown position and size, to compare the body's bones with."""

    table: LandmarkTable  # its J points on the body
    points: np.ndarray  # (N, J, 3) metres at its own size, world axes
    known: np.ndarray  # (N,) 1.0, or 0.0 in frames without a skeleton


@dataclass(frozen=True)
class Evidence:
    """What was observed in the N frames in which the person was found."""

    frames: np.ndarray  # (N,) indices into the clip
    rays: np.ndarray  # (N, L, 2) landmarks on the plane at depth 1 of the clip's camera
    conf: np.ndarray  # (N, L) 0..1, 0 where a landmark is not used
    world: np.ndarray | None  # (N, L, 3) metres at the detector's canonical size, world axes, mid-hip origin
    seconds: np.ndarray  # (N,) when, since the first frame of the clip
    table: LandmarkTable
    bones: Opinion | None = None  # a lifted skeleton, see hvr_nb.fit.bones
    shape: np.ndarray | None = None  # (10,) betas whose bones are kept

    @property
    def unbroken(self) -> np.ndarray:
        """(N - 2,) 1.0 where three entries in a row are consecutive frames of the clip, else 0.0."""
        step = np.diff(self.frames) == 1
        return (step[1:] & step[:-1]).astype(np.float64)

    def at(self, which) -> Evidence:
        """The evidence of some of the frames, by a slice or their places (K,)."""
        bones = self.bones
        if bones is not None:
            bones = replace(bones, points=bones.points[which], known=bones.known[which])
        return replace(
            self,
            frames=self.frames[which],
            rays=self.rays[which],
            conf=self.conf[which],
            world=None if self.world is None else self.world[which],
            seconds=self.seconds[which],
            bones=bones,
        )


def gather(keypoints: Keypoints, camera: Camera, table: LandmarkTable, seconds: np.ndarray) -> Evidence:
    """Choose the usable frames and undistort the landmarks to the plane at depth 1; ``seconds`` is (T,).

    Raises:
        HvrError: no frame has six joints.
    """
    points = keypoints.points if keypoints.landmarks is None else keypoints.landmarks
    conf = np.where(np.isfinite(points).all(-1), points[..., 2], 0.0) * np.isfinite(table.sigma)
    frames = np.flatnonzero(keypoints.found & ((conf > 0.1).sum(1) >= 6))
    if not len(frames):
        raise HvrError("the keypoints show no person with six joints in any frame; look at 01_keypoints")
    uv = np.nan_to_num(points[frames, :, :2]).astype(np.float64)
    rays = cv2.undistortPoints(uv.reshape(-1, 1, 2), camera.K, camera.dist).reshape(uv.shape)
    world = None
    if keypoints.world is not None and keypoints.landmarks is not None:
        world = np.nan_to_num(_along_the_ray(keypoints.world[frames], rays, table) @ camera.R)
    return Evidence(
        frames=frames,
        rays=rays,
        conf=np.clip(conf[frames], 0, 1),
        world=world,
        seconds=seconds[frames],
        table=table,
    )


def _along_the_ray(world: np.ndarray, rays: np.ndarray, table: LandmarkTable) -> np.ndarray:
    """World landmarks (N, L, 3) in the camera's axes: the detector gives them in those of its crop.

    The axis of the crop is the ray to the hips.
    """
    hips = rays[:, table.rows("left_hip", "right_hip")].mean(1)
    z = np.concatenate([hips, np.ones((len(hips), 1))], 1)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    axis = np.cross([0.0, 0.0, 1.0], z)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    R = Rotation.from_rotvec(axis / np.maximum(sine, 1e-9) * np.arctan2(sine, z[:, 2:])).as_matrix()
    return np.einsum("nij,nlj->nli", R, world.astype(np.float64))


def rest_landmarks(rig: Rig, table: LandmarkTable) -> np.ndarray:
    """(L, 3) landmarks of the mean body in the rest pose, metres."""
    pose = pose_rig(rig, np.broadcast_to(np.eye(3), (1, 24, 3, 3)), np.zeros((1, 3)), np.zeros(10))
    return place_landmarks(table, rig, pose, np.zeros(10)).points[0]


def torso_orientation(evidence: Evidence, rig: Rig) -> np.ndarray:
    """(N, 3, 3) rotation of the pelvis in every frame, by aligning shoulders and hips (Umeyama 1991).

    They are aligned with the detector's 3D landmarks or, without those, with the lifter's.
    """
    own = evidence.world is not None
    table, points = (evidence.table, evidence.world) if own else (evidence.bones.table, evidence.bones.points)
    rows = table.rows(*TORSO)
    rest = rest_landmarks(rig, table)[rows]
    R = np.stack([similarity(rest, target)[1] for target in points[:, rows]])
    return without_outliers(R, evidence.frames)


def without_outliers(R: np.ndarray, frames: np.ndarray, *, reach: int = 3, limit: float = 1.2) -> np.ndarray:
    """Rotations (N, 3, 3) with outliers replaced by the mean of their neighbours.

    Args:
        frames: (N,) indices into the clip. reach: frames to either side that count as neighbours.
        limit: radians from the mean beyond which a frame is an outlier, if the neighbours agree.
    """
    turned = Rotation.from_matrix(R)
    out = R.copy()
    for k in range(len(R)):
        near = np.flatnonzero((np.abs(frames - frames[k]) <= reach) & (np.arange(len(R)) != k))
        if len(near) >= 3:
            mean = turned[near].mean()
            spread = np.median((turned[near] * mean.inv()).magnitude())
            if spread < limit / 2 and (turned[k] * mean.inv()).magnitude() > limit:
                out[k] = mean.as_matrix()
    return out


def facing_from_2d(evidence: Evidence, rig: Rig, camera: Camera, *, steps: int = 24) -> np.ndarray:
    """(N, 3, 3) rotation of the pelvis from 2D alone: the best smooth path over ``steps`` upright headings.

    A mean body is aligned with every frame at every heading. Face and feet tell front from back and
    left from right. Viterbi's algorithm finds the path; more than 60 degrees between frames are penalised.
    """
    rest, up = rest_landmarks(rig, evidence.table), camera.R @ [0.0, 1.0, 0.0]
    upright = _frame_with_up(up)
    headings = Rotation.from_rotvec(np.arange(steps)[:, None] * [0.0, 2 * np.pi / steps, 0.0]).as_matrix()
    in_camera = upright @ headings
    names = evidence.table.names
    torso_like = np.array([not any(k in n for k in ("wrist", "elbow")) for n in names])
    weight = evidence.conf * torso_like
    cost = np.stack([_laid_over(rest @ R.T, evidence.rays, weight) for R in in_camera], 1)
    turn = np.abs(np.arange(steps)[:, None] - np.arange(steps))
    turn = np.minimum(turn, steps - turn) * 2 * np.pi / steps
    path = _viterbi(cost, 0.5 * turn**2 + 2.0 * np.maximum(turn - 1.05, 0))
    return camera.R.T @ in_camera[path]


def _frame_with_up(up: np.ndarray) -> np.ndarray:
    """(3, 3) rotation whose y axis is ``up`` (camera axes) and whose z axis faces the camera."""
    y = up / np.linalg.norm(up)
    x = np.cross(y, [0.0, 0.0, -1.0])
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], 1)


def _laid_over(shape: np.ndarray, rays: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(N,) mean robust distance of a body (L, 3) from rays (N, L, 2) after the best shift and scale."""
    w = weight / np.maximum(weight.sum(1, keepdims=True), 1e-6)
    a = shape[None, :, :2] - np.einsum("nl,ld->nd", w, shape[:, :2])[:, None]
    b = rays - np.einsum("nl,nld->nd", w, rays)[:, None]
    scale = (w[..., None] * a * b).sum((1, 2)) / np.maximum((w[..., None] * a * a).sum((1, 2)), 1e-9)
    e = ((b / np.maximum(scale, 1e-6)[:, None, None] - a) ** 2).sum(-1)
    return 20 * (w * e / (e + 0.15**2)).sum(1) + 10 * (scale <= 0)


def _viterbi(unary: np.ndarray, pair: np.ndarray) -> np.ndarray:
    """(N,) cheapest path through states: unary (N, S), pair (S, S)."""
    best, back = unary[0], []
    for row in unary[1:]:
        total = best[:, None] + pair
        back.append(total.argmin(0))
        best = total.min(0) + row
    path = [int(best.argmin())]
    for step in reversed(back):
        path.append(int(step[path[-1]]))
    return np.array(path[::-1])


def solve_translation(points: np.ndarray, evidence: Evidence, R: np.ndarray) -> np.ndarray:
    """Least-squares translation of every frame that brings the landmarks onto their rays (docs/fit.md, 4).

    Args:
        points: (N, L, 3) landmarks about the body's own origin, world axes, metres.
        R: (3, 3) world to camera.

    Returns:
        (N, 3) translations in camera axes, metres. Frames with too few landmarks take that of the
        nearest frame.

    Raises:
        HvrError: no frame has enough landmarks.
    """
    p, x = points @ R.T, evidence.rays
    w = (evidence.conf / np.minimum(evidence.table.sigma, 1e3)) ** 2
    one, zero = np.ones(w.shape), np.zeros(w.shape)
    rows = np.stack([np.stack([one, zero, -x[..., 0]], -1), np.stack([zero, one, -x[..., 1]], -1)])
    right = p[..., 2:] * x - p[..., :2]  # (N, L, 2)
    normal = np.einsum("nl,cnli,cnlj->nij", w, rows, rows) + 1e-6 * np.eye(3)
    t = np.linalg.solve(normal, np.einsum("nl,cnli,nlc->ni", w, rows, right)[..., None])[..., 0]
    good = np.flatnonzero(((evidence.conf > 0.2).sum(1) >= 6) & (t[:, 2] > 0.1))
    if not len(good):
        raise HvrError("no frame shows enough joints to place the person; look at 01_keypoints")
    return t[good[np.abs(np.arange(len(t))[:, None] - good).argmin(1)]]


def landmark_skeleton(keypoints: Keypoints, camera: Camera) -> Joints3D:
    """The detector's 33 world landmarks placed in the world: a skeleton without a body model.

    Each frame is translated so that its landmarks lie on their rays. The skeleton has the detector's
    canonical size, so its distance is only right for a person of that size.

    Args:
        keypoints: with ``landmarks`` and ``world``. camera: the clip's.

    Returns:
        Joints3D (T, 33, 3) in world metres. Frames without the person (valid False) repeat the nearest one.

    Raises:
        HvrError: the keypoints have no 3D landmarks.
    """
    if keypoints.landmarks is None or keypoints.world is None:
        raise HvrError("these keypoints have no 3D landmarks (imported 2D?); lift them or fit a body instead")
    table = blazepose_table()
    table = replace(table, sigma=np.ones(len(table.names)))
    evidence = gather(keypoints, camera, table, np.arange(len(keypoints.points)))
    shift = solve_translation(evidence.world, evidence, camera.R)
    points = evidence.world + ((shift - camera.t) @ camera.R)[:, None]
    count = len(keypoints.points)
    nearest = np.abs(np.arange(count)[:, None] - evidence.frames).argmin(1)
    valid = np.isin(np.arange(count), evidence.frames)
    return Joints3D(points=points[nearest], valid=valid, names=table.names)


def leg_order(table: LandmarkTable) -> np.ndarray:
    """(L,) order of the rows that exchanges the landmarks of the left and right leg; the hips stay."""
    names, order = table.names, np.arange(len(table.names))
    for row, name in enumerate(names):
        if any(part in name for part in LEG_PARTS):
            side, other = ("left", "right") if "left" in name else ("right", "left")
            order[row] = names.index(name.replace(side, other))
    return order


def swap_legs(evidence: Evidence, where: np.ndarray) -> Evidence:
    """The same evidence with the landmarks of left and right leg exchanged in the frames ``where`` (N,)."""

    def change(x, table=evidence.table):
        order = leg_order(table)
        return None if x is None else np.where(where.reshape(-1, *[1] * (x.ndim - 1)), x[:, order], x)

    bones = evidence.bones
    if bones is not None:
        bones = replace(bones, points=change(bones.points, bones.table))
    return replace(
        evidence,
        rays=change(evidence.rays),
        conf=change(evidence.conf),
        world=change(evidence.world),
        bones=bones,
    )


def leg_segments(evidence: Evidence, *, jump: float = 0.03) -> np.ndarray:
    """(N,) bool that changes wherever the legs jump less if left and right are exchanged.

    The detector sometimes exchanges the legs for a while (docs/fit.md, 5). Which of the two kinds of
    segment is wrong is not known here. All False where nothing jumps. Judged in 3D where there is 3D,
    because legs that cross in the picture still differ in depth.

    Args:
        jump: by how much less they must jump, in body lengths.
    """
    order = leg_order(evidence.table)
    seen = evidence.rays if evidence.world is None else evidence.world
    legs = np.flatnonzero(order != np.arange(len(order)))
    used = legs[np.isfinite(evidence.table.sigma[legs])]
    sure = np.minimum(evidence.conf[1:, used], evidence.conf[:-1, used])
    size = np.median(np.ptp(seen[:, np.isfinite(evidence.table.sigma)], axis=1).max(1))

    def step(after):
        miss = np.linalg.norm(after - seen[:-1, used], axis=-1)
        return (sure * miss).sum(1) / np.maximum(sure.sum(1), 1e-6) / size

    toggles = step(seen[1:, used]) - step(seen[1:, order[used]]) > jump
    return np.concatenate([[False], np.logical_xor.accumulate(toggles)])
