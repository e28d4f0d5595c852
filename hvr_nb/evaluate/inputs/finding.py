"""One thing found in the inputs of a clip."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A sentence about an input."""

    level: str  # "fault": it spoils the result; "doubt": look at the picture; "remark": good to know
    name: str  # short, the same for the same kind of finding
    text: str  # what is wrong and what to do about it


def listed(names: list[str], *, most: int = 6) -> str:
    """Frame names for a sentence, the first few of them."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
