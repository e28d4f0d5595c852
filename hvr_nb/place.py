"""From a root-relative 3D pose to a person who walks through the world in metres, feet on the floor.

The root's way is what brings the 3D joints onto their 2D points, smoothly (a lifter only knows the pose about
the hips); the size comes from a known height or bones; the floor from where feet rest. `specs/pose3d_pamir.md`
A7 (why a trajectory is wanted), A13 and A17; joints are Human3.6M's 17 where nothing else is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from hvr_nb.floor import Floor, ankle_height, fit_floor, foot_contacts, moving, on_floor
from hvr_nb.geometry import align_camera, camera_centre
from hvr_nb.joint_sets import H36M17_FEET, H36M17_PARENTS
from hvr_nb.types import Camera, HvrError

LEAST_NOISE = 0.2  # pixels of a picture whose larger side is 1000: points are not better than that
ACCELERATION = 3.0  # m/s^2 of a root, standard deviation
_ROUNDS = 5  # of reweighting
_ACROSS, _ALONG = 0.02, 0.1  # metres the feet may move the root across and along the line of sight
_PIN, _LIFT = 0.005, 0.03  # metres a standing foot may slide in one frame, and be above or below the floor
_BEND = 0.004  # metres, a kink of the correction in one frame
_ANKLE = 0.039  # of the height: ankle above the floor (Winter, Biomechanics and Motor Control, 2009)


@dataclass(frozen=True)
class Placed:
    """A person in the world: Y up, floor at 0 where it could be found."""

    joints: np.ndarray  # (T, J, 3) world metres
    root: np.ndarray  # (T, 3) world metres, the pelvis
    camera: Camera  # the camera in this world: it sees the joints on their 2D points
    contacts: np.ndarray  # (T, F) bool, which foot stands
    scale: float  # what the root-relative joints were multiplied by
    floor: Floor | None  # in the axes of the camera's own world; None where no foot ever rests

    def __repr__(self) -> str:
        way = float(np.nansum(np.linalg.norm(np.diff(self.root[:, [0, 2]], axis=0), axis=1)))
        return f"Placed({len(self.root)} frames, walks {way:.2f} m, feet stand {100 * self.contacts.mean():.0f} %)"


def place_in_world(joints: np.ndarray, points: np.ndarray, camera: Camera, *, fps: float, height: float = 0.0,
                   lengths: np.ndarray | None = None, parents: tuple[int, ...] = H36M17_PARENTS,
                   feet: tuple[int, ...] = H36M17_FEET) -> Placed:  # fmt: skip
    """Put root-relative joints into the world.

    Args:
        joints: (T, J, 3) metres about joint 0, in camera axes (x right, y down, z forward).
        points: (T, J, 3) the same joints in the picture, pixels and confidence (0 = not known).
        camera: what filmed them; its focal decides the distances.
        fps: frames per second.
        height: of the person, metres, where it is known. lengths: (J,) known bone lengths, metres, of the
            bone that ends in each joint, NaN where unknown. With neither the joints' own size is believed.
        parents, feet: the skeleton's tree and the joints that rest on the floor.

    Raises:
        HvrError: shapes that do not fit, or no frame with enough points.
    """
    joints = np.asarray(joints, np.float64)
    scale = metric_scale(joints, parents, height=height, lengths=lengths)
    root = root_trajectory(joints * scale, points, camera, fps=fps)
    joints = fix_bone_lengths(joints * scale, parents)  # later: noise makes bones longer, so people farther
    world = (joints + root[:, None] - camera.t) @ camera.R
    across = _speed_across(points[:, list(feet)], root[:, 2], camera, fps)
    contacts = foot_contacts(world[:, list(feet)], fps=fps, across=across)
    if not contacts.any():
        return Placed(world, world[:, 0], camera, contacts, scale, None)
    floor = fit_floor(world[:, list(feet)][contacts], camera)
    above = ankle_height(world, parents, feet, part=_ANKLE)
    world, levelled = on_floor(world, floor, above), align_camera(camera, 1.0, *floor.back(above))
    contacts &= np.abs(world[:, list(feet), 1] - above) < 0.1
    world = pin_feet(world, contacts, levelled, feet=feet, above=above)
    return Placed(world, world[:, 0], levelled, contacts, scale, floor)


def metric_scale(joints: np.ndarray, parents: tuple[int, ...] = H36M17_PARENTS, *, height: float = 0.0,
                 lengths: np.ndarray | None = None) -> float:  # fmt: skip
    """What joints (T, J, 3) must be multiplied by to be metres; 1.0 where nothing is known.

    Args:
        height: metres; compared with legs, trunk and head of Human3.6M's 17 joints, which reach from the
            ankles (0.039 of the height above the floor) to the top of the head.
        lengths: (J,) metres of the bones that end in the joints, NaN where unknown.
    """
    if height < 0 or (lengths is not None and (np.asarray(lengths) < 0).any()):
        raise HvrError("the height and the bone lengths must be positive, in metres")
    mine = median_lengths(joints, parents)
    if lengths is not None:
        known = np.isfinite(lengths) & (np.asarray(parents) >= 0) & (mine > 0)
        if not known.any():
            raise HvrError(f"none of the {len(lengths)} bone lengths is known; give at least one")
        return float((mine[known] * np.asarray(lengths)[known]).sum() / (mine[known] ** 2).sum())
    if not height:
        return 1.0
    if tuple(parents) != H36M17_PARENTS:
        raise HvrError(
            "the height is only understood of Human3.6M's 17 joints; give lengths= of another skeleton"
        )
    legs = mine[[2, 3, 5, 6]].sum() / 2
    head = np.nanmedian(np.linalg.norm(joints[:, 10] - joints[:, 8], axis=-1))
    return float(height * (1 - _ANKLE) / (legs + mine[[7, 8]].sum() + head))


def median_lengths(joints: np.ndarray, parents: tuple[int, ...] = H36M17_PARENTS) -> np.ndarray:
    """(J,) median length over the frames of the bone that ends in each joint of (T, J, 3); 0 for the root."""
    up = [p if p >= 0 else j for j, p in enumerate(parents)]
    lengths = np.linalg.norm(joints - joints[:, up], axis=-1)
    known = np.isfinite(lengths).all(1)
    if not known.any():
        raise HvrError("no frame has all joints; there is nothing to measure bones on")
    return np.median(lengths[known], axis=0)


def fix_bone_lengths(joints: np.ndarray, parents: tuple[int, ...] = H36M17_PARENTS,
                     lengths: np.ndarray | None = None) -> np.ndarray:  # fmt: skip
    """Joints (T, J, 3) whose bones keep their direction but have one length over the clip, from the root out.

    Args:
        lengths: (J,) metres of the bones that end in the joints; None takes their medians.
    """
    lengths = median_lengths(joints, parents) if lengths is None else np.asarray(lengths, float)
    out, done = np.array(joints, np.float64), {j for j, p in enumerate(parents) if p < 0}
    while len(done) < len(parents):
        ready = [j for j, p in enumerate(parents) if p in done and j not in done]
        if not ready:
            raise HvrError("the skeleton's parents do not form trees; every joint must lead to a root")
        for j in ready:
            bone = joints[:, j] - joints[:, parents[j]]
            size = np.linalg.norm(bone, axis=1, keepdims=True)
            out[:, j] = out[:, parents[j]] + bone * (lengths[j] / np.where(size > 1e-9, size, 1.0))
        done |= set(ready)
    return out


def root_trajectory(joints: np.ndarray, points: np.ndarray, camera: Camera, *, fps: float) -> np.ndarray:
    """(T, 3) the root's place in camera axes, metres, that brings the joints onto their points.

    Least squares of all frames together: distances in the picture against their own spread, the root's
    acceleration against a walking person's; points far off count less (Huber 1964). Frames without
    points are bridged.

    Args:
        joints: (T, J, 3) metres about the root, camera axes. points: (T, J, 3) pixels and confidence.
        camera: intrinsics and lens distortion are used. fps: frames per second.

    Raises:
        HvrError: shapes that do not fit, or no frame with enough points.
    """
    joints, points = np.asarray(joints, np.float64), np.asarray(points, np.float64)
    if joints.shape != points.shape or joints.ndim != 3 or joints.shape[2] != 3:
        raise HvrError(f"joints and points must both be (T, J, 3), not {joints.shape} and {points.shape}")
    known = np.isfinite(joints).all(2) & np.isfinite(points).all(2) & (points[..., 2] > 0)
    if not (known.sum(1) >= 2).any():
        raise HvrError(
            "no frame has two joints with both a 3D place and a 2D point; the root cannot be placed"
        )
    rays = _rays(points, camera, known)
    joints = np.where(known[..., None], joints, 0.0)
    least = LEAST_NOISE * max(camera.width, camera.height) / 1000 / camera.K[0, 0]  # of a ray
    sure = np.where(known, points[..., 2].clip(0, 1), 0.0)
    root = _first_guess(joints, rays, sure)
    for _ in range(_ROUNDS):
        depth = np.maximum(joints[..., 2] + root[:, None, 2], 0.2)
        off = np.linalg.norm((joints[..., :2] + root[:, None, :2]) / depth[..., None] - rays, axis=-1)
        noise = max(least, float(np.median(off[known])) / 1.18)  # median of a Rayleigh distribution
        weight = sure / (noise * depth) ** 2 / np.maximum(off / (2 * noise), 1.0)
        root = _smooth_solve(*_normal(joints, rays, weight), fps)
    return root


def _speed_across(points: np.ndarray, depth: np.ndarray, camera: Camera, fps: float) -> np.ndarray:
    """(T, F) m/s of points (T, F, 3) of the picture at the person's depth (T,); NaN where not known."""
    known = np.isfinite(points).all(2) & (points[..., 2] > 0)
    if len(points) < 2:
        return np.full(known.shape, np.nan)
    speed = moving(_rays(points, camera, known), fps) * depth[:, None]
    return np.where(known, speed, np.nan)


