"""Matching the pictures of another program to the frames of a clip (docs/formats.md, 4)."""

from __future__ import annotations

import re

import numpy as np

from hvr_nb.types import HvrError


def picture_numbers(names: list[str]) -> list[int | None]:
    """The number of the picture in each name; None where there is none.

    Of several numbers it is the last one that changes from name to name, so "cam2_12_pose3d" is
    picture 12.
    """
    found = [re.findall(r"\d+", name) for name in names]
    columns = {len(numbers) for numbers in found}
    place = -1
    if len(columns) == 1 and columns != {0} and len(names) > 1:
        kinds = [len({numbers[k] for numbers in found}) for k in range(columns.pop())]
        place = max(range(len(kinds)), key=lambda k: (kinds[k], k))
    return [int(numbers[place]) if numbers else None for numbers in found]


def match_pictures(
    pictures: list[str], names: list[str], *, film_frames: int = 0
) -> tuple[list[int | None], str]:
    """The frame of each picture (None: not in the clip), and what was assumed ("": nothing).

    Names decide where all of them are in the clip; otherwise numbers do. Their range tells how they count:
    from 0 like the clip, from 1, or only the frames of the clip.

    Args:
        pictures: names or numbers of the other program's pictures. names: the clip's T frame names.
        film_frames: number of frames of the film that the names of the clip count; 0 if not known, or if
            the names do not count from 0.

    Raises:
        HvrError: no picture belongs to the clip.
    """
    row = {name: i for i, name in enumerate(names)}
    if not film_frames and set(names) <= set(pictures):
        return [row.get(picture) for picture in pictures], ""
    theirs, ours = picture_numbers(pictures), picture_numbers(names)
    if (
        None in ours
        and len(pictures) == len(names)
        and theirs
        in (
            list(range(len(names))),
            list(range(1, len(names) + 1)),
        )
    ):
        return list(range(len(names))), ""
    if None in theirs or None in ours or len(set(ours)) < len(ours):
        matched = [row.get(picture) for picture in pictures]
        if not any(index is not None for index in matched):
            raise HvrError(_none_fits(pictures, names))
        return matched, ""
    start, note = _counted_from(np.array(theirs), np.array(ours), film_frames)
    if start is None:  # the numbers count the frames of the clip
        first = min(theirs)
        matched = [number - first for number in theirs]
    else:
        place = {number: i for i, number in enumerate(ours)}
        matched = [place.get(number - start) for number in theirs]
    if not any(index is not None for index in matched):
        raise HvrError(_none_fits(pictures, names))
    return matched, note


def _counted_from(theirs: np.ndarray, ours: np.ndarray, film_frames: int) -> tuple[int | None, str]:
    """Offset of their numbers from those of the clip (None: they count the clip's frames), and a note."""
    run = np.unique(theirs)
    as_many = run[0] in (0, 1) and run[-1] - run[0] + 1 == len(ours) < 2 * len(run)
    counted = any((ours == np.arange(len(ours)) + first).all() for first in (0, 1))
    if as_many and not counted:
        return None, "they are as many as the clip's frames and are taken for those, in order"
    fits = {}
    for start in (0, 1, -1):
        moved = run - start
        strays = ((moved < 0) | (moved >= film_frames)).sum() if film_frames else 0
        fits[start] = int(np.isin(ours, moved).sum()) - int(strays)
    best = max(fits, key=lambda start: (fits[start], start == 0))
    if best == 1:
        return 1, "their numbers start at 1 and are taken as counted from 1"
    if best == 0 and fits[1] == fits[0] and run[0] == 1 and ours[0] == 0:
        return 0, "their numbers start at 1; they are taken as counted from 0, with nobody in the first frame"
    return best, "" if best == 0 else "their numbers are one behind the clip's"


def _none_fits(pictures: list[str], names: list[str]) -> str:
    return (
        f"pictures {pictures[0]} to {pictures[-1]} are none of the clip's frames {names[0]} to {names[-1]}; "
        "make the joints from the same film"
    )
