"""The skeletons of a video's people as files that other programs read, and the video that shows them.

Of each person an npz with everything, CSV, TRC, BVH and glTF (docs/formats.md); one mp4 of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hvr_nb.body.joint_sets import H36M17_NAMES, H36M17_PARENTS
from hvr_nb.export.pose_video import write_pose_video
from hvr_nb.formats.skeletons.bvh import write_skeleton_bvh
from hvr_nb.formats.skeletons.glb import write_skeleton_glb
from hvr_nb.formats.skeletons.tables import write_skeleton_csv, write_skeleton_trc
from hvr_nb.formats.skeletons.track import SkeletonTrack, check_track
from hvr_nb.lift.people import Person3D
from hvr_nb.store.arrays import write_npz
from hvr_nb.store.atomic_files import atomic_folder
from hvr_nb.types import Camera

VIDEO_NAME = "pose.mp4"
_WRITERS = {
    ".csv": write_skeleton_csv,
    ".trc": write_skeleton_trc,
    ".bvh": write_skeleton_bvh,
    ".glb": write_skeleton_glb,
}


@dataclass(frozen=True)
class PoseTrack(SkeletonTrack):
    """A skeleton through time with what it was made from: the content of the npz."""

    points2d: np.ndarray  # (T, 17, 3) COCO joints, pixels and confidence (0 = not known)
    about_hips: (
        np.ndarray
    )  # (T, 17, 3) metres from the middle of the hips, camera axes (x right, y down, z away)
    root: np.ndarray  # (T, 3) root trajectory in the world, metres; interpolated where not seen
    confidence: np.ndarray  # (T,) 0..1 of the 2D joints
    contacts: np.ndarray  # (T, 2) bool, whether the right and the left foot stand
    camera: Camera  # of the picture, in the world
    source: str  # the lifter's weights


def pose_track(person: Person3D, *, fps: float, times: np.ndarray | None = None) -> PoseTrack:
    """The track of a person, (T, 17, 3) joints and what they were made from."""
    return PoseTrack(
        joints=person.joints.points,
        names=H36M17_NAMES,
        parents=H36M17_PARENTS,
        fps=fps,
        valid=person.joints.valid,
        points2d=person.keypoints.coco,
        about_hips=person.lifted.joints,
        root=person.placed.root,
        confidence=person.lifted.confidence,
        contacts=person.placed.contacts,
        camera=person.placed.camera,
        source=person.lifted.source,
        times=times,
    )


def write_people(
    folder: str | Path,
    people: list[Person3D],
    frames: np.ndarray,
    *,
    fps: float,
    times: np.ndarray | None = None,
    video: bool = True,
) -> list[Path]:
    """Write each person's files and the side-by-side video into a new folder; all of it or nothing.

    Args:
        folder: must not exist, or be empty. frames: (T, H, W, 3) uint8 RGB. fps: frames per second.
        times: (T,) seconds of the frames, where the rate varies. video: write the video too.

    Returns:
        the files' paths.

    Raises:
        HvrError: the folder holds files, or the disk is full.
    """
    folder = Path(folder)
    with atomic_folder(folder, ours=set()) as partial:
        for person in tqdm(people, desc="writing", unit="person", leave=False):
            _write_person(partial / f"person{person.number}", pose_track(person, fps=fps, times=times))
        if video:
            write_pose_video(
                partial / VIDEO_NAME,
                frames,
                [p.keypoints for p in people],
                [p.joints for p in people],
                fps=fps,
                times=times,
            )
    return sorted(folder.iterdir())


def _write_person(stem: Path, track: PoseTrack) -> None:
    path = check_track(track, stem.with_suffix(".npz"), suffix=".npz", tree=True)
    write_npz(path, track, {"kind": "skeleton", "unit": "m", "up": "y"})
    for suffix, write in _WRITERS.items():
        write(stem.with_suffix(suffix), track)
