"""What lies where a clip would be written or was looked for: another film's clip, other clips beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hvr_nb.types import HvrError

MOST_NAMES = 12  # in one message


def refuse_another_film(folder: Path, before: Mapping[str, object], source: Mapping[str, object]) -> None:
    """Refuse to renew the clip of one film from another; synthetic ones may change.

    Args:
        before, source: the provenance in ``clip.json``, as it is and as it would be.
    """
    told = all(s.get("sha256") and s.get("path") for s in (before, source))
    drawn = before.get("synthetic") and source.get("synthetic")
    if told and not drawn and all(before[key] != source[key] for key in ("sha256", "path")):
        raise HvrError(
            f"{folder} is the clip of {before['path']}, not of {source['path']}; "
            "give another clip folder, or move this one away"
        )


def others_beside(folder: Path) -> str:
    """Which clips lie beside a folder that is none, in words; "" where there are none."""
    beside = sorted(p.parent.name for p in folder.absolute().parent.glob("*/clip.json"))
    more = f" and {len(beside) - MOST_NAMES} more" if len(beside) > MOST_NAMES else ""
    return f", or open one of those beside it: {', '.join(beside[:MOST_NAMES])}{more}" if beside else ""