def _rays(points: np.ndarray, camera: Camera, known: np.ndarray) -> np.ndarray:
    """(T, J, 2) points on the plane at depth 1, without the lens distortion; 0 where not known."""
    K = camera.K
    pixels = np.where(known[..., None], points[..., :2], K[:2, 2])
    if np.any(camera.dist):
        import cv2

        return cv2.undistortPoints(pixels.reshape(-1, 1, 2), K, camera.dist).reshape(pixels.shape)
    y = (pixels[..., 1] - K[1, 2]) / K[1, 1]
    return np.stack([(pixels[..., 0] - K[0, 2] - K[0, 1] * y) / K[0, 0], y], -1)


def _normal(joints: np.ndarray, rays: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations (T, 3, 3), (T, 3) of ``r_xy - ray r_z = ray z - xy`` with weights (T, J)."""
    rows = np.zeros((*rays.shape, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1.0
    rows[..., 2] = -rays
    target = rays * joints[..., 2:] - joints[..., :2]
    return np.einsum("tj,tjka,tjkb->tab", weight, rows, rows), np.einsum(
        "tj,tjka,tjk->ta", weight, rows, target
    )


def _first_guess(joints: np.ndarray, rays: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """(T, 3) each frame by itself, at the clip's median depth, 0.5 m or more."""
    matrix, vector = _normal(joints, rays, sure)
    enough = (sure > 0).sum(1) >= 2
    alone = np.linalg.solve(matrix[enough] + 1e-9 * np.eye(3), vector[enough][..., None])[..., 0]
    return np.tile([0.0, 0.0, max(float(np.median(alone[:, 2])), 0.5)], (len(joints), 1))


def _smooth_solve(matrix: np.ndarray, vector: np.ndarray, fps: float) -> np.ndarray:
    """(T, 3) minimum of the frames' quadratics (T, 3, 3), (T, 3) and of the acceleration."""
    bend = _bending(len(matrix)) * (fps**2 / ACCELERATION) ** 2
    return _solve(matrix, vector, bend)


def _bending(frames: int) -> sparse.csr_matrix:
    """(T, T) sum of squared second differences; none for less than three frames."""
    if frames < 3:
        return sparse.csr_matrix((frames, frames))
    second = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(frames - 2, frames))
    return sparse.csr_matrix(second.T @ second)


