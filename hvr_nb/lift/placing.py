"""Root-relative 3D joints placed in the world, in metres, feet on the floor (docs/perception.md, 10).

A lifter gives the pose about the hips only. The trajectory of the root brings the 3D joints onto their 2D
points, smoothly. The size comes from a known height or from bone lengths, the floor from standing feet.
Joints are Human3.6M's 17 unless another tree is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from hvr_nb.body.joint_sets import H36M17_FEET, H36M17_PARENTS
from hvr_nb.geometry.camera import align_camera, camera_centre
from hvr_nb.lift.bones import ANKLE, fix_bone_lengths, median_lengths, metric_scale
from hvr_nb.lift.floor import Floor, ankle_height, fit_floor, foot_contacts, moving, on_floor
from hvr_nb.lift.root import bending, rays_of, root_trajectory, solve_chain
from hvr_nb.types import Camera

_ACROSS, _ALONG = 0.02, 0.1  # metres by which pinning may shift a frame across and along the line of sight
_SLIDE, _LIFT = 0.15, 0.03  # m/s that a standing foot may slide; metres that it may be off the floor
_BEND = 3.6  # m/s^2, usual acceleration of that shift
_NEAR_FLOOR = 0.1  # metres from the floor within which a foot may stand


@dataclass(frozen=True)
class Placement:
    """A person in the world: Y up, the floor at height 0 where one was found."""

    joints: np.ndarray  # (T, J, 3) world metres
    root: np.ndarray  # (T, 3) world metres, the pelvis
    camera: Camera  # the camera in this world: it projects the joints onto their 2D points
    contacts: np.ndarray  # (T, F) bool, which foot stands
    scale: float  # factor by which the root-relative joints were multiplied
    floor: Floor | None  # in the world of the given camera; None where no foot ever stands

    def __repr__(self) -> str:
        path = float(np.nansum(np.linalg.norm(np.diff(self.root[:, [0, 2]], axis=0), axis=1)))
        stand = 100 * self.contacts.mean()
        return f"Placement({len(self.root)} frames, walks {path:.2f} m, feet stand {stand:.0f} %)"


def place_in_world(
    joints: np.ndarray,
    points: np.ndarray,
    camera: Camera,
    *,
    fps: float,
    height: float = 0.0,
    lengths: np.ndarray | None = None,
    parents: tuple[int, ...] = H36M17_PARENTS,
    feet: tuple[int, ...] = H36M17_FEET,
) -> Placement:
    """Place root-relative joints in a level world, feet on the floor.

    Args:
        joints: (T, J, 3) metres about joint 0, OpenCV camera axes.
        points: (T, J, 3) the same joints in the picture, pixels and confidence (0 = not known).
        camera: the camera of the clip; distances depend on its focal length.
        fps: frames per second.
        height: stature in metres, 0 where not known.
        lengths: (J,) known lengths, metres, of the bones that end in the joints, NaN where unknown. With
            neither height nor lengths the size of ``joints`` is kept.
        parents, feet: the tree of the skeleton, and the joints that stand on the floor.

    Raises:
        HvrError: shapes that do not fit, or no frame with enough points.
    """
    loose = _place_loosely(joints, points, camera, fps, height, lengths, parents, feet)
    return _stand(loose, _common_floor([loose], camera, feet), camera, feet)


def place_people(
    joints: list[np.ndarray],
    points: list[np.ndarray],
    camera: Camera,
    *,
    fps: float,
    heights: list[float] | None = None,
) -> list[Placement]:
    """Place several people of one clip in one world, on one floor; see ``place_in_world``.

    Args:
        joints, points: (T, 17, 3) of each person, Human3.6M order. heights: metres, 0 where not known.
    """
    heights = heights or [0.0] * len(joints)
    loose = [
        _place_loosely(j, p, camera, fps, h, None, H36M17_PARENTS, H36M17_FEET)
        for j, p, h in zip(joints, points, heights, strict=True)
    ]
    floor = _common_floor(loose, camera, H36M17_FEET)
    return [_stand(person, floor, camera, H36M17_FEET) for person in loose]


@dataclass(frozen=True)
class _Loose:
    """A person in the world of the given camera, before the floor is known."""

    world: np.ndarray  # (T, J, 3)
    contacts: np.ndarray  # (T, F)
    scale: float
    ankle: float  # metres, height of a standing foot's joint above the floor
    fps: float


def _place_loosely(
    joints: np.ndarray,
    points: np.ndarray,
    camera: Camera,
    fps: float,
    height: float,
    lengths: np.ndarray | None,
    parents: tuple[int, ...],
    feet: tuple[int, ...],
) -> _Loose:
    joints = np.asarray(joints, np.float64)
    scale = metric_scale(joints, parents, height=height, lengths=lengths)
    root = root_trajectory(joints * scale, points, camera, fps=fps)
    known = median_lengths(joints, parents) * scale
    if lengths is not None:
        known = np.where(np.isfinite(lengths), lengths, known)
    joints = fix_bone_lengths(joints * scale, parents, known)  # after the root: noise makes bones long
    world = (joints + root[:, None] - camera.t) @ camera.R
    across = _speed_across(points[:, list(feet)], root[:, 2], camera, fps)
    contacts = foot_contacts(world[:, list(feet)], fps=fps, across=across)
    return _Loose(world, contacts, scale, ankle_height(world, parents, feet, part=ANKLE), fps)


def _common_floor(people: list[_Loose], camera: Camera, feet: tuple[int, ...]) -> Floor | None:
    """The floor under the standing feet of all people; None where no foot stands."""
    soles = [p.world[:, list(feet)][p.contacts] - [0, p.ankle, 0] for p in people]
    return fit_floor(np.concatenate(soles), camera) if any(len(s) for s in soles) else None


def _stand(person: _Loose, floor: Floor | None, camera: Camera, feet: tuple[int, ...]) -> Placement:
    if floor is None:
        return Placement(person.world, person.world[:, 0], camera, person.contacts, person.scale, None)
    world, levelled = on_floor(person.world, floor), align_camera(camera, 1.0, *floor.back())
    contacts = person.contacts & (np.abs(world[:, list(feet), 1] - person.ankle) < _NEAR_FLOOR)
    world = pin_feet(world, contacts, levelled, fps=person.fps, feet=feet, above=person.ankle)
    return Placement(world, world[:, 0], levelled, contacts, person.scale, floor)


def pin_feet(
    joints: np.ndarray,
    contacts: np.ndarray,
    camera: Camera,
    *,
    fps: float,
    feet: tuple[int, ...] = H36M17_FEET,
    above: float = 0.0,
) -> np.ndarray:
    """Joints (T, J, 3) shifted as a whole in each frame so that standing feet do not slide.

    The shifts of all frames are solved at once. They change smoothly, and they are mostly along the line
    of sight, where the picture says least.

    Args:
        contacts: (T, F) bool, which of ``feet`` stands. camera: the camera of the clip in this world.
        fps: frames per second.
        above: metres, height of a standing foot's joint above the floor, which is at y = 0.
    """
    usable = np.isfinite(joints).all((1, 2))
    safe = np.where(usable[:, None, None], joints, 0.0)
    contacts = contacts & usable[:, None]
    sight = np.where(usable[:, None], safe[:, 0] - camera_centre(camera), [0, 0, 1.0])
    sight /= np.maximum(np.linalg.norm(sight, axis=1, keepdims=True), 1e-9)
    along = sight[:, :, None] * sight[:, None]
    matrix = (np.eye(3) - along) / _ACROSS**2 + along / _ALONG**2
    vector = np.zeros((len(joints), 3))
    chain = bending(len(joints)) * (fps**2 / _BEND) ** 2
    for f, foot in enumerate(feet):
        stands = contacts[:, f].astype(float)
        matrix[:, 1, 1] += stands / _LIFT**2
        vector[:, 1] += stands / _LIFT**2 * (above - safe[:, foot, 1])
        steps = stands[1:] * stands[:-1] * (fps / _SLIDE) ** 2
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
    return joints + solve_chain(matrix, vector, chain)[:, None]


def _speed_across(points: np.ndarray, depth: np.ndarray, camera: Camera, fps: float) -> np.ndarray:
    """(T, F) speed in m/s of image points (T, F, 3) at the person's depth (T,); NaN where not known."""
    known = np.isfinite(points).all(2) & (points[..., 2] > 0)
    if len(points) < 2:
        return np.full(known.shape, np.nan)
    speed = moving(rays_of(points, camera, known), fps) * depth[:, None]
    return np.where(known, speed, np.nan)
