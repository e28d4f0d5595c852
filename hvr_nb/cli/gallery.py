"""``python -m hvr_nb gallery CLIP``: all meshes of a clip's avatar in one page that needs no network."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_gallery(commands) -> None:
    """Add the command to the command line's subparsers."""
    command = commands.add_parser(
        "gallery", help="the avatar's mesh of every frame beside the frame, in one offline page"
    )
    command.add_argument("clip", type=Path, help="clip folder, e.g. data/clips/demo")
    command.add_argument("--method", default="pamir", help="whose avatar (default: pamir)")
    command.add_argument("--most", type=int, default=300, help="at most so many meshes (default: 300)")
    command.add_argument("--cells", type=int, default=0, help="cells along a mesh; 0: 110, about 16 mm")
    command.set_defaults(act=_act)


def _act(args: argparse.Namespace) -> int:
    from hvr_nb.report.gallery import CELLS, clip_gallery
    from hvr_nb.store.clip import Clip

    clip = Clip.open(args.clip)
    print(clip_gallery(clip, clip.avatar(args.method), most=args.most, resolution=args.cells or CELLS))
    return 0
