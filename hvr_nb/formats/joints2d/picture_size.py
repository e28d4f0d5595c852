"""Joints of other pictures in the pixels of the clip's: the film's own size, or one that is given."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hvr_nb.formats.joints2d.seen import SeenPeople
from hvr_nb.types import HvrError

MARGIN = 0.05  # of the picture: joints may be guessed so far beyond its edge
SURE = 0.5  # confidence of joints that are asked; guesses beyond the picture's edge have less
_MOST_OUTSIDE = 0.1  # of these joints
_SAME_SHAPE = 0.02  # by which two pictures' ratios of width to height may differ
_JUMP, _EXACT = 0.05, 0.25  # of the ratio of sizes; of the change that a jump leaves unexplained


def pixels_of_clip(
    people: list[list[np.ndarray]],
    seen: SeenPeople,
    *,
    size: tuple[int, int],
    film_size: tuple[int, int],
    given: tuple[int, ...],
    named_alike: bool,
) -> tuple[list[list[np.ndarray]], str]:
    """People (25, 3) of the pictures that belong to the clip, in its pixels, and what was assumed ("": nothing).

    The pictures' size is the one given, else the file's own, else the clip's or the film's: the one
    that holds the joints. Where both do, it is the film's, on which other programs are run, but the clip's
    where the pictures bear the names of the clip's frames.

    Args:
        people: of P pictures. size: width, height of the clip's frames. film_size: of the film's.
        given: of the pictures that the joints were found in, where the user knows it, else ().
        named_alike: whether the pictures bear the names of a video clip's frames.

    Raises:
        HvrError: joints in shares of the picture, outside of all these pictures, of a picture of another
            shape, or in two sizes.
    """
    joints = [person for here in people for person in here]
    points = np.concatenate([p[p[:, 2] >= SURE, :2] for p in joints]) if joints else np.zeros((0, 2))
    if not len(points):
        return people, ""
    if np.abs(points).max() <= 1:
        raise HvrError(
            "the coordinates lie between 0 and 1, not in pixels; run openpose with --keypoint_scale 0"
        )
    theirs, note = given or seen.size, ""
    if theirs is None:
        theirs, note = _found_in(points, size, film_size, named_alike)
    shape = (theirs[0] / theirs[1]) / (size[0] / size[1])
    if abs(shape - 1) > _SAME_SHAPE:
        raise HvrError(
            f"the joints were found in pictures of {theirs[0]}x{theirs[1]}, the clip's are {size[0]}x{size[1]}, "
            "of another shape; make them from the same film, neither cut nor turned"
        )
    if _outside(points, theirs) > _MOST_OUTSIDE:
        reach = " x ".join(f"{x:.0f}" for x in np.quantile(points, 0.98, axis=0))
        raise HvrError(
            f"the joints reach to pixel {reach}, the pictures are {theirs[0]}x{theirs[1]}; they were found in "
            "other pictures: make them from this film, or say the size of those pictures (keypoints_size)"
        )
    ratio = np.array([size[0] / theirs[0], size[1] / theirs[1], 1.0])
    return [[person * ratio for person in here] for here in people], note


def _found_in(
    points: np.ndarray, size: tuple[int, int], film: tuple[int, int], named_alike: bool
) -> tuple[tuple[int, int], str]:
    """The size of the pictures that points (N, 2) were found in, and a note where both sizes hold them."""
    if tuple(size) == tuple(film):
        return size, ""
    if _outside(points, size) > max(_MOST_OUTSIDE, _outside(points, film)):
        return film, ""
    taken, other = (size, film) if named_alike else (film, size)
    return taken, (
        f"the joints are taken as pixels of pictures of {taken[0]}x{taken[1]}; if they were found in pictures "
        f"of {other[0]}x{other[1]}, give keypoints_size = [{other[0]}, {other[1]}]"
    )


def _outside(points: np.ndarray, size: tuple[int, int]) -> float:
    """Share of points (N, 2) that lie clearly outside a picture."""
    span = np.array(size, float)
    return float(((points < -MARGIN * span) | (points > (1 + MARGIN) * span)).any(1).mean())


def check_one_size(people: list[list[np.ndarray]], size: tuple[int, int], film_size: tuple[int, int]) -> None:
    """Refuse people (25, 3) of T frames that jump between the clip's pixels and the film's.

    Raises:
        HvrError: from one frame to the next all joints scale about the picture's corner by the ratio of sizes.
    """
    ratio = film_size[0] / size[0]
    if abs(ratio - 1) < 2 * _JUMP:
        return
    largest = {}
    for t, here in enumerate(people):
        known = [p for p in here if (p[:, 2] >= SURE).sum() >= 6]
        if known:
            largest[t] = max(known, key=lambda p: np.ptp(p[p[:, 2] >= SURE, 1]))
    for (a, first), (b, second) in pairwise(largest.items()):
        both = (first[:, 2] >= SURE) & (second[:, 2] >= SURE)
        if both.sum() < 6:
            continue
        before, after = first[both, :2], second[both, :2]
        scale = (before * after).sum() / (before**2).sum()
        jump = min(abs(scale / r - 1) for r in (ratio, 1 / ratio))
        left = np.linalg.norm(after - scale * before) / max(np.linalg.norm(after - before), 1e-9)
        if jump < _JUMP and left < _EXACT:
            raise HvrError(
                f"between frames {a} and {b} of the clip all joints jump by a factor of {scale:.2f}: they come "
                "from pictures of two sizes; make all of them from one"
            )
