"""``python -m hvr_nb clean``: a clip made smaller; it shows first what would go."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_clean(commands) -> None:
    """Add the command to the command line's subparsers."""
    command = commands.add_parser(
        "clean", help="make a clip smaller: what its notebooks can write again goes (shown first)"
    )
    command.add_argument("clip", type=Path, help="clip folder")
    command.add_argument("--keep", nargs="+", default=[], metavar="WHAT", help="stays: renders, canonical")
    command.add_argument("--delete", action="store_true", help="remove it; without, it is only shown")
    command.set_defaults(act=_act)


def _act(args: argparse.Namespace) -> int:
    from hvr_nb.batch.clean import REMADE, clean_clip, removable

    rows = removable(args.clip, keep=args.keep)
    for row in rows:
        note = f"stays: {row.kept}" if row.kept else f"made again by {REMADE[row.what]}"
        print(f"{row.size / 1e6:8.1f} MB  {row.place}  ({note})")
    total = sum(row.size for row in rows if not row.kept)
    if args.delete:
        clean_clip(args.clip, keep=args.keep)
        print(f"{total / 1e6:.1f} MB removed; `run` makes it again")
    else:
        print(f"{total / 1e6:.1f} MB could go; nothing was removed. Add --delete to remove it.")
    return 0
