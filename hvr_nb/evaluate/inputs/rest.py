"""Sentences about frames, masks, camera and normal maps."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import ndimage

from hvr_nb.evaluate.inputs.finding import Finding, listed
from hvr_nb.evaluate.inputs.place import Sight, cut
from hvr_nb.geometry.camera import to_camera
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.types import Camera

HOLES, OFF = 0.003, 0.06  # shares of a mask, and of a body's inside, from which on they are told
COVERED = 0.85  # share of a hole that the body must cover
DEEP = 0.02  # of the person's height: so far inside its outline a body is surely covered by the mask
FITS = 0.6  # overlap of body and mask from which on one says something about the other
OFF_CENTRE = 0.2  # of the picture: the principal point is nearer to the middle than that
AGREE = 0.1  # by which other signs must raise the mean cosine between normal maps and body


def frame_findings(names: list[str], masks: np.ndarray, valid: np.ndarray) -> list[Finding]:
    """Frames that are not there: gaps in the numbers, empty masks, frames without a body.

    Args:
        names: T. masks: (T,) bool, whether a mask holds anything. valid: (T,) bool of the body.
    """
    found, numbers = [], [int(n) if n.isdecimal() else None for n in names]
    if None not in numbers and len(numbers) > 2:
        steps = np.diff(numbers)
        usual = int(np.bincount(np.maximum(steps, 0)).argmax())
        gaps = [f"{names[k]} to {names[k + 1]}" for k in np.flatnonzero(steps > usual)]
        if gaps and usual > 0:
            lost = int((steps[steps > usual] // usual - 1).sum())
            found.append(
                Finding(
                    "fault",
                    "frames missing",
                    f"{lost} frames are missing ({listed(gaps)}): "
                    "motion is taken to be smooth over time. Put them back, or use one "
                    "stretch without gaps",
                )
            )
    empty = [n for n, mask, seen in zip(names, masks, valid, strict=True) if seen and not mask]
    if empty:
        found.append(
            Finding(
                "fault",
                "empty masks",
                f"the masks of {len(empty)} frames are empty "
                f"({listed(empty)}): draw the person there, or leave the frames out of the "
                "clip",
            )
        )
    if not valid.all():
        lost = [n for n, there in zip(names, valid, strict=True) if not there]
        found.append(
            Finding(
                "remark",
                "not observed",
                f"the body was not observed in {len(lost)} frames "
                f"({listed(lost)}); its poses there are interpolated and nothing is learned "
                "from them",
            )
        )
    return found


def camera_findings(camera: Camera, width: int, height: int) -> list[Finding]:
    """Intrinsics that cannot be those of pictures of ``width`` x ``height`` pixels."""
    K, found = camera.K, []
    off = np.array([K[0, 2] / width, K[1, 2] / height]) - 0.5
    if np.abs(off).max() > OFF_CENTRE:
        found.append(
            Finding(
                "fault",
                "image size",
                f"the principal point ({K[0, 2]:.0f}, {K[1, 2]:.0f}) "
                f"is far from the middle of pictures of {width}x{height}: the camera seems "
                f"to be for pictures of about {2 * K[0, 2]:.0f}x{2 * K[1, 2]:.0f}. "
                f"Multiply fx, cx by {width / 2 / K[0, 2]:.2f} and fy, cy by "
                f"{height / 2 / K[1, 2]:.2f} if so",
            )
        )
    ratio = np.array([K[0, 0], K[1, 1]]) / max(width, height)
    if ratio.min() < 0.4 or ratio.max() > 8:
        found.append(
            Finding(
                "doubt",
                "focal length",
                f"a focal length of {K[0, 0]:.0f}, {K[1, 1]:.0f} px "
                f"is unusual for {width}x{height}: it is in pixels of these pictures, "
                "usually 0.7 to 3 times the larger side",
            )
        )
    if abs(np.log(K[0, 0] / K[1, 1])) > np.log(1.05):
        found.append(
            Finding(
                "doubt",
                "focal length",
                f"fx {K[0, 0]:.0f} and fy {K[1, 1]:.0f} differ: "
                "pixels are not square. Were the pictures stretched since the camera was "
                "measured?",
            )
        )
    return found


def mask_findings(sight: Sight, drawn: np.ndarray, overlap: np.ndarray, names: list[str]) -> list[Finding]:
    """Masks with holes or pieces missing, inverted ones, persons cut by the picture.

    Args:
        sight: the masks of the frames ``names``, N. drawn: (N, h, w) bool, the body there. overlap: (N,) IoU.
    """
    border = np.mean([np.r_[m[0], m[-1], m[:, 0], m[:, -1]].mean() for m in sight.masks])
    if border > 0.6:
        return [
            Finding(
                "fault",
                "inverted masks",
                f"the masks cover {100 * border:.0f} % of the "
                "pictures' border: they seem to be inverted. White is the person",
            )
        ]
    holes, off = [], []
    for name, mask, body, fit in zip(names, sight.masks, drawn, overlap, strict=True):
        if not mask.any() or fit < FITS:
            continue
        rows = np.flatnonzero(body.any(1))
        deep = ndimage.distance_transform_edt(body) > max(1.5, DEEP * np.ptp(rows))
        if _holes(mask, body, deep).sum() > HOLES * mask.sum():
            holes.append(name)
        elif (deep & ~mask).sum() > OFF * max(deep.sum(), 1):
            off.append(name)
    found = []
    if holes:
        found.append(
            Finding(
                "fault",
                "holes",
                f"the masks of frames {listed(holes)} have holes where the "
                "body is: fill them, as the surface is carved away there",
            )
        )
    if off:
        found.append(
            Finding(
                "doubt",
                "pieces missing",
                f"in frames {listed(off)} a part of the body lies "
                "outside the mask: a piece of the mask is missing, or the pose is wrong "
                "there; look at the picture",
            )
        )
    at_border = [n for n, m in zip(names, sight.masks, strict=True) if cut(m)]
    if at_border:
        found.append(
            Finding(
                "remark",
                "cut off",
                "the person reaches the border of the picture in "
                f"frames {listed(at_border)}; what lies outside is guessed",
            )
        )
    return found


def _holes(mask: np.ndarray, body: np.ndarray, deep: np.ndarray) -> np.ndarray:
    """(h, w) bool, holes in a mask that the body covers: no gaps between its limbs."""
    pieces, count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    area = np.maximum(np.bincount(pieces.ravel(), minlength=count + 1), 1)
    covered, deeply = (np.bincount(pieces[where], minlength=count + 1) / area for where in (body, deep))
    kept = (covered > COVERED) & (deeply > 0.3)
    kept[0] = False
    return kept[pieces]


def normal_findings(sight: Sight, normals: np.ndarray | None, *, wanted: bool) -> list[Finding]:
    """Normal maps that are missing, or whose axes are not those of the body.

    Args:
        normals: (N, h, w, 3) int8 of the same frames and pictures, see ``Normals``; None if there are none.
        wanted: whether to remark that there are none.
    """
    if normals is None:
        remark = "there are no normal maps; they are optional: without them the surface is made from outlines"
        return [Finding("remark", "no normals", remark)] if wanted else []
    pairs = []
    for vertices, given in zip(sight.vertices, normals, strict=True):
        _, face, bary = rasterize(vertices, sight.faces, sight.camera)
        own = vertex_normals(to_camera(vertices, sight.camera), sight.faces)
        known = (face >= 0) & (given != 0).any(-1)
        pairs.append((interpolate(own, sight.faces, face, bary)[known], given[known] / 127.0))
    own, given = (np.concatenate(x) for x in zip(*pairs, strict=True))
    if not len(own):
        return [
            Finding("doubt", "normals", "the normal maps hold nothing where the body is; they are left alone")
        ]
    score = {
        signs: float((own * given * signs).sum(1).mean()) for signs in itertools.product((1, -1), repeat=3)
    }
    best = max(score, key=score.get)
    if score[best] < score[1, 1, 1] + AGREE:
        return []
    flipped = " and ".join(axis for axis, sign in zip("xyz", best, strict=True) if sign < 0)
    return [
        Finding(
            "fault",
            "normals",
            f"the normal maps fit the body with {flipped} the other way round "
            f"(mean cosine {score[best]:.2f}, as they are {score[1, 1, 1]:.2f}): RGB is (n + 1) "
            "/ 2 * 255 with x right, y up, z towards the camera",
        )
    ]
