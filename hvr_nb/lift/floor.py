"""Feet and the floor: when a foot stands, the plane it stands on, and the world laid level with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_closing, binary_opening, uniform_filter1d
from scipy.spatial.transform import Rotation

from hvr_nb.geometry.camera import camera_centre
from hvr_nb.types import Camera

STILL = 0.3  # m/s, a standing foot's joint rolls no faster in the picture
ROLLING = 0.5  # m/s, nor in a 3D pose with its noise
LOW = 0.12  # metres that a standing foot may be above the lower one
WINDOW, WIDE_WINDOW = 0.07, 0.2  # seconds over which a foot's place is averaged, in the picture and in 3D
SHORTEST = 0.1  # seconds of a step
ROLL, PITCH = np.tan(np.radians([2.0, 8.0]))  # how far a camera is off level, standard deviations
_ROUGH = 0.03  # metres a resting foot's joint strays from the plane


@dataclass(frozen=True)
class Floor:
    """A plane ``normal . x = offset`` in world metres, its normal pointing up."""

    normal: np.ndarray  # (3,) unit
    offset: float  # metres

    def level(self) -> tuple[np.ndarray, np.ndarray]:
        """R (3, 3), t (3,) of ``R x + t``: the normal turned to Y, the plane to height 0."""
        axis = np.cross(self.normal, [0, 1.0, 0])
        size = np.linalg.norm(axis)
        angle = np.arctan2(size, self.normal[1])
        R = Rotation.from_rotvec(axis / size * angle).as_matrix() if size > 1e-12 else np.eye(3)
        return R, np.array([0, -self.offset, 0])

    def back(self) -> tuple[np.ndarray, np.ndarray]:
        """R, t of the way back from the level world."""
        R, t = self.level()
        return R.T, -R.T @ t


def foot_contacts(feet: np.ndarray, *, fps: float, across: np.ndarray | None = None) -> np.ndarray:
    """(T, F) bool, where feet stand: slow, low and for a tenth of a second.

    Args:
        feet: (T, F, 3) world metres, Y up. fps: frames per second.
        across: (T, F) m/s across the line of sight, as the picture shows it: much surer than ``feet``.
            NaN where it does not.
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
    """(T, F) speed of places (T, F, D) a second, averaged over ``window`` seconds; T 2 or more."""
    smooth = uniform_filter1d(places, max(1, round(window * fps)), axis=0, mode="nearest")
    return np.linalg.norm(np.gradient(smooth, axis=0), axis=2) * fps


def fit_floor(points: np.ndarray, camera: Camera) -> Floor:
    """The plane through resting feet (N, 3), world metres and Y nearly up, as ``camera`` saw them.

    Robust least squares in which a camera held about level is the more likely one, and one that is not
    rolled still more; where somebody stands in one place only, the plane is level.
    """
    at = points - camera_centre(camera)
    right = np.array([camera.R[0, 0], camera.R[0, 2]])
    right = right / np.linalg.norm(right) if right.any() else np.array([1.0, 0.0])
    ways = np.stack([right, [-right[1], right[0]]])  # to the right and ahead, on the ground
    ground = at[:, [0, 2]] @ ways.T
    columns = np.column_stack([np.ones(len(at)), ground - ground.mean(0)])
    prior = np.diag([0.0, ROLL**-2, PITCH**-2])
    weight = np.ones(len(at))
    for _ in range(10):
        rows = columns * (weight / _ROUGH**2)[:, None] / _correlated(len(at))
        solution = np.linalg.solve(rows.T @ columns + prior, rows.T @ at[:, 1])
        off = np.abs(columns @ solution - at[:, 1])
        weight = 1 / np.maximum(1.0, off / _ROUGH) ** 2
    slope = solution[1:] @ ways
    normal = np.array([-slope[0], 1.0, -slope[1]])
    size = np.linalg.norm(normal)
    middle = np.array([at[:, 0].mean(), solution[0], at[:, 2].mean()]) + camera_centre(camera)
    return Floor(normal / size, float(normal @ middle / size))


def _correlated(count: int) -> float:
    """By how much ``count`` feet of neighbouring frames say less than as many independent ones."""
    return max(1.0, min(count, 60) / 6)


def ankle_height(
    joints: np.ndarray, parents: tuple[int, ...], feet: tuple[int, ...], *, part: float
) -> float:
    """Metres of an ankle above the floor, from the legs of joints (T, J, 3).

    Args:
        part: of the person's height; a leg from hip to ankle is 0.491 of it (Winter 2009).
    """
    legs = [[foot, parents[foot], parents[parents[foot]]] for foot in feet]
    lengths = [np.nanmedian(np.linalg.norm(np.diff(joints[:, leg], axis=1), axis=2).sum(1)) for leg in legs]
    return float(part * np.mean(lengths) / 0.491)


def on_floor(joints: np.ndarray, floor: Floor) -> np.ndarray:
    """Joints (T, J, 3) in the world whose floor is level, at height 0."""
    R, t = floor.level()
    return joints @ R.T + t
