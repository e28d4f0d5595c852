"""VIBE and PARE (`vibe_output.pkl`, `pare_output.pkl`): people by number, each with a crop camera."""

from __future__ import annotations

import numpy as np

from hvr_nb.formats.bodies.people import FoundPerson, person
from hvr_nb.types import HvrError

_FOCAL = 5000.0 / 224.0  # times the larger side: the lens of the crop, as good as parallel


def is_vibe(content) -> bool:
    """Whether the content of a file is VIBE's or PARE's result."""
    people = list(content.values()) if isinstance(content, dict) else []
    return bool(people) and all(
        isinstance(p, dict) and {"orig_cam", "pose", "frame_ids"} <= p.keys() for p in people
    )


def read_vibe(content: dict, film: dict) -> tuple[str, list[FoundPerson]]:
    """The system's name and its people.

    ``orig_cam`` (sx, sy, tx, ty) is a weak-perspective camera of the whole picture,
    x = (sx (X + tx) + 1) W / 2. A camera of a very long focal length f at 2 f / (W sx) sees the same.
    """
    if not film.get("size"):
        raise HvrError("the size of the film is not known; run 00_video again")
    width, height = film["size"]
    focal, people = _FOCAL * max(width, height), []
    matrices = False
    for p in content.values():
        sx, _, tx, ty = np.asarray(p["orig_cam"], float).reshape(-1, 4).T
        transl = np.stack([tx, ty, 2 * focal / (width * sx)], 1)
        matrices |= np.ndim(p["pose"]) == 4
        people.append(person(p["frame_ids"], p["pose"], transl, p["betas"], focal=focal))
    return "PARE" if matrices else "VIBE", people
