"""REC-MV's feature lines: labelme files of clicked ends, and the polylines between them (docs/formats.md, 7).

``featurelines/000015.json`` holds the ends of the visible pieces of each curve, two points a piece;
``mask2fl/000015.json`` the same curves as polylines along the garment's contour. In both, pixel centres are
integers; here they are at +0.5.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hvr_nb.store.files import read_json, results, write_json
from hvr_nb.types import HvrError

CLICKED, DENSE = "featurelines", "mask2fl"  # folders
# kind of garment: the curves it owns, and the ATR labels of its cloth
GARMENT_KINDS = {
    "short_sleeve_upper": (("neck", "left_cuff", "right_cuff", "upper_bottom"), (4, 16, 17)),
    "long_sleeve_upper": (("neck", "left_cuff", "right_cuff", "upper_bottom"), (4, 16, 17)),
    "no_sleeve_upper": (("neck", "left_cuff", "right_cuff", "bottom_curve"), (4, 16, 17)),
    "dress": (("neck", "left_cuff", "right_cuff", "bottom_curve"), (4, 5, 6, 7, 8, 16, 17)),
    "tube": (("neck", "bottom_curve"), (4, 5, 6, 7, 8, 16, 17)),
    "skirt": (("bottom_curve", "upper_bottom"), (5, 6, 8)),
    "short_pants": (("left_pant", "right_pant", "upper_bottom"), (5, 6, 8)),
    "long_pants": (("left_pant", "right_pant", "upper_bottom"), (5, 6, 8)),
}
LABELS = ("neck", "left_cuff", "right_cuff", "upper_bottom", "left_pant", "right_pant", "bottom_curve")
JOINED, FAR = 10.0, 1000.0**0.5  # pixels: a piece that begins where the last ended; clicks off every contour
VERSION = "5.0.1"  # of labelme
REMEDY = "mend it in labelme, or delete it"


def read_lines(
    folder: str | Path, kind: str, *, frames: int, size: tuple[int, int]
) -> dict[int, dict[str, np.ndarray]]:
    """The lines of a folder by frame and label: points (N, 2), pixels; nothing where the folder is missing.

    Args:
        folder: a REC-MV data folder. kind: ``CLICKED`` (pairs of points) or ``DENSE`` (polylines).
        frames: number of pictures. size: their width and height, pixels.

    Raises:
        HvrError: a file is damaged or for no picture, of another size, names a line twice or an unknown one,
            or has points that are none: the message names it.
    """
    out = {}
    for path in results(Path(folder) / kind, "*.json"):
        if not path.stem.isdecimal() or int(path.stem) >= frames:
            raise HvrError(
                f"{path} belongs to no picture; files of {kind} are named as the pictures, 000000.json to "
                f"{frames - 1:06d}.json"
            )
        out[int(path.stem)] = _lines_of(path, kind == CLICKED, size)
    return out


def _lines_of(path: Path, paired: bool, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """The lines of one file by label."""
    value = read_json(path, remedy=REMEDY)
    stated = value.get("imageWidth") or size[0], value.get("imageHeight") or size[1]
    if stated != size:
        raise HvrError(
            f"{path} was drawn on {stated[0]}x{stated[1]}, the pictures are {size[0]}x{size[1]}; "
            "draw it on the pictures of this folder"
        )
    shapes = value.get("shapes")
    if not isinstance(shapes, list) or not all(isinstance(s, dict) for s in shapes):
        raise HvrError(f"{path} has no list of shapes; {REMEDY}")
    out: dict[str, np.ndarray] = {}
    for shape in shapes:
        label = shape.get("label")
        if label not in LABELS:
            raise HvrError(f"{path} has a line {str(label)[:40]!r}; lines are {', '.join(LABELS)}")
        if label in out:
            raise HvrError(f"{path} has two lines {label}; join them, a label may stand once in a file")
        points = _points(path, label, shape.get("points"), size)
        if paired and len(points) % 2:
            raise HvrError(
                f"{path}: {label} has {len(points)} points, an odd number; two points are the ends of one "
                "visible piece"
            )
        out[label] = points
    return out


def _points(path: Path, label: str, points, size: tuple[int, int]) -> np.ndarray:
    """(N, 2) points of a line, checked."""
    try:
        out = np.asarray(points, np.float64).reshape(-1, 2) + 0.5
    except (TypeError, ValueError):
        raise HvrError(f"{path}: {label} has points that are no pairs of numbers; {REMEDY}") from None
    if len(out) < 2 or not np.isfinite(out).all():
        raise HvrError(f"{path}: {label} has {len(out)} usable points; two or more are needed")
    if (out < -1).any() or (out > np.add(size, 1)).any():
        raise HvrError(
            f"{path}: {label} has a point outside the picture of {size[0]}x{size[1]}; was it resized?"
        )
    return out


def write_lines(
    folder: str | Path, kind: str, lines: dict[int, dict[str, np.ndarray]], *, size: tuple[int, int]
) -> None:
    """Write lines by frame and label, points (N, 2) pixels, as labelme files below ``folder``.

    Args:
        kind: ``CLICKED`` or ``DENSE``. size: width and height of the pictures.
    """
    (Path(folder) / kind).mkdir(parents=True, exist_ok=True)
    for frame, of in sorted(lines.items()):
        shapes = [
            {
                "label": label,
                "points": (np.asarray(points) - 0.5).tolist(),
                "group_id": None,
                "shape_type": "polygon",
                "flags": {},
            }
            for label, points in of.items()
        ]
        value = {
            "version": VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": f"../imgs/{frame:06d}.png",
            "imageData": None,
            "imageHeight": size[1],
            "imageWidth": size[0],
        }
        write_json(Path(folder) / kind / f"{frame:06d}.json", value)


def dense_lines(
    clicked: dict[str, np.ndarray], labels: np.ndarray, garments: list[str]
) -> dict[str, np.ndarray]:
    """Clicked lines of one frame, followed along the contours of the garments that own them.

    Args:
        clicked: pairs of points (2 K, 2), pixels, by label. labels: (H, W) ATR.
        garments: kinds, of ``GARMENT_KINDS``.
    """
    out = {}
    for label, points in clicked.items():
        owners = [kind for kind in garments if label in GARMENT_KINDS[kind][0]]
        if not owners:
            raise HvrError(
                f"no garment of {', '.join(garments) or 'none'} has a line {label}; give all that are worn"
            )
        owner = next((kind for kind in owners if label != "upper_bottom" or "upper" in kind), owners[0])
        out[label] = along_contours(points, cloth_contours(np.isin(labels, GARMENT_KINDS[owner][1])))
    return out


def cloth_contours(cloth: np.ndarray) -> list[np.ndarray]:
    """Contours (N, 2), pixels, of a mask (H, W) bool without its thin parts; specks are left out."""
    square, mask = np.ones((5, 5), np.uint8), cloth.astype(np.uint8)
    mask = cv2.dilate(cv2.erode(mask, square, iterations=2), square, iterations=2)
    found = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)[0]
    return [c[:, 0].astype(np.float64) + 0.5 for c in found if len(c) > 2]


def along_contours(ends: np.ndarray, contours: list[np.ndarray]) -> np.ndarray:
    """The polyline (N, 2) through pairs of ends (2 K, 2), each pair joined along a contour.

    A pair is joined straight where it begins at the end of the pair before (within ``JOINED`` pixels) or one
    of its ends is farther than ``FAR`` from all contours. Else both ends are moved to the contour that
    encloses more, of those nearest to either, and the shorter way between them is taken (by the sum of
    steps in x and y), from the first end to the second.
    """
    pieces, before = [], None
    for a, b in ends.reshape(-1, 2, 2):
        joined = before is not None and np.linalg.norm(a - before) <= JOINED
        way = np.zeros((0, 2)) if joined else _shorter_way(a, b, contours)
        pieces += [a[None], way, b[None]]
        before = b
    return np.concatenate(pieces)


def _shorter_way(a: np.ndarray, b: np.ndarray, contours: list[np.ndarray]) -> np.ndarray:
    """(N, 2) points of a contour between two points beside it; none where one is too far from all."""
    far = np.array([[np.linalg.norm(c - end, axis=1).min() for c in contours] for end in (a, b)])
    if not contours or far.min(1).max() > FAR:
        return np.zeros((0, 2))
    near = {int(k) for k in far.argmin(1)}
    contour = contours[max(near, key=lambda k: cv2.contourArea(contours[k].astype(np.float32)))]
    first, last = (int(np.linalg.norm(contour - end, axis=1).argmin()) for end in (a, b))
    count = len(contour)
    ways = [
        contour[(first + np.arange((last - first) % count + 1)) % count],
        contour[(first - np.arange((first - last) % count + 1)) % count],
    ]
    return min(ways, key=lambda way: np.abs(np.diff(way, axis=0)).sum())


def guessed_garments(lines: dict[int, dict[str, np.ndarray]], labels: np.ndarray) -> list[str]:
    """The kinds of garments (of ``GARMENT_KINDS``) that lines and ATR labels (T, H, W) speak of.

    The folder does not say. Sleeves and legs are told by their length only from the label of the limb, so
    the long kinds are given; both lengths have the same curves and labels.
    """
    drawn = {label for of in lines.values() for label in of}
    count = np.bincount(labels.ravel(), minlength=18)
    if count[7] > count[4]:
        return ["dress" if "left_cuff" in drawn or "right_cuff" in drawn else "tube"]
    out = []
    if drawn & {"neck", "left_cuff", "right_cuff"} or count[4]:
        bare = "bottom_curve" in drawn and not count[5]
        out.append("no_sleeve_upper" if bare else "long_sleeve_upper")
    if drawn & {"left_pant", "right_pant"} or count[6] > count[5]:
        out.append("long_pants")
    elif count[5]:
        out.append("skirt")
    return out
