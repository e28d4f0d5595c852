"""The part of the body that a pixel shows, estimated from the 2D skeleton (docs/perception.md, 6, step 1).

One capsule for each bone, nearer ones in front. Lengths are shares of the person's extent in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hvr_nb.types import Keypoints

PARTS = ("head", "neck", "torso", "hips", "left upper arm", "left forearm", "left hand", "right upper arm",
         "right forearm", "right hand", "left thigh", "left shin", "left foot", "right thigh", "right shin",
         "right foot")  # fmt: skip
HEAD, NECK, TORSO, HIPS = range(4)
# part, BODY_25 joints from and to, radius, BlazePose landmarks that give its depth
_LIMBS = (
    (4, 5, 6, 0.034, (11, 13)),
    (5, 6, 7, 0.027, (13, 15)),
    (7, 2, 3, 0.034, (12, 14)),
    (8, 3, 4, 0.027, (14, 16)),
    (10, 12, 13, 0.056, (23, 25)),
    (11, 13, 14, 0.040, (25, 27)),
    (13, 9, 10, 0.056, (24, 26)),
    (14, 10, 11, 0.040, (26, 28)),
)
_HANDS = ((6, 6, 7, 15), (9, 3, 4, 16))  # part, elbow, wrist, landmark
_FEET = ((12, 14, 21, 19, 31), (15, 11, 24, 22, 32))  # part, ankle, heel, toe, landmark
_HEAD_RADIUS = 0.075
_SHARPNESS, _DEPTH = 2.0, 5.0  # of the softmax over parts; energy per metre of depth


@dataclass(frozen=True)
class PartMap:
    """Parts of N pixels of one frame."""

    share: np.ndarray  # (N, 16) float32 probability of each part
    along: np.ndarray  # (N, 16) float32 position along the bone of each part, 0..1
    face: np.ndarray  # (N,) float32 probability that a pixel of the head is face, not hair
    crown: np.ndarray  # (N,) float32 height above the ears in head radii


def _segment(pixels: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (N,) of pixels (N, 2) to the segment from a to b, and position along it (N,), 0..1."""
    bone = b - a
    u = np.clip((pixels - a) @ bone / max(bone @ bone, 1e-9), 0.0, 1.0)
    return np.hypot(*(pixels - a - u[:, None] * bone).T), u


def _depths(keypoints: Keypoints, t: int) -> np.ndarray:
    """(33,) depths relative to the hips, metres, negative in front; zero where not known."""
    if keypoints.world is None or not np.isfinite(keypoints.world[t]).all():
        return np.zeros(33)
    return np.clip(keypoints.world[t, :, 2], -0.4, 0.4)


def part_map(keypoints: Keypoints, t: int, pixels: np.ndarray, *, size: float) -> PartMap:
    """Estimate the part of each pixel (N, 2) of frame ``t``.

    Args:
        keypoints: of the clip. pixels: x, y. size: extent of the person, pixels.
    """
    points = keypoints.points[t]
    known, xy, depth = points[:, 2] > 0.05, points[:, :2], _depths(keypoints, t)
    energy = np.full((len(pixels), len(PARTS)), 30.0, np.float32)
    along = np.zeros_like(energy)

    def put(part: int, a: np.ndarray, b: np.ndarray, radius: float, z: float) -> None:
        distance, u = _segment(pixels, a, b)
        d = distance / (radius * size)
        energy[:, part] = 3.0 * np.maximum(d - 1.0, 0.0) + 0.25 * np.minimum(d, 2.0) ** 2 + _DEPTH * z
        along[:, part] = u

    for part, a, b, radius, marks in _LIMBS:
        if known[a] and known[b]:
            put(part, xy[a], xy[b], radius, depth[list(marks)].mean())
    for part, elbow, wrist, mark in _HANDS:
        if known[elbow] and known[wrist]:
            put(part, xy[wrist], xy[wrist] + 0.4 * (xy[wrist] - xy[elbow]), 0.03, depth[mark])
    for part, ankle, heel, toe, mark in _FEET:
        if known[ankle]:
            back = xy[heel] if known[heel] else xy[ankle] + [0.0, 0.03 * size]
            put(part, back, xy[toe] if known[toe] else back, 0.034, depth[mark])
    if known[[2, 5, 9, 12]].all():
        energy[:, TORSO], along[:, TORSO] = _trunk(pixels, xy, size)
        put(HIPS, xy[9], xy[12], 0.065, 0.02)
    face, crown = _head(pixels, points, size, energy, put)
    weight = np.exp(-_SHARPNESS * (energy - energy.min(1, keepdims=True)))
    return PartMap(weight / weight.sum(1, keepdims=True), along, face, crown)


