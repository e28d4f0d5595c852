"""CoMotion (`<video>.pt`): flat rows of people and frames, SMPL."""

from __future__ import annotations

import numpy as np

from hvr_nb.formats.bodies.people import FoundPerson, person

_FOCAL = 2.0  # times the larger side


def is_comotion(content) -> bool:
    """Whether the content of a file is CoMotion's tracks."""
    return isinstance(content, dict) and {"id", "pose", "trans", "betas", "frame_idx"} <= content.keys()


def read_comotion(content: dict, film: dict) -> tuple[str, list[FoundPerson]]:
    """The system's name and its people."""
    ids, found = np.asarray(content["id"]).ravel(), []
    for number in np.unique(ids):
        pick = ids == number
        values = (np.asarray(content[key])[pick] for key in ("frame_idx", "pose", "trans", "betas"))
        found.append(person(*values, focal_share=_FOCAL))
    return "CoMotion", found
