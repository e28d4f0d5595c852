"""REC-MV data folders to clip folders (docs/formats.md, 7); ``recmv_export`` writes them.

A SelfRecon folder with label maps ``parsing_SCH_ATR/000000.npy`` and, perhaps, lines of garments in
``featurelines`` or ``mask2fl``. In the clip, the lines lie in folders of the same names, for its own frames.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvr_nb.body.model import BodyModel
from hvr_nb.formats.datasets.recmv_lines import (
    CLICKED,
    DENSE,
    GARMENT_KINDS,
    dense_lines,
    guessed_garments,
    read_lines,
    write_lines,
)
from hvr_nb.formats.datasets.selfrecon_folder import frame_numbers, label_map, read_selfrecon
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image, read_json, results
from hvr_nb.types import DAMAGE, HvrError

PARSING, WEIGHTS, WORN = "parsing_SCH_ATR", "diffused_skinning_weights.npy", "garments.json"


def read_recmv(
    folder: str | Path,
    clip_folder: str | Path,
    *,
    start: int = 0,
    stop: int = 0,
    stride: int = 1,
    fps: float = 30.0,
    max_side: int = 0,
    model: BodyModel | None = None,
) -> Clip:
    """Import a data folder as ``read_selfrecon`` does, with its labels, and its lines as files of the clip.

    Clicked lines that were not followed along the garments' contours (``mask2fl`` is missing) are followed
    here. Arguments as ``read_selfrecon`` takes them.

    Raises:
        HvrError: a file is missing, damaged or does not fit the others; the message names it.
    """
    folder = Path(folder)
    lines, size = check_recmv(folder)
    clip = read_selfrecon(
        folder,
        clip_folder,
        start=start,
        stop=stop,
        stride=stride,
        fps=fps,
        max_side=max_side,
        model=model,
    )
    taken = [int(name) for name in clip.frame_names]
    small = clip.frames.shape[2], clip.frames.shape[1]
    for kind, by_frame in lines.items():
        kept = {
            k: {label: points * np.divide(small, size) for label, points in by_frame[n].items()}
            for k, n in enumerate(taken)
            if n in by_frame
        }
        if kept:
            write_lines(clip.folder, kind, kept, size=small)
    return clip


def check_recmv(folder: str | Path) -> tuple[dict[str, dict], tuple[int, int]]:
    """Check what a REC-MV folder has beyond a SelfRecon folder.

    Returns:
        Lines by kind (``CLICKED``, ``DENSE``), frame and label; width and height of the pictures.

    Raises:
        HvrError: names the first file that is wrong, and how to mend it.
    """
    folder = Path(folder)
    frames = len(frame_numbers(folder))
    first = next(p for p in results(folder / "imgs", "*.*") if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    height, width = read_image(first, remedy="write it again").shape[:2]
    size = width, height
    if not (folder / PARSING).is_dir():
        raise HvrError(
            f"{folder / PARSING} is missing; REC-MV needs a label map (ATR, .npy) for every picture. Without "
            "them, import the folder as selfrecon and run 02_masks"
        )
    for path in results(folder / PARSING, "mask_parsing_*.npy"):
        _check_size(path, label_map(path), size)
    lines = {kind: read_lines(folder, kind, frames=frames, size=size) for kind in (CLICKED, DENSE)}
    maps = {n: label_map(_map_of(folder, n)) for n in sorted({*lines[CLICKED], *lines[DENSE]})}
    for n, labels in maps.items():
        _check_size(_map_of(folder, n), labels, size)
    if lines[CLICKED] and not lines[DENSE]:
        worn = _worn(folder) or guessed_garments(lines[CLICKED], np.stack([maps[n] for n in lines[CLICKED]]))
        lines[DENSE] = {n: dense_lines(of, maps[n], worn) for n, of in lines[CLICKED].items()}
    _check_weights(folder / WEIGHTS)
    return lines, size


def _map_of(folder: Path, number: int) -> Path:
    path = folder / PARSING / f"{number:06d}.npy"
    if not path.is_file():
        raise HvrError(f"{path} is missing; every picture in imgs needs its own")
    return path


def _check_size(path: Path, labels: np.ndarray, size: tuple[int, int]) -> None:
    if labels.shape[::-1] != size:
        raise HvrError(
            f"{path} is {labels.shape[1]}x{labels.shape[0]}, the pictures are {size[0]}x{size[1]}; make the "
            "labels from these pictures"
        )


def _worn(folder: Path) -> list[str]:
    """The garments that ``garments.json`` lists; none where it is missing."""
    path = folder / WORN
    if not path.is_file():
        return []
    worn = read_json(path, remedy="mend or delete it").get("garments")
    if (
        not isinstance(worn, list)
        or not all(w in GARMENT_KINDS for w in worn if isinstance(w, str))
        or not worn
    ):
        raise HvrError(f"{path}: garments is {worn!r}; list some of {', '.join(GARMENT_KINDS)}")
    if len(set(map(str, worn))) < len(worn):
        raise HvrError(f"{path} names a garment twice; each has its own labels and lines")
    return [str(w) for w in worn]


def _check_weights(path: Path) -> None:
    if not path.is_file():
        return
    try:
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except DAMAGE as error:
        raise HvrError(f"{path} cannot be read ({error}); write it again or delete it") from error
    if len(shape) != 4 or shape[0] != 24 or len(set(shape[1:])) != 1:
        raise HvrError(f"{path} is {shape}; weights of 24 joints on a cube (24, N, N, N) are expected")