def _trunk(pixels: np.ndarray, xy: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Energy and position along the spine for the polygon of shoulders and hips."""
    hull = cv2.convexHull(np.float32([xy[2], xy[5], xy[12], xy[9]]), clockwise=False)[:, 0].astype(np.float64)
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.stack([edges[:, 1], -edges[:, 0]], 1)
    normals /= np.maximum(np.hypot(*normals.T), 1e-6)[:, None]
    outside = ((pixels[:, None] - hull) * normals).sum(2).max(1)
    d = np.maximum(outside, 0.0) / (0.035 * size)
    _, u = _segment(pixels, xy[[2, 5]].mean(0), xy[[9, 12]].mean(0))
    return 3.0 * np.maximum(d - 1.0, 0.0) + 0.25 * np.minimum(d, 2.0) ** 2, u


def _head(
    pixels: np.ndarray, points: np.ndarray, size: float, energy: np.ndarray, put
) -> tuple[np.ndarray, np.ndarray]:
    """Add head and neck. The head is a ball; its front below the hairline is the face."""
    known, xy = points[:, 2] > 0.05, points[:, :2]
    seen = [j for j in (17, 18, 15, 16, 0) if known[j]]
    if not seen:
        return np.zeros(len(pixels), np.float32), np.zeros(len(pixels), np.float32)
    ears = xy[[j for j in (17, 18) if known[j]] or seen].mean(0)
    radius = _HEAD_RADIUS * size
    trunk = xy[1] if known[1] else ears + [0.0, 2.0 * radius]
    up = (ears - trunk) / max(np.hypot(*(ears - trunk)), 1e-6)
    if up[1] > -0.5:  # lying or bent over: the direction to the nose is no use
        up = (up + [0.0, -0.5]) / np.hypot(*(up + [0.0, -0.5]))
    right = np.array([-up[1], up[0]])
    centre = ears + 0.25 * radius * up
    put(HEAD, centre - 0.2 * radius * up, centre + 0.35 * radius * up, _HEAD_RADIUS, -0.05)
    put(NECK, trunk + 0.3 * (ears - trunk), trunk + 0.45 * (ears - trunk), 0.032, 0.02)
    side = (xy[0] - ears) @ right / radius if known[0] else 0.0
    front = [
        (xy[left] - xy[other]) @ right / radius / width
        for left, other, width in ((18, 17, 1.5), (5, 2, 3.0))
        if known[left] and known[other]
    ]
    yaw = np.array([np.clip(side, -1.0, 1.0), np.clip(np.mean(front) if front else 1.0, -1.0, 1.0)])
    yaw /= max(np.hypot(*yaw), 1e-6)
    x, y = ((pixels - ears) @ right) / radius, ((pixels - ears) @ up) / radius
    z = np.sqrt(np.maximum(1.0 - x**2 - y**2, 0.0))
    ahead = (x * yaw[0] + z * yaw[1]) / np.maximum(np.sqrt(x**2 + z**2 + y**2), 1e-6)
    face = 1.0 / (1.0 + np.exp(-7.0 * (ahead - 0.25))) / (1.0 + np.exp(-9.0 * (0.6 - y)))
    return np.clip(face, 0.15 - 0.1 * np.clip(y, 0.0, 1.0), 0.9).astype(np.float32), y.astype(np.float32)
