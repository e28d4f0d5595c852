"""The picture of the README that shows every method: one person, four avatars, from the front and the back.

python -m scripts.assets.methods_picture data/clips/demo docs/images/methods.jpg [--frame 0]

The clip must have been through 05_train with each method; methods without an avatar are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.drawing.pictures import contact_sheet, encode_jpeg, over, to_uint8
from hvr_nb.render.cameras import turntable
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import Clip
from scripts.assets.chain_picture import crop_box

CAPTIONS = {
    "nvr": "nvr: radiance field",
    "selfrecon": "selfrecon: clothed mesh",
    "recmv": "recmv: garments on a body",
    "pamir": "pamir: a mesh for each frame",
}


def views(avatar, frame: int, box: tuple[slice, slice]) -> np.ndarray:
    """The person of one frame from the film's camera and from behind, side by side, uint8."""
    _, joints = posed(avatar.model, avatar.body)
    cameras = turntable(avatar.body.camera, joints, views=2, frame=frame)
    pictures = [avatar.render(camera, avatar.body.frame(frame), frame=frame) for camera in cameras]
    return np.concatenate([over(to_uint8(p.rgb), to_uint8(p.alpha))[box] for p in pictures], axis=1)


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frame", type=int, default=0)
    args = parser.parse_args()
    clip, k = Clip.open(args.clip), args.frame
    made = [name for name in CAPTIONS if (clip.avatar_folder(name) / "options.json").is_file()]
    vertices, _ = posed(load_body_model(), clip.body)
    box = crop_box(vertices[k], clip.body.camera)
    tiles = [views(clip.avatar(name), k, box) for name in made]
    sheet = contact_sheet(tiles, [CAPTIONS[name] for name in made], columns=len(made), tile=420)
    with atomic(args.out) as partial:
        partial.write_bytes(encode_jpeg(sheet, quality=88))
    print(args.out, sheet.shape)


if __name__ == "__main__":
    main()
