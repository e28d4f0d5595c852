"""The pictures of the README: a moving one and five still ones, from a clip of the synthetic person.

python -m scripts.assets.moving_picture data/clips/demo docs/images
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from hvr_nb.body.model import posed
from hvr_nb.drawing.pictures import (
    contact_sheet,
    draw_mask,
    draw_skeleton,
    encode_jpeg,
    over,
    resized,
    window,
    write_text,
)
from hvr_nb.drawing.shading import body_overlay
from hvr_nb.geometry.camera import project
from hvr_nb.render.pictures import load_pictures
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import Clip
from hvr_nb.types import HvrError
from hvr_nb.viewing.views import as_view

HEIGHT, FPS, COUNT, MOST = 232, 10.0, 45, 1_500_000  # pixels of a panel, pictures a second, pictures, bytes
BACK = 244.0  # grey behind the avatar
CAPTION = 26  # pixels below a panel


class Parts:
    """What a clip holds to be shown, cut to the person."""

    def __init__(self, clip: Clip, method: str):
        self.clip, self.avatar = clip, clip.avatar(method)
        folder, body = clip.folder / "renders" / method, self.avatar.body
        self.filmed = load_pictures(folder / "frames", clip.frame_names)
        self.table, self.novel = load_pictures(folder / "turntable"), load_pictures(folder / "novel_poses")
        pixels = project(posed(self.avatar.model, body)[0], body.camera).reshape(-1, 2)
        self.rows, self.columns = window(pixels.min(0), pixels.max(0), clip.frames.shape[1:], margin=0.04)

    def panels(self, k: int, share: float) -> dict[str, np.ndarray]:
        """Name -> (H, W, 3) of frame k; ``share`` 0..1 of the round of the turntable."""
        clip, at = self.clip, slice(k, k + 1)
        turn, wave = (int(share * len(p.rgb)) for p in (self.table, self.novel))
        found = {
            "film": clip.frames[k],
            "joints": draw_skeleton(clip.frames[k], clip.keypoints.points[k]),
            "SMPL body": body_overlay(clip.frames[at], clip.body.frame(k), self.avatar.model)[0],
        }
        found = {name: image[self.rows, self.columns] for name, image in found.items()}
        return found | {
            "avatar, any view": self._alone(self.table, turn),
            "new poses": self._alone(self.novel, wave),
        }

    def _alone(self, pictures, k: int) -> np.ndarray:
        """A rendered picture over grey, cut to what is seen in all of them."""
        y, x = np.nonzero((pictures.alpha > 20).any(0))
        rows, columns = window(
            np.array([x.min(), y.min()]), np.array([x.max(), y.max()]), pictures.rgb.shape[1:], margin=0.02
        )
        return over(pictures.rgb[k], pictures.alpha[k], BACK)[rows, columns]


def strip_of(panels: dict[str, np.ndarray]) -> np.ndarray:
    """The panels in a row with their names below, (H, W, 3)."""
    tiles = [resized(image, height=HEIGHT) for image in panels.values()]
    gap = np.full((HEIGHT, 6, 3), 255, np.uint8)
    row = np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)
    sheet = np.full((HEIGHT + CAPTION, row.shape[1], 3), 255, np.uint8)
    sheet[:HEIGHT] = row
    x = 0
    for name, tile in zip(panels, tiles, strict=True):
        sheet = write_text(sheet, name, (x + 4, HEIGHT + 5), size=14)
        x += tile.shape[1] + 6
    return sheet


def write_moving(parts: Parts, path: Path) -> None:
    """A WebP of at most ``MOST`` bytes that runs round once."""
    clip = parts.clip
    count = min(COUNT, len(clip))
    shown = [strip_of(parts.panels(k * len(clip) // count, k / count)) for k in range(count)]
    images = [Image.fromarray(picture) for picture in shown]
    for quality in (72, 60, 48, 36):
        with atomic(path) as partial:
            images[0].save(
                partial,
                "WEBP",
                save_all=True,
                append_images=images[1:],
                duration=round(1000 / FPS),
                loop=0,
                quality=quality,
                method=6,
            )
        if path.stat().st_size <= MOST:
            return
    raise HvrError(f"{path} is larger than {MOST} bytes; make HEIGHT or FPS smaller")


def stills(parts: Parts) -> dict[str, np.ndarray]:
    """Name -> picture of each of the five things that come out, (H, W, 3)."""
    clip, frames = parts.clip, [k * len(parts.clip) // 6 for k in range(6)]
    cut = (parts.rows, parts.columns)
    joints = [draw_skeleton(clip.frames[k], clip.keypoints.points[k])[cut] for k in frames[:3]]
    masks, labels = clip.masks, clip.masks.label_set
    cuts = [
        draw_mask(clip.frames[k], masks.alpha[k], masks.labels[k], label_set=labels)[cut] for k in frames[:3]
    ]
    bodies = [parts.panels(k, 0)["SMPL body"] for k in frames]
    pose = as_view(clip.canonical, color="parts").panels.popitem()[1](0)
    turns = [parts.panels(0, k / 6)["avatar, any view"] for k in range(6)]
    waves = [parts.panels(0, k / 6)["new poses"] for k in range(6)]
    sheets = {"joints": joints + cuts, "body": bodies, "pose": [pose], "turntable": turns, "poses": waves}
    return {name: contact_sheet(tiles, tile=HEIGHT) for name, tiles in sheets.items()}


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--method", default="nvr")
    args = parser.parse_args()
    clip = Clip.open(args.clip)
    if not clip.info["source"].get("synthetic"):
        raise HvrError(f"{args.clip} is not of the synthetic person; no picture of anybody else is kept here")
    parts = Parts(clip, args.method)
    write_moving(parts, args.out / "demo.webp")
    for name, picture in stills(parts).items():
        with atomic(args.out / f"demo_{name}.jpg") as partial:
            partial.write_bytes(encode_jpeg(picture, quality=82))


if __name__ == "__main__":
    main()
