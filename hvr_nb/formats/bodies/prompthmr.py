"""PromptHMR's video results (`results.pkl`): people by number, SMPL-X in the axes of the camera."""

from __future__ import annotations

import numpy as np

from hvr_nb.formats.bodies.people import FoundPerson, person

_TALLEST, _FASTEST = 896, 60.0  # its frames are at most so high, and about so many a second


def is_prompthmr(content) -> bool:
    """Whether the content of a file is PromptHMR's result of a film."""
    return isinstance(content, dict) and {"people", "camera"} <= content.keys()


def read_prompthmr(content: dict, film: dict) -> tuple[str, list[FoundPerson]]:
    """The system's name and its people.

    It shrinks high frames and takes every n-th of fast films: the camera belongs to frames of at most 896
    lines, and frame i is the film's i n.
    """
    camera = content["camera"]
    centre = np.asarray(camera["img_center"], float).ravel()
    height = min(int(film["size"][1]), _TALLEST) if film.get("size") else 0
    lens = dict(focal=float(np.ravel(camera["img_focal"])[0]), centre=(centre[0], centre[1]), height=height)
    step = max(1, round(float(film.get("fps") or 0) / _FASTEST))
    found = []
    for p in content["people"].values():
        body = p["smplx_cam"]
        poses = body["rotmat"] if "rotmat" in body else body["pose"]
        frames = np.asarray(p["frames"]) * step
        found.append(person(frames, poses, body["trans"], body["shape"], kind="smplx", **lens))
    return "PromptHMR", found
