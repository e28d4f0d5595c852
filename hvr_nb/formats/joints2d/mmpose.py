"""MMPose's predictions: one file for a film (frames of instances) or for a picture (docs/formats.md, 4)."""

from __future__ import annotations

import numpy as np

from hvr_nb.formats.joints2d.seen import SeenPeople, joints_from


def is_mmpose_film(content) -> bool:
    """Whether the content of a JSON file is MMPose's prediction of a film."""
    frames = content.get("instance_info") if isinstance(content, dict) else None
    return (
        bool(frames) and isinstance(frames, list) and isinstance(frames[0], dict) and "instances" in frames[0]
    )


def is_mmpose_picture(content) -> bool:
    """Whether the content of a JSON file is MMPose's (or Sapiens') prediction of a picture."""
    people = content.get("instance_info") if isinstance(content, dict) else content
    return isinstance(people, list) and all(isinstance(p, dict) and "keypoint_scores" in p for p in people)


def mmpose_people(content) -> list[np.ndarray]:
    """(J, 3) joints of everybody in one picture.

    Raises:
        KeyError, TypeError, ValueError: the layout is another one.
    """
    people = content["instance_info"] if isinstance(content, dict) else content
    return [joints_from(person["keypoints"], person["keypoint_scores"]) for person in people]


def mmpose_film(content: dict) -> SeenPeople:
    """All people in every frame of a film, with track numbers if everybody has one.

    Raises:
        KeyError, TypeError, ValueError: the layout is another one.
    """
    frames = content["instance_info"]
    people = [mmpose_people(frame["instances"]) for frame in frames]
    ids = [[int(person.get("track_id", -1)) for person in frame["instances"]] for frame in frames]
    tracked = any(ids) and all(number >= 0 for here in ids for number in here)
    pictures = [str(int(frame["frame_id"])) for frame in frames]
    return SeenPeople(pictures, people, "mmpose", ids if tracked else None)
