"""Several people of a clip in 3D: their 2D joints to skeletons in one world (docs/perception.md, 10)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hvr_nb.body.joint_sets import H36M17_NAMES, h36m_points
from hvr_nb.lift import Lifted, can_lift, lift_keypoints
from hvr_nb.lift.placing import Placement, place_people
from hvr_nb.lift.root import root_trajectory
from hvr_nb.types import Camera, HvrError, Joints3D, Keypoints


@dataclass(frozen=True)
class Person3D:
    """One person of a clip, from the picture to the world; all T frames of the clip."""

    number: int  # index in the list of people that was lifted
    keypoints: Keypoints  # 2D joints
    lifted: Lifted  # relative to the hips, camera axes
    placed: Placement  # in the world that all people of the clip share
    joints: Joints3D  # ``placed`` where the person was seen, NaN in other frames

    def __repr__(self) -> str:
        return f"Person3D({self.number}: {int(self.joints.valid.sum())} of {len(self.joints.valid)} frames)"


def lift_people(
    people: list[Keypoints],
    camera: Camera,
    *,
    fps: float,
    heights: list[float] | None = None,
    weights: str | Path | None = None,
) -> list[Person3D]:
    """The 3D skeletons of several people of one clip, on one floor.

    Args:
        people: 2D joints of each, T frames. camera: the camera of the clip. fps: frames per second.
        heights: statures in metres, 0 where not known.
        weights: weights of another lifter, as for ``lift_keypoints``.

    Returns:
        one for each person of whom enough was seen, in the order of ``people``.

    Raises:
        HvrError: not enough is seen of anybody, lengths that differ, or weights that cannot be read.
    """
    if len({len(person.points) for person in people}) > 1:
        raise HvrError("the people have different numbers of frames; give the 2D joints of one clip")
    numbers = [n for n, person in enumerate(people) if can_lift(person.points).any()]
    if not numbers:
        raise HvrError(
            f"none of {len(people)} people shows four of shoulders, elbows, wrists, hips, knees and ankles "
            "in any frame; check the 2D joints"
        )
    chosen = [people[n] for n in numbers]
    lifted = [lift_keypoints(p.points, fps=fps, camera=camera, weights=weights) for p in chosen]
    points = [h36m_points(person.coco) for person in chosen]
    heights = None if heights is None else [heights[n] for n in numbers]
    placed = place_people([x.joints for x in lifted], points, camera, fps=fps, heights=heights)
    joints = [
        Joints3D(np.where(flat.valid[:, None, None], at.joints, np.nan), flat.valid, H36M17_NAMES)
        for flat, at in zip(lifted, placed, strict=True)
    ]
    return [Person3D(*row) for row in zip(numbers, chosen, lifted, placed, joints, strict=True)]


def lift_skeleton(
    keypoints: Keypoints, camera: Camera, *, fps: float, weights: str | Path | None = None
) -> Joints3D:
    """The lifted skeleton of one person, placed in the world of the clip where the camera sees it.

    Args:
        keypoints: 2D joints of T frames. camera, fps: the clip's.
        weights: weights of another lifter, as for ``lift_keypoints``.

    Returns:
        Joints3D (T, 17, 3), Human3.6M's joints in metres; ``valid`` is False where too little was seen.

    Raises:
        HvrError: nobody is seen in any frame.
    """
    lifted = lift_keypoints(keypoints.points, fps=fps, camera=camera, weights=weights)
    root = root_trajectory(lifted.joints, h36m_points(keypoints.coco), camera, fps=fps)
    points = (lifted.joints + root[:, None] - camera.t) @ camera.R
    return Joints3D(points.astype(np.float32), lifted.valid, H36M17_NAMES)
