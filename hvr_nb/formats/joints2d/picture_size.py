"""Joints found in pictures of another size, in the pixels of the clip (docs/formats.md, 4)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hvr_nb.formats.joints2d.seen import SeenPeople
from hvr_nb.types import HvrError

MARGIN = 0.05  # share of the picture by which joints may lie beyond its border
SURE = 0.5  # least confidence of the joints used; guesses beyond the border have less
_MOST_OUTSIDE = 0.1  # largest share of them that may lie outside
_SAME_SHAPE = 0.02  # largest difference of the ratios of width to height
_JUMP, _EXACT = 0.05, 0.25  # largest deviation from the ratio of sizes; largest share left unexplained


def pixels_of_clip(
    people: list[list[np.ndarray]],
    seen: SeenPeople,
    *,
    size: tuple[int, int],
    film_size: tuple[int, int],
    given: tuple[int, ...],
    named_alike: bool,
) -> tuple[list[list[np.ndarray]], str]:
    """People (25, 3) in the pixels of the clip, and what was assumed ("": nothing).

    The size of the pictures is the given one, or that in the file, or the one of clip and film that contains
    the joints. Where both contain them, it is the film's, because other programs usually run on the film;
    but the clip's if the pictures have the names of the clip's frames.

    Args:
        people: of P pictures. size: width, height of the clip's frames. film_size: of the film's frames.
        given: size of the pictures that the joints were found in, if the user knows it, otherwise ().
        named_alike: whether the pictures have the names of a video clip's frames.

    Raises:
        HvrError: joints are shares of the picture, lie outside all these pictures, are of a picture of
            another shape, or have two sizes.
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
            f"the joints were found in pictures of {theirs[0]}x{theirs[1]}, the clip's are "
            f"{size[0]}x{size[1]}, of another shape; make them from the same film, not cropped or rotated"
        )
    if _outside(points, theirs) > _MOST_OUTSIDE:
        reach = " x ".join(f"{x:.0f}" for x in np.quantile(points, 0.98, axis=0))
        raise HvrError(
            f"the joints reach to pixel {reach}, the pictures are {theirs[0]}x{theirs[1]}; they were found "
            "in other pictures: make them from this film, or give the size of those pictures (keypoints_size)"
        )
    ratio = np.array([size[0] / theirs[0], size[1] / theirs[1], 1.0])
    return [[person * ratio for person in here] for here in people], note


def _found_in(
    points: np.ndarray, size: tuple[int, int], film: tuple[int, int], named_alike: bool
) -> tuple[tuple[int, int], str]:
    """The size of the pictures that points (N, 2) were found in, and a note where both sizes contain them."""
    if tuple(size) == tuple(film):
        return size, ""
    if _outside(points, size) > max(_MOST_OUTSIDE, _outside(points, film)):
        return film, ""
    taken, other = (size, film) if named_alike else (film, size)
    return taken, (
        f"the joints are taken as pixels of pictures of {taken[0]}x{taken[1]}; if they were found in "
        f"pictures of {other[0]}x{other[1]}, give keypoints_size = [{other[0]}, {other[1]}]"
    )


def _outside(points: np.ndarray, size: tuple[int, int]) -> float:
    """Share of the points (N, 2) that lie clearly outside a picture."""
    span = np.array(size, float)
    return float(((points < -MARGIN * span) | (points > (1 + MARGIN) * span)).any(1).mean())


def check_one_size(people: list[list[np.ndarray]], size: tuple[int, int], film_size: tuple[int, int]) -> None:
    """Refuse people (25, 3) of T frames that jump between the pixels of the clip and of the film.

    Raises:
        HvrError: between two frames all joints are scaled about the corner of the picture by the ratio of
            the sizes.
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
                f"between frames {a} and {b} of the clip all joints jump by a factor of {scale:.2f}: they "
                "come from pictures of two sizes; make all of them from one"
            )
