"""Skeletons as tables: CSV for spreadsheets, TRC for OpenSim and similar programs (docs/formats.md, 10).

The CSV has one line for each frame and joint, with the parent of the joint. TRC has positions of markers
only; frames without the person are empty.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from hvr_nb.formats.skeletons.track import SkeletonTrack, check_track
from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import HvrError

CSV_COLUMNS = ("frame", "time_s", "joint", "parent", "x_m", "y_m", "z_m", "valid")
SINGLE_FPS = 30.0  # assumed for a CSV with a single frame
_UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}  # units of TRC files in metres


def write_skeleton_csv(path: str | Path, track: SkeletonTrack) -> Path:
    """Write one line for each joint (T, J, 3) and frame, metres with seven decimals; returns ``path``."""
    path = check_track(track, path, suffix=".csv")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(CSV_COLUMNS)
    over = [track.names[p] if p >= 0 else "" for p in track.parents]
    for t, (second, joints, valid) in enumerate(zip(track.seconds, track.joints, track.valid, strict=True)):
        for name, parent, point in zip(track.names, over, joints, strict=True):
            place = ["" if np.isnan(x) else f"{x:.7f}" for x in point]
            rows.writerow([t, f"{second:.9f}", name, parent, *place, int(valid)])
    with atomic(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
    return path


def read_skeleton_csv(path: str | Path) -> SkeletonTrack:
    """Read a file of ``write_skeleton_csv``.

    Raises:
        HvrError: the file is missing, or is not such a table.
    """
    path = Path(path)
    rows = list(csv.DictReader(io.StringIO(_text(path))))
    if not rows or set(CSV_COLUMNS) - set(rows[0]):
        raise HvrError(
            f"{path} does not have the columns {', '.join(CSV_COLUMNS)}; write it with write_skeleton_csv"
        )
    names = list(dict.fromkeys(row["joint"] for row in rows))
    try:
        table = np.array([[float(row[k] or "nan") for k in CSV_COLUMNS[4:7]] for row in rows]).reshape(
            -1, len(names), 3
        )
        over = [row["parent"] for row in rows[: len(names)]]
        parents = tuple(names.index(p) if p else -1 for p in over)
        times = np.array([float(row["time_s"]) for row in rows[:: len(names)]])
        valid = np.array([row["valid"] == "1" for row in rows[:: len(names)]])
    except (ValueError, TypeError) as error:
        raise HvrError(f"{path} is damaged ({error}); write it again") from error
    fps = round((len(table) - 1) / times[-1], 6) if times[-1] > 0 else SINGLE_FPS
    return SkeletonTrack(table, tuple(names), parents, fps, valid, times=_increasing(times))


def write_skeleton_trc(path: str | Path, track: SkeletonTrack) -> Path:
    """Write joints (T, J, 3) as markers in metres, Y up, times in seconds; returns ``path``."""
    path = check_track(track, path, suffix=".trc")
    frames, count = len(track.joints), len(track.names)
    rate = f"{track.fps:.6f}"
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{frames}\t{count}\tm\t{rate}\t1\t{frames}",
        "Frame#\tTime\t" + "\t".join(f"{name}\t\t" for name in track.names),
        "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, count + 1)),
        "",
    ]
    for t, (second, joints, valid) in enumerate(zip(track.seconds, track.joints, track.valid, strict=True)):
        cells = [f"{x:.7f}" if valid and np.isfinite(x) else "" for x in joints.ravel()]
        lines.append("\t".join([str(t + 1), f"{second:.9f}", *cells]))
    with atomic(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read_skeleton_trc(path: str | Path) -> SkeletonTrack:
    """Read the markers of a TRC file in metres; empty cells are NaN, frames without markers are not valid.

    TRC has no skeleton, so all parents are -1. Axes stay as they are.

    Raises:
        HvrError: the file is missing, or is not a TRC file.
    """
    path = Path(path)
    lines = _text(path).splitlines()
    try:
        header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
        names = [name for name in lines[3].split("\t")[2:] if name.strip()]
        scale, fps = _UNITS[header["Units"].strip()], float(header["DataRate"])
        rows = [line.split("\t") for line in lines[5:] if line.strip()]
        times = np.array([float(row[1]) for row in rows])
        cells = [
            [float(c) if c.strip() else np.nan for c in (row[2:] + [""] * 3 * len(names))[: 3 * len(names)]]
            for row in rows
        ]
    except (IndexError, KeyError, ValueError) as error:
        raise HvrError(
            f"{path} cannot be read as a TRC file ({error!r}); export the markers again"
        ) from error
    joints = scale * np.array(cells).reshape(-1, len(names), 3)
    known = np.isfinite(joints).any((1, 2))
    return SkeletonTrack(joints, tuple(names), (-1,) * len(names), fps, known, times=_increasing(times))


def _increasing(times: np.ndarray) -> np.ndarray | None:
    """Times (T,) if they increase; otherwise None, and the rate of the file is used."""
    return times if np.isfinite(times).all() and (np.diff(times) > 0).all() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise HvrError(f"{path} is missing or cannot be read ({error}); check the path") from error
