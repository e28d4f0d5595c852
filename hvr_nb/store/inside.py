"""Nothing outside a clip's folder is read or written, whatever the clip's own files say.

A clip may come from somebody else: frame names in its manifests become file names, and links in it may lead
anywhere. Names are checked when they are read, links when the clip is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from hvr_nb.types import HvrError

MAX_NAME = 200  # bytes of a frame's name; file systems take 255 with the ending


def is_plain(name: object) -> bool:
    """Whether a text can be a file's name in any folder: no path, no dot in front, not too long."""
    return (
        isinstance(name, str)
        and 0 < len(name.encode(errors="replace")) <= MAX_NAME
        and name[0] != "."
        and not any(c in "/\\" or ord(c) < 32 for c in name)
    )


def check_names(names: Iterable[object], where: object, remedy: str) -> list[str]:
    """Names after which files are called, as a list.

    Args:
        where: the file or the call they come from. remedy: ends the error message.

    Raises:
        HvrError: one of them is no plain name, or two are equal.
    """
    names = list(names)
    wrong = [name for name in names if not is_plain(name)]
    if wrong:
        raise HvrError(f"{where}: {str(wrong[0])[:80]!r} cannot be the name of a frame; {remedy}")
    if len(set(names)) < len(names):
        raise HvrError(f"{where}: two frames have one name; {remedy}")
    return names


def refuse_escapes(folder: str | Path) -> None:
    """Raise HvrError for a link below a clip's folder that leads out of it, or for a pipe or device."""
    top = os.path.realpath(folder)
    for root, folders, files in os.walk(top):  # follows no links
        for name in [*folders, *files]:
            path = os.path.join(root, name)
            try:
                mode = os.lstat(path).st_mode
            except FileNotFoundError:  # another writer has just moved it into its place
                continue
            if stat.S_ISLNK(mode):
                target = os.path.realpath(path)
                if os.path.commonpath([top, target]) != top:
                    raise HvrError(
                        f"{path} is a link to {target}, outside the clip; put the files themselves there"
                    )
            elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise HvrError(f"{path} is neither a file nor a folder; remove it")
