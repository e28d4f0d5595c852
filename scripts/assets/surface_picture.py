"""A sheet of an exported clothed mesh beside its film, and beside another program's video of the same film.

python -m hvr_nb export frames CLIP FOLDER --meshes none
python -m scripts.assets.surface_picture CLIP FOLDER sheet.jpg [--beside video.mp4] [--without-film]

The right half of the video shows the other program's mesh over the film. Its silhouette is the part that
differs from the left half, and its overlap with the clip's masks is printed beside ours. The licence of
footage may forbid to publish its pictures: ``--without-film`` draws silhouettes instead and leaves out
everything that the film coloured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from hvr_nb.drawing.pictures import contact_sheet, encode_jpeg
from hvr_nb.metrics.images import iou
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image
from hvr_nb.store.video import read_video

CHANGED = 30  # grey levels by which a pixel of the right half differs where the mesh is drawn


def changed(pair: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels in which the halves of a picture (H, 2 W, 3) uint8 differ."""
    left, right = np.split(pair[:, : pair.shape[1] // 2 * 2].astype(int), 2, axis=1)
    kernel = np.ones((5, 5), np.uint8)
    found = (np.abs(left - right).max(-1) > CHANGED).astype(np.uint8)
    found = cv2.morphologyEx(cv2.morphologyEx(found, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
    pieces, _ = ndimage.label(ndimage.binary_fill_holes(found))
    return pieces == np.bincount(pieces.ravel())[1:].argmax() + 1


def main() -> None:
    """Draw the sheet and print the overlaps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("export", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--beside", type=Path, help="video of the same frames with another mesh in its right half"
    )
    parser.add_argument("--without-film", action="store_true")
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--tile", type=int, default=260)
    args = parser.parse_args()
    clip = Clip.open(args.clip)
    frames, alpha = clip.frames, clip.masks.alpha
    which = np.linspace(0, len(frames), args.columns, endpoint=False).astype(int)
    rows = {}
    if args.without_film:
        rows["silhouette"] = [np.repeat(255 - alpha[k][..., None] // 2, 3, 2) for k in which]
    else:
        rows["film"] = [frames[k] for k in which]
    for name, folder in {"mesh": "meshs", "normals": "normals"}.items():
        rows[name] = [read_image(args.export / folder / f"{k}.png", remedy="export again") for k in which]
    if not args.without_film:
        rows["colours"] = [read_image(args.export / f"colors/{k}.png", remedy="export again") for k in which]
    ours = np.loadtxt(args.export / "iou.csv", delimiter=",", skiprows=1, usecols=1)
    line = f"iou={ours.mean():.4f} iou_least={ours.min():.4f}"
    if args.beside:
        pairs = read_video(args.beside).frames[[int(name) for name in clip.frame_names]]
        size = frames.shape[2:0:-1]
        theirs = [
            cv2.resize(255 * changed(p).astype(np.uint8), size, interpolation=cv2.INTER_AREA) for p in pairs
        ]
        line += (
            f" iou_beside={np.mean([iou(a > 127, b > 127) for a, b in zip(theirs, alpha, strict=True)]):.4f}"
        )
        if not args.without_film:
            rows["beside"] = [pairs[k][:, pairs.shape[2] // 2 :] for k in which]
    tiles = [picture for row in rows.values() for picture in row]
    sheet = contact_sheet(tiles, columns=len(which), tile=args.tile, row_labels=list(rows))
    with atomic(args.out) as partial:
        partial.write_bytes(encode_jpeg(sheet, quality=82))
    print(line)


if __name__ == "__main__":
    main()
