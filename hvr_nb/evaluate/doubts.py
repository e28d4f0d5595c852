"""Checks that colour a result instead of ending it: what to doubt, in words, and which stage began it.

A doubt is one sentence. Notebooks keep theirs with the stage's numbers (``clip.record(..., doubts=...)``);
the report shows them first, and a batch counts such videos apart.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hvr_nb.body.model import BodyModel, posed
from hvr_nb.evaluate.cross_view import bend
from hvr_nb.store.clip import Clip
from hvr_nb.types import Body, HvrError

LARGEST_BETA = 3.0  # standard deviations; beyond it is one person in 400
LEAN = 20.0  # degrees off upright, in the median of the frames
BENT = 12.0  # degrees by which a fitted knee may be more bent than the detector's own, in the median
SMALL = 120.0  # pixels of height
CUT = 0.2  # share of the frames
_KNEES = ((1, 4, 7), (2, 5, 8))  # SMPL: hip, knee, ankle
_SEEN_KNEES = ((23, 25, 27), (24, 26, 28))  # the detector's landmarks


def doubt_unless(holds: bool, text: str, *, passed: str = "", strict: bool = False) -> list[str]:
    """[] where something holds, with ``passed`` printed; else [text], printed.

    Args:
        text: the doubt, one sentence. passed: what was checked and found right, a few words.

    Raises:
        HvrError: it does not hold and ``strict`` is set; the message is ``text``.
    """
    if not holds and strict:
        raise HvrError(text)
    if passed or not holds:
        print(f"checked: {passed}" if holds else f"DOUBT: {text}")
    return [] if holds else [text]


def mask_doubts(
    measured: Mapping[str, float], *, min_cover: float, max_alike: float, strict: bool = False
) -> list[str]:
    """What is doubtful about silhouettes: a person who is hardly there, an outline that no colour shows.

    Args:
        measured: of ``measure_masks``. min_cover, max_alike: shares 0..1. strict: as in ``doubt_unless``.
    """
    cover, alike = measured["cover_pct"] / 100, measured["alike_pct"] / 100
    return doubt_unless(
        cover >= min_cover,
        f"the silhouettes cover only {cover:.2%} of the picture",
        passed=f"the silhouettes cover {cover:.1%} of the picture (doubted below {min_cover:.1%})",
        strict=strict,
    ) + doubt_unless(
        not alike > max_alike,
        f"along {alike:.0%} of the outline, person and background have alike colours: look there",
        passed=f"{alike:.0%} of the outline has alike colours beside it (doubted above {max_alike:.0%})",
        strict=strict,
    )


def body_doubts(clip: Clip, body: Body, model: BodyModel, *, strict: bool = False) -> list[str]:
    """What is unlikely about a fitted body: its shape, knees, lean, and how it was filmed.

    Args:
        body: of the clip's T frames. strict: as in ``doubt_unless``.
    """
    valid, keypoints = body.valid, clip.keypoints
    joints = posed(model, body)[1]
    found: list[str] = []

    def doubt(holds: bool, text: str, passed: str) -> None:
        found.extend(doubt_unless(holds, text, passed=passed, strict=strict))

    beta = float(np.abs(body.betas).max())
    doubt(
        beta <= LARGEST_BETA,
        f"the shape is one that hardly anybody has (a beta of {beta:.1f}); 03 may have taken clothes for "
        f"the body",
        f"the shape is a usual one (largest beta {beta:.1f}, doubted from {LARGEST_BETA:.0f})",
    )
    up = joints[valid, 12] - joints[valid][:, [1, 2]].mean(1)
    lean = float(np.median(bend(np.zeros(3), np.array([0.0, 1.0, 0.0]), up + [0.0, 1.0, 0.0])))
    doubt(
        lean <= LEAN,
        f"the trunk is {lean:.0f} degrees off upright in half of the frames; unless the person does lean, "
        f"03 has the world tilted",
        f"the trunk is upright ({lean:.0f} degrees off, doubted from {LEAN:.0f})",
    )
    if keypoints.world is not None:
        more = np.array(
            [_knee_difference(joints, keypoints.world, valid & keypoints.found, k) for k in (0, 1)]
        ).max(initial=0.0)
        doubt(
            more <= BENT,
            f"a knee is {more:.0f} degrees more bent than the detector sees it; 03 is unsure in depth",
            f"the knees are as the detector sees them ({more:.0f} degrees off, doubted from {BENT:.0f})",
        )
    height, cut = _filming(clip)
    doubt(
        height >= SMALL,
        f"the person is only {height:.0f} pixels tall; film nearer, or raise max_side in 00",
        f"the person is {height:.0f} pixels tall (doubted below {SMALL:.0f})",
    )
    doubt(
        cut <= CUT,
        f"the picture cuts the person in {cut:.0%} of the frames; what is outside is a guess of 03",
        f"the whole person is in the picture (cut in {cut:.0%} of the frames, doubted from {CUT:.0%})",
    )
    return found


def _knee_difference(joints: np.ndarray, world: np.ndarray, seen: np.ndarray, side: int) -> float:
    """Median degrees by which the fitted knee is more bent than the detector's, over frames ``seen`` (T,)."""
    if not seen.any():
        return 0.0
    fitted = bend(*(joints[seen, k] for k in _KNEES[side]))
    detected = bend(*(world[seen, k] for k in _SEEN_KNEES[side]))
    return float(np.median(fitted - detected))


def _filming(clip: Clip) -> tuple[float, float]:
    """Median height of the silhouettes, pixels, and the share of frames in which they touch the border."""
    alpha, heights, edge = clip.masks.alpha, [], []
    for t in np.flatnonzero(clip.keypoints.found):
        inside = alpha[t] > 127
        rows = np.flatnonzero(inside.any(1))
        heights.append(np.ptp(rows) + 1 if len(rows) else 0)
        edge.append(inside[[0, -1]].any() or inside[:, [0, -1]].any())
    return (float(np.median(heights)), float(np.mean(edge))) if heights else (0.0, 0.0)
