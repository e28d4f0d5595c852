"""TRAM: `hps/hps_track_<k>.npy`, one file a person, and `camera.npy` in the folder above."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvr_nb.formats.bodies.people import FoundPerson, person
from hvr_nb.store.result_files import read_results
from hvr_nb.types import HvrError


def is_tram(content) -> bool:
    """Whether the content of a file is one person of TRAM."""
    return (
        isinstance(content, dict) and {"pred_rotmat", "pred_shape", "pred_trans", "frame"} <= content.keys()
    )


def tram_tracks(path: Path) -> list[Path]:
    """The files, one a person, in a TRAM result folder, or in its `hps`; [] where it is none."""
    return sorted(path.glob("hps_track_*.npy")) or sorted(path.glob("hps/hps_track_*.npy"))


def read_tram(contents: list[dict], track: Path) -> tuple[str, list[FoundPerson]]:
    """The system's name and its people; ``track`` is one of their files."""
    places = [track.parent / "camera.npy", track.parent.parent / "camera.npy"]
    camera = next((read_results(place) for place in places if place.is_file()), None)
    if camera is None:
        raise HvrError("camera.npy, which TRAM writes beside the folder hps, is missing")
    centre = np.asarray(camera["img_center"], float).ravel()
    lens = dict(focal=float(np.ravel(camera["img_focal"])[0]), centre=(centre[0], centre[1]))
    return "TRAM", [
        person(p["frame"], p["pred_rotmat"], p["pred_trans"], p["pred_shape"], **lens) for p in contents
    ]