def _solve(matrix: np.ndarray, vector: np.ndarray, chain: sparse.spmatrix) -> np.ndarray:
    """(T, 3) solution of blocks (T, 3, 3) plus a coupling (T, T) of the frames, alike in x, y and z."""
    blocks = sparse.block_diag([b + 1e-9 * np.eye(3) for b in matrix], format="csr")
    system = blocks + sparse.kron(chain, sparse.identity(3))
    return spsolve(sparse.csc_matrix(system), vector.ravel()).reshape(-1, 3)


def pin_feet(joints: np.ndarray, contacts: np.ndarray, camera: Camera, *, feet: tuple[int, ...] = H36M17_FEET,
             above: float = 0.0) -> np.ndarray:  # fmt: skip
    """Joints (T, J, 3) in the world, moved as a whole in each frame so that standing feet stay where they are.

    The whole way is solved at once: it bends little, and it hardly leaves the line of sight, along which
    pictures say least.

    Args:
        contacts: (T, F) bool, which of ``feet`` stands. camera: where the frames were seen from, in this world.
        above: metres of a standing foot's joint above the floor, which is at y = 0.
    """
    usable = np.isfinite(joints).all((1, 2))
    safe = np.where(usable[:, None, None], joints, 0.0)
    contacts = contacts & usable[:, None]
    sight = np.where(usable[:, None], safe[:, 0] - camera_centre(camera), [0, 0, 1.0])
    sight /= np.maximum(np.linalg.norm(sight, axis=1, keepdims=True), 1e-9)
    along = sight[:, :, None] * sight[:, None]
    matrix = (np.eye(3) - along) / _ACROSS**2 + along / _ALONG**2
    vector = np.zeros((len(joints), 3))
    chain = _bending(len(joints)) / _BEND**2
    for f, foot in enumerate(feet):
        stands = contacts[:, f].astype(float)
        matrix[:, 1, 1] += stands / _LIFT**2
        vector[:, 1] += stands / _LIFT**2 * (above - safe[:, foot, 1])
        steps = stands[1:] * stands[:-1] / _PIN**2
        moved = np.diff(safe[:, foot], axis=0) * steps[:, None]
        vector[:-1] += moved
        vector[1:] -= moved
        first = (
            sparse.diags([-1.0, 1.0], [0, 1], shape=(len(joints) - 1, len(joints)))
            if len(joints) > 1
            else None
        )
        if first is not None:
            chain = chain + first.T @ sparse.diags(steps) @ first
    return joints + _solve(matrix, vector, chain)[:, None]
