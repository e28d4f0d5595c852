"""``python -m hvr_nb clips``: one page and one CSV over all clips of a folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from hvr_nb.store.places import CLIPS
from hvr_nb.types import HvrError


def add_clips(commands) -> None:
    """Add the command to the command line's subparsers."""
    command = commands.add_parser("clips", help="write clips.html and metrics.csv over all clips of a folder")
    command.add_argument("folder", type=Path, nargs="?", default=CLIPS, help="folder of the clips")
    command.set_defaults(act=_act)


def refresh_clips_page(
    folder: Path, *, failed: Mapping[str, str] | None = None, always: bool = False
) -> Path | None:
    """Write the page of the folder of clips ``data/clips``, or of any folder with ``always``; else None.

    Args:
        failed: videos of which no clip was made -> why.
    """
    if not folder.is_dir() or not (always or folder == CLIPS):
        return None
    from hvr_nb.report import write_clips_page

    try:
        return write_clips_page(folder, failed=failed)
    except HvrError as error:  # the clips are done; only the page over them is not
        print(f"error: {error}", file=sys.stderr)
        return None


def _act(args: argparse.Namespace) -> int:
    from hvr_nb.report import write_clips_page

    if not args.folder.is_dir():
        raise HvrError(f"there is no folder {args.folder}; give the folder that holds the clips")
    print(f"all clips: {write_clips_page(args.folder)}")
    return 0
