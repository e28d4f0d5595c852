"""ROMP (`video_results.npz`): people of every picture, by track where they were tracked."""

from __future__ import annotations

import re

import numpy as np

from hvr_nb.formats.bodies.people import FoundPerson, person
from hvr_nb.types import HvrError

_FOCAL = 0.8660  # of the larger side: 60 degrees


def is_romp(content) -> bool:
    """Whether the content of a file is ROMP's result."""
    if not isinstance(content, dict):
        return False
    people = content.get("results")
    return isinstance(people, dict) and (
        "smpl_thetas" in people or any("smpl_thetas" in p for p in people.values() if isinstance(p, dict))
    )


def read_romp(content: dict, film: dict) -> tuple[str, list[FoundPerson]]:
    """The system's name and its people; those without track ids are numbered by their order."""
    results = content["results"]
    if "smpl_thetas" in results:  # of one picture
        results = {"0": results}
    rows: dict[int, list[tuple]] = {}
    for index, (name, here) in enumerate(results.items()):
        if np.shape(here["smpl_betas"])[-1] != 10:
            raise HvrError("BEV's bodies have an eleventh shape value, for age; use ROMP's")
        number = re.findall(r"\d+", name)
        frame = int(number[-1]) if number else index
        thetas = np.reshape(here["smpl_thetas"], (-1, 72))
        tracks = np.ravel(here["track_ids"]) if "track_ids" in here else range(len(thetas))
        for track, theta, t, beta in zip(
            tracks,
            thetas,
            np.reshape(here["cam_trans"], (-1, 3)),
            np.reshape(here["smpl_betas"], (-1, 10)),
            strict=True,
        ):
            rows.setdefault(int(track), []).append((frame, theta, t, beta))
    columns = [[np.array(column) for column in zip(*row, strict=True)] for row in rows.values()]
    return "ROMP", [person(*values, focal_share=_FOCAL) for values in columns]
