"""WHAM (`wham_output.pkl`): people by number, SMPL in camera axes."""

from __future__ import annotations

from hvr_nb.formats.bodies.people import FoundPerson, person


def is_wham(content) -> bool:
    """Whether the content of a file is WHAM's result."""
    people = list(content.values()) if isinstance(content, dict) else []
    return bool(people) and all(
        isinstance(p, dict) and {"pose_world", "trans", "frame_ids"} <= p.keys() for p in people
    )


def read_wham(content: dict, film: dict) -> tuple[str, list[FoundPerson]]:
    """The system's name and its people; the focal length is the diagonal of the film."""
    lens = dict(focal_share=1.0, diagonal=True)
    return "WHAM", [
        person(p["frame_ids"], p["pose"], p["trans"], p["betas"], **lens) for p in content.values()
    ]
