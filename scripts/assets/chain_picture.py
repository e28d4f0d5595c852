"""The picture of the README: one frame of a finished clip through every stage.

python -m scripts.assets.chain_picture data/clips/demo docs/images/chain.jpg [--frame 0]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.drawing.pictures import contact_sheet, draw_mask, draw_skeleton, encode_jpeg, over, to_uint8
from hvr_nb.drawing.shading import body_overlay
from hvr_nb.geometry.camera import project
from hvr_nb.methods import method
from hvr_nb.render.cameras import turntable
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import Clip
from hvr_nb.types import Camera
from hvr_nb.viewing.views import as_view


def crop_box(points: np.ndarray, camera: Camera) -> tuple[slice, slice]:
    """The part of the picture with the person, (V, 3) world points, and some margin."""
    pixels = project(points, camera)
    lo, hi = pixels.min(0), pixels.max(0)
    pad = 0.08 * (hi - lo).max()
    x0, y0 = np.maximum(lo - pad, 0).astype(int)
    x1, y1 = np.minimum(hi + pad, [camera.width, camera.height]).astype(int)
    return slice(y0, y1), slice(x0, x1)


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frame", type=int, default=0)
    parser.add_argument("--method", default="nvr")
    args = parser.parse_args()
    clip, k = Clip.open(args.clip), args.frame
    avatar = method(args.method).load(clip.folder / "avatars" / args.method)
    model, image, body = load_body_model(), clip.frames[k], avatar.body
    vertices, joints = posed(model, body)
    box = crop_box(vertices[k], body.camera)
    masks = clip.masks
    cameras = turntable(body.camera, joints, views=8, frame=k)
    tiles = [
        image[box],
        draw_skeleton(image, clip.keypoints.points[k])[box],
        draw_mask(image, masks.alpha[k], masks.labels[k], label_set=masks.label_set)[box],
        body_overlay(clip.frames[k : k + 1], clip.body.frame(k), model)[0][box],
        as_view(clip.canonical, color="parts").panels.popitem()[1](0),
    ]
    for camera in (cameras[0], cameras[2], cameras[4]):
        picture = avatar.render(camera, body.frame(k), frame=None)
        tiles.append(over(to_uint8(picture.rgb), to_uint8(picture.alpha))[box])
    captions = [
        "film",
        "joints",
        "silhouette, labels",
        "SMPL body",
        "big pose",
        "avatar",
        "90 degrees",
        "from behind",
    ]
    sheet = contact_sheet(tiles, captions, tile=300)
    with atomic(args.out) as partial:
        partial.write_bytes(encode_jpeg(sheet, quality=88))
    print(args.out, sheet.shape)


if __name__ == "__main__":
    main()
