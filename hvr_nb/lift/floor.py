"""Foot contacts, the floor plane, and the world with a level floor (docs/perception.md, 10)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_closing, binary_opening, uniform_filter1d
from scipy.spatial.transform import Rotation

from hvr_nb.geometry.camera import camera_centre
from hvr_nb.types import Camera

STILL = 0.3  # m/s, largest speed of a standing foot, measured in the picture
ROLLING = 0.5  # m/s, the same measured in 3D, which has more noise
LOW = 0.12  # metres by which a standing foot may be above the lowest foot
WINDOW = 0.07  # seconds over which positions of a foot are averaged in the picture
WIDE_WINDOW = 0.2  # the same in 3D
SHORTEST = 0.1  # seconds, shortest contact
ROLL, PITCH = np.tan(np.radians([2.0, 8.0]))  # standard deviations of a held camera from level
_ROUGH = 0.03  # metres, usual distance of a standing foot's joint from the plane


@dataclass(frozen=True)
class Floor:
    """A plane ``normal . x = offset`` in world metres, its normal pointing up."""

    normal: np.ndarray  # (3,) unit
    offset: float  # metres

    def level(self) -> tuple[np.ndarray, np.ndarray]:
        """R (3, 3), t (3,) of ``R x + t``, which rotates the normal to Y and moves the plane to height 0."""
        axis = np.cross(self.normal, [0, 1.0, 0])
        size = np.linalg.norm(axis)
        angle = np.arctan2(size, self.normal[1])
        R = Rotation.from_rotvec(axis / size * angle).as_matrix() if size > 1e-12 else np.eye(3)
        return R, np.array([0, -self.offset, 0])

    def back(self) -> tuple[np.ndarray, np.ndarray]:
        """R (3, 3), t (3,) of the inverse of ``level``."""
        R, t = self.level()
        return R.T, -R.T @ t


def foot_contacts(feet: np.ndarray, *, fps: float, across: np.ndarray | None = None) -> np.ndarray:
    """(T, F) bool: when feet stand, that is slow and low for a tenth of a second or longer.

    Args:
        feet: (T, F, 3) world metres, Y up. fps: frames per second.
        across: (T, F) m/s across the line of sight, measured in the picture, which is more exact than
            ``feet``; NaN where not known.
    """
    if len(feet) < 3:
        return np.zeros(feet.shape[:2], bool)
    known = np.isfinite(feet).all(2)
    filled = np.where(known[..., None], feet, 0.0)
    low = filled[..., 1] < filled[..., 1].min(1, keepdims=True) + LOW
    speed = moving(filled, fps, WIDE_WINDOW)
    slow = speed < ROLLING
    if across is not None:
        slow = np.where(np.isfinite(across), (across < STILL) & (speed < 2 * ROLLING), slow)
    stands = slow & low & known
    shortest = max(2, round(SHORTEST * fps))
    for f in range(stands.shape[1]):
        closed = binary_closing(np.pad(stands[:, f], shortest), np.ones(3))[shortest:-shortest]
        stands[:, f] = binary_opening(closed, np.ones(min(shortest, len(feet)))) & known[:, f]
    return stands


def moving(places: np.ndarray, fps: float, window: float = WINDOW) -> np.ndarray:
    """(T, F) speed per second of positions (T, F, D) averaged over ``window`` seconds; T is 2 or more."""
    smooth = uniform_filter1d(places, max(1, round(window * fps)), axis=0, mode="nearest")
    return np.linalg.norm(np.gradient(smooth, axis=0), axis=2) * fps


def fit_floor(points: np.ndarray, camera: Camera) -> Floor:
    """The plane through standing feet (N, 3), world metres with Y nearly up, seen by ``camera``.

    Robust least squares with a prior: cameras are held about level, with less roll than pitch. Where a
    person stands in one place only, the prior decides and the plane is level.
    """
    at = points - camera_centre(camera)
    right = np.array([camera.R[0, 0], camera.R[0, 2]])
    right = right / np.linalg.norm(right) if right.any() else np.array([1.0, 0.0])
    axes = np.stack([right, [-right[1], right[0]]])  # right and forward, on the ground
    ground = at[:, [0, 2]] @ axes.T
    columns = np.column_stack([np.ones(len(at)), ground - ground.mean(0)])
    prior = np.diag([0.0, ROLL**-2, PITCH**-2])
    weight = np.ones(len(at))
    for _ in range(10):
        rows = columns * (weight / _ROUGH**2)[:, None] / _correlated(len(at))
        solution = np.linalg.solve(rows.T @ columns + prior, rows.T @ at[:, 1])
        off = np.abs(columns @ solution - at[:, 1])
        weight = 1 / np.maximum(1.0, off / _ROUGH) ** 2
    slope = solution[1:] @ axes
    normal = np.array([-slope[0], 1.0, -slope[1]])
    size = np.linalg.norm(normal)
    middle = np.array([at[:, 0].mean(), solution[0], at[:, 2].mean()]) + camera_centre(camera)
    return Floor(normal / size, float(normal @ middle / size))


def _correlated(count: int) -> float:
    """Factor by which ``count`` feet of neighbouring frames count less than as many independent ones."""
    return max(1.0, min(count, 60) / 6)


def ankle_height(
    joints: np.ndarray, parents: tuple[int, ...], feet: tuple[int, ...], *, part: float
) -> float:
    """Height of an ankle above the floor, metres, from the lengths of the legs in joints (T, J, 3).

    Args:
        part: that height as a share of the stature, of which a leg from hip to ankle is 0.491 (Winter 2009).
    """
    legs = [[foot, parents[foot], parents[parents[foot]]] for foot in feet]
    lengths = [np.nanmedian(np.linalg.norm(np.diff(joints[:, leg], axis=1), axis=2).sum(1)) for leg in legs]
    return float(part * np.mean(lengths) / 0.491)


def on_floor(joints: np.ndarray, floor: Floor) -> np.ndarray:
    """Joints (T, J, 3) in the world in which the floor is level at height 0."""
    R, t = floor.level()
    return joints @ R.T + t
