"""Sentences about a body that does not stand on its masks, or a person who does not turn."""

from __future__ import annotations

import numpy as np

from hvr_nb.body.headings import turn_shown
from hvr_nb.evaluate.inputs.finding import Finding, listed
from hvr_nb.evaluate.inputs.place import Place
from hvr_nb.types import Body

POOR = 0.7  # overlap of body and mask under which they do not fit
ALONE = 0.25  # by which a frame lies under the others when it alone is wrong
SCALE, PLACE = 1.1, 0.08  # factor, and share of the person's height, from which on they are wrong
MILLIMETRES = 30.0  # factor from which on it is a matter of units
TURN = 240.0  # degrees of themselves that a person should show
_WORLD = (
    "bodies stand in a world with y up, seen by a camera R = diag(1, -1, -1); in a SelfRecon folder in "
    "OpenCV camera axes, x right, y down, z forward"
)
_TURNED = {
    "upside down": "the body hangs upside down: y and z of its world or of the camera are the wrong way "
    f"round. Turn the root rotation (and the translation) by half a turn about x; {_WORLD}",
    "head down": "the body stands on its head: pictures and masks, or the camera, are turned by half about "
    f"the optical axis. Turn the pictures, or the camera by half a turn about z; {_WORLD}",
    "behind": "the body stands behind the camera: the sign of z is wrong, as it is where y and z of the "
    f"world are the wrong way round. Turn the root rotation and the translation by half a turn about x; "
    f"{_WORLD}",
    "left": "the body lies on its side: it would fit if it were turned a quarter to the left. Frames and "
    "masks were turned upright and the body was not, or the other way round; use one of them for both",
    "right": "the body lies on its side: it would fit if it were turned a quarter to the right. Frames and "
    "masks were turned upright and the body was not, or the other way round; use one of them for both",
}


def place_findings(at: Place, names: list[str], *, height: float, shift: int = 0) -> list[Finding]:
    """What is wrong with a body's place.

    Args:
        at: how it stands in the frames ``names``. height: of the person in the pictures, pixels.
        shift: frames by which the poses would fit better (``best_shift``).
    """
    if at.turned:
        return [
            Finding(
                "fault",
                "on its side" if at.turned in ("left", "right") else "upside down",
                _TURNED[at.turned],
            )
        ]
    found = []
    if np.isfinite(at.scale) and abs(np.log(at.scale)) > np.log(SCALE):
        found.append(_scale(at.scale))
    if np.isfinite(at.scale) and max(map(abs, at.shift)) > PLACE:
        found.append(_place(at.shift, height))
    if shift:
        found.append(
            Finding(
                "fault",
                "other frames",
                "the poses belong to other frames: they fit best "
                f"when taken {abs(shift)} frames {'later' if shift > 0 else 'earlier'}. "
                "Frames are missing or were cut off since the body was fitted; use the "
                "rows of the frames that are there",
            )
        )
    mean = float(at.overlap.mean())
    if not found and mean < POOR:
        found.append(
            Finding(
                "fault",
                "no fit",
                f"body and masks overlap by {mean:.2f} only and neither "
                "turn, scale, place nor another frame explains it: the masks or the poses "
                "are of another person or film; look at the picture, and run 03_body to "
                "fit the body anew",
            )
        )
    alone = [
        n for n, x in zip(names, at.overlap, strict=True) if x < min(POOR, np.median(at.overlap) - ALONE)
    ]
    if alone and not found:
        found.append(
            Finding(
                "doubt",
                "single frames",
                "body and mask do not meet in frames "
                f"{listed(alone)} though they do in others: mend those masks or poses, or "
                "leave the frames out",
            )
        )
    return found


def _scale(scale: float) -> Finding:
    if max(scale, 1 / scale) > MILLIMETRES:
        return Finding(
            "fault",
            "wrong scale",
            f"the body is {scale:.3g} times too "
            f"{'small' if scale > 1 else 'large'} in the picture: units are mixed; "
            "everything is in metres, focal lengths in pixels",
        )
    word, how = ("small", "nearer") if scale > 1 else ("large", "farther away")
    factor = max(scale, 1 / scale)
    return Finding(
        "fault",
        "wrong scale",
        f"the body is {factor:.2f} times too {word} in the picture: "
        f"its height is wrong, or it should stand {factor:.2f} times {how}, or the focal "
        f"length should be {scale:.2f} times what it is (pictures of another size than the "
        "camera's?)",
    )


def _place(shift: tuple[float, float], height: float) -> Finding:
    (right, down) = (x * height for x in shift)
    ways = [
        f"{abs(v):.0f} px further {ways[v < 0]}"
        for v, ways in ((right, ("right", "left")), (down, ("down", "up")))
        if abs(v) > 0.25 * PLACE * height
    ]
    return Finding(
        "fault",
        "wrong place",
        f"the body should stand {' and '.join(ways)} in the pictures "
        f"({100 * max(map(abs, shift)):.0f} % of the person's height): the principal point or the "
        "translation is wrong, or frames were cropped since they were fitted",
    )


def turn_findings(body: Body) -> list[Finding]:
    """Whether the person turns so that all sides are filmed."""
    shown = turn_shown(body)
    if shown >= TURN:
        return []
    return [
        Finding(
            "doubt",
            "no turn",
            f"the person turns through {shown:.0f} degrees only: sides that "
            "are never filmed are guessed, and outlines of one side do not fix the shape. Film "
            "a full turn, the arms held away from the body",
        )
    ]
