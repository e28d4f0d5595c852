"""The texture of the synthetic person: functions of rest position, baked into one atlas (docs/body.md, 8).

The atlas has 2 x 2 tiles: skin (upper left), shirt or dress (upper right), trousers, skirt or jacket (lower
left), hair and shoes (lower right; trousers too where there is a jacket). In its tile a garment has the
texture coordinates of the body under it.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
from scipy import ndimage

from hvr_nb.geometry.functions import smoothstep
from hvr_nb.geometry.nearest import on_surface
from hvr_nb.geometry.raster import rasterize_pixels
from hvr_nb.subject.garments import Marks
from hvr_nb.subject.layers import ClothLayer

AT_ONCE = 1 << 14  # texels painted at once: what is between stays in the processor's cache
TILE_ORIGIN = np.array([[0.0, 0.5], [0.5, 0.5], [0.0, 0.0], [0.5, 0.0]])  # lower left corner of each tile


def atlas_uv(layer: ClothLayer) -> np.ndarray:
    """(F, 3, 2) corner coordinates of a layer in the whole atlas, origin at the lower left."""
    return TILE_ORIGIN[layer.tile] + 0.5 * layer.uv


def noise(p: np.ndarray, size: float, seed: int) -> np.ndarray:
    """Value noise (N,) in -1..1 at points (N, 3); ``size`` is the size of its grains, metres."""
    return ndimage.map_coordinates(_lattice(seed), (p / size).T, order=1, mode="grid-wrap")


@functools.lru_cache(maxsize=8)
def _lattice(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (32, 32, 32)).astype(np.float32)


def _mix(colour: np.ndarray, other, amount) -> np.ndarray:
    """Blend ``other`` (3,) or (N, 3) over ``colour`` (N, 3) by ``amount`` (N,) in 0..1."""
    return colour + (np.asarray(other, np.float32) - colour) * np.asarray(amount, np.float32)[:, None]


def _line(x: np.ndarray, width: float, soft: float = 0.0010) -> np.ndarray:
    """A soft line: 1 within ``width`` of x = 0, falling to 0 over ``soft``; metres."""
    return 1 - smoothstep(np.abs(x), width / 2, width / 2 + soft)


def _spot(p: np.ndarray, centre: np.ndarray, radii: tuple, soft: float = 0.25) -> np.ndarray:
    """A soft-edged ellipse in the front view; ``radii`` (x, y) in metres."""
    d = np.hypot((p[:, 0] - centre[0]) / radii[0], (p[:, 1] - centre[1]) / radii[1])
    return 1 - smoothstep(d, 1 - soft, 1 + soft)


# -- painters: rest positions (N, 3) to colours (N, 3) in 0..1 ---------------------------------------


def paint_skin(p: np.ndarray, marks: Marks, tone: np.ndarray, iris: np.ndarray, seed: int) -> np.ndarray:
    """Skin colours (N, 3) at p (N, 3), with a face: eyes, brows, lips, nostrils, cheeks."""
    c = tone * (1 + 0.025 * noise(p, 0.05, seed) + 0.02 * noise(p, 0.012, seed + 1))[:, None]
    ahead = p[:, 2] > marks.points[17:19, 2].mean() + 0.02
    face = ahead & (p[:, 1] > marks.points[0, 1] - 0.09) & (np.abs(p[:, 0]) < 0.09)
    c[face] = _paint_face(c[face], p[face], marks, tone, iris)
    return c


def _paint_face(c: np.ndarray, p: np.ndarray, marks: Marks, tone: np.ndarray, iris: np.ndarray) -> np.ndarray:
    """The face, painted over skin colours (N, 3) of points (N, 3) on the front of the head."""
    nose = marks.points[0]
    unit = (marks.points[15:17, 1].mean() - nose[1]) / 0.039  # 1 for the mean head
    for side in (-1, 1):
        eye = marks.points[16 if side > 0 else 15]
        cheek, nostril = eye + [side * 0.012, -0.045 * unit, 0], nose + [side * 0.0085, -0.0105 * unit, 0]
        c = _mix(c, [0.80, 0.40, 0.36], 0.28 * _spot(p, cheek, (0.022, 0.017), 0.9))
        c = _mix(c, tone * 0.55, 0.45 * _spot(p, eye + [0, 0.002, 0], (0.022, 0.013), 0.4))
        c = _mix(c, [0.93, 0.91, 0.88], _spot(p, eye, (0.0135, 0.0062), 0.15))
        c = _mix(c, iris, _spot(p, eye, (0.0062, 0.0062), 0.12))
        c = _mix(c, [0.04, 0.03, 0.03], _spot(p, eye, (0.0030, 0.0030), 0.15))
        c = _mix(c, [0.12, 0.08, 0.07], 0.85 * _spot(p, eye + [0, 0.0072, 0], (0.016, 0.0018), 0.5))
        arch = eye[1] + 0.021 * unit - 6.0 * (p[:, 0] - eye[0] - side * 0.003) ** 2
        brow = _line(p[:, 1] - arch, 0.006, 0.003) * (np.abs(p[:, 0] - eye[0]) < 0.019)
        c = _mix(c, tone * 0.28, 0.9 * brow)
        c = _mix(c, tone * 0.30, 0.8 * _spot(p, nostril, (0.0042, 0.0022), 0.5))
    mouth = nose[1] - 0.030 * unit
    c = _mix(c, [0.68, 0.30, 0.29], 0.85 * _spot(p, [0, mouth], (0.026, 0.0085), 0.25))
    gap = _line(p[:, 1] - mouth - 3.0 * p[:, 0] ** 2, 0.0018, 0.001) * (np.abs(p[:, 0]) < 0.024)
    return _mix(c, [0.30, 0.10, 0.10], gap)


def paint_shirt(
    p: np.ndarray, marks: Marks, base: np.ndarray, accent: np.ndarray, pattern: int, seed: int
) -> np.ndarray:
    """Shirt colours (N, 3) at p (N, 3): stripes (0), checks (1) or colour blocks (2), and prints."""
    shoulder, chest = marks.joints[16], marks.joints[9]
    sleeve = np.abs(p[:, 0]) > shoulder[0] + 0.015
    round_body = np.arctan2(p[:, 0], p[:, 2] - chest[2]) * 0.14
    round_arm = np.arctan2(p[:, 1] - shoulder[1], p[:, 2] - shoulder[2]) * 0.055
    along = np.where(sleeve, np.abs(p[:, 0]) - shoulder[0], p[:, 1])
    around = np.where(sleeve, round_arm, round_body)
    rows = sleeve | (p[:, 1] < shoulder[1] + 0.025)  # no bands on the shoulders, where they would smear
    c = base[None] * (1 + 0.05 * noise(p, 0.004, seed) + 0.06 * noise(p, 0.06, seed + 1))[:, None]
    if pattern == 0:
        c = _mix(c, accent, 0.95 * rows * _line((along % 0.052) - 0.026, 0.020))
    elif pattern == 1:
        c = _mix(c, accent, 0.60 * rows * _line((along % 0.070) - 0.035, 0.030))
        c = _mix(c, accent, 0.60 * _line((around % 0.070) - 0.035, 0.030))
        c = _mix(c, [0.95, 0.93, 0.85], 0.8 * rows * _line((along % 0.070) - 0.035, 0.003))
        c = _mix(c, [0.95, 0.93, 0.85], 0.8 * _line((around % 0.070) - 0.035, 0.003))
    else:
        c = _mix(c, base * 0.72, 0.8 * _line((around % 0.044) - 0.022, 0.006))
        c = _mix(c, accent, sleeve | (p[:, 1] > chest[1] + 0.16))
        c = _mix(c, accent * 0.5 + 0.4, 0.7 * _line((along % 0.060) - 0.030, 0.007) * sleeve)
        c = _mix(c, [0.95, 0.93, 0.88], _line(p[:, 1] - chest[1] - 0.16, 0.014) * ~sleeve)
    return _prints(c, p, marks, sleeve, accent)


def _prints(c: np.ndarray, p: np.ndarray, marks: Marks, sleeve: np.ndarray, accent: np.ndarray) -> np.ndarray:
    """Print, bar and pocket of a shirt, by which front, back, left and right differ."""
    chest = marks.joints[9]
    front, back = ~sleeve & (p[:, 2] > chest[2]), ~sleeve & (p[:, 2] < chest[2])
    badge = np.array([0.0, chest[1] + 0.085, 0])
    c = _mix(c, [0.96, 0.95, 0.92], front * _spot(p, badge, (0.062, 0.062), 0.02))
    c = _mix(c, accent * 0.7, front * _spot(p, badge, (0.052, 0.052), 0.02))
    star = np.abs(np.arctan2(p[:, 0], p[:, 1] - badge[1])) * 5 / (2 * np.pi)
    points = np.abs(star - np.round(star)) * 2
    inside = np.hypot(p[:, 0], p[:, 1] - badge[1]) < 0.045 - 0.026 * points
    c = _mix(c, [0.98, 0.82, 0.22], front & inside)
    pocket = np.maximum(np.abs(p[:, 0] - 0.105) - 0.028, np.abs(p[:, 1] - chest[1] - 0.125) - 0.03)
    c = _mix(c, [0.08, 0.08, 0.10], 0.8 * front * _line(pocket, 0.004))
    for k, width in enumerate((0.11, 0.07, 0.11)):
        bar = _line(p[:, 1] - chest[1] - 0.13 + 0.038 * k, 0.020) * (np.abs(p[:, 0]) < width)
        c = _mix(c, [0.10, 0.10, 0.13] if k != 1 else [0.85, 0.20, 0.15], back * bar)
    return c


def paint_trousers(p: np.ndarray, marks: Marks, base: np.ndarray, end: float, seed: int) -> np.ndarray:
    """Trouser colours (N, 3) at p (N, 3): cloth, seams, belt, pockets, worn thighs, a left cargo pocket."""
    weave = 0.10 * noise(p * [1, 0.4, 1], 0.004, seed) + 0.07 * noise(p, 0.03, seed + 1)
    c = base[None] * (1 + weave[:, None])
    hip, knee, ankle = marks.joints[1], marks.joints[4], marks.joints[7]
    side = np.sign(p[:, 0])
    axis_x = np.interp(p[:, 1], [ankle[1], knee[1], hip[1]], [ankle[0], knee[0], hip[0]])
    axis_z = np.interp(p[:, 1], [ankle[1], knee[1], hip[1]], [ankle[2], knee[2], hip[2]])
    turn = np.arctan2(p[:, 2] - axis_z, (np.abs(p[:, 0]) - axis_x)) * 0.075
    leg = p[:, 1] < hip[1] - 0.02
    worn = smoothstep(turn, 0.05, 0.11) * _line(p[:, 1] - (hip[1] + knee[1]) / 2, 0.12, 0.12)
    c = _mix(c, np.minimum(base * 1.5 + 0.08, 1), 0.45 * worn * leg)
    c = _mix(c, base * 0.45, 0.9 * _line(turn, 0.004))
    stitch = np.minimum(base * 1.6 + 0.15, 1)
    for at in (0.006, -0.006):
        c = _mix(c, stitch, 0.7 * _line(turn - at, 0.0016) * (np.sin(p[:, 1] / 0.0012) > -0.3))
    c = _mix(c, stitch, 0.8 * _line(p[:, 1] - end - 0.022, 0.002))
    cargo = np.maximum(np.abs(turn) - 0.055, np.abs(p[:, 1] - (0.45 * hip[1] + 0.55 * knee[1])) - 0.07)
    c = _mix(c, base * 0.72, (cargo < 0) & (side > 0))
    c = _mix(c, stitch, 0.9 * _line(cargo, 0.004) * (side > 0))
    seat = np.maximum(np.abs(np.abs(p[:, 0]) - 0.085) - 0.05, np.abs(p[:, 1] - hip[1] + 0.03) - 0.055)
    c = _mix(c, stitch, 0.9 * _line(seat, 0.003) * (p[:, 2] < hip[2] - 0.03))
    belt = p[:, 1] > marks.y(3) - 0.03
    return _mix(c, [0.22, 0.13, 0.08], belt)


def paint_skirt(
    p: np.ndarray, marks: Marks, base: np.ndarray, accent: np.ndarray, end: float, seed: int
) -> np.ndarray:
    """Colours (N, 3) at p (N, 3): dots between waistband and two bands along the hem."""
    centre = marks.joints[[1, 2], 2].mean()
    angle = np.arctan2(p[:, 0], p[:, 2] - centre)
    c = base[None] * (1 + 0.06 * noise(p, 0.004, seed) + 0.06 * noise(p, 0.05, seed + 1))[:, None]
    row = (p[:, 1] - end) / 0.055
    column = angle / (2 * np.pi) * 22 + 0.5 * (np.floor(row) % 2)
    dot = np.hypot((row % 1) - 0.5, (column % 1) - 0.5) < 0.26
    c = _mix(c, accent, dot & (p[:, 1] > end + 0.08))
    c = _mix(c, accent, _line(p[:, 1] - end - 0.055, 0.024) + _line(p[:, 1] - end - 0.018, 0.010))
    c = _mix(c, [0.97, 0.95, 0.90], _line(angle * 0.2 - 0.12, 0.008) * (p[:, 1] > end + 0.08))
    return _mix(c, base * 0.45, p[:, 1] > marks.y(3) - 0.02)


def paint_dress(
    p: np.ndarray,
    marks: Marks,
    base: np.ndarray,
    accent: np.ndarray,
    pattern: int,
    end: float,
    seed: int,
) -> np.ndarray:
    """Colours (N, 3) at p (N, 3): a shirt's above the waist, a skirt's below."""
    above = paint_shirt(p, marks, base, accent, pattern, seed)
    return np.where(p[:, 1:2] > marks.y(3), above, paint_skirt(p, marks, base, accent, end, seed))


def paint_jacket(p: np.ndarray, marks: Marks, base: np.ndarray, seed: int) -> np.ndarray:
    """Colours (N, 3) at p (N, 3): coarse cloth, a pocket on either side, and a stripe down each sleeve."""
    shoulder, hip = marks.joints[16], marks.joints[1]
    c = base[None] * (1 + 0.09 * noise(p, 0.005, seed) + 0.06 * noise(p, 0.05, seed + 1))[:, None]
    front = p[:, 2] > shoulder[2]
    pocket = np.maximum(np.abs(np.abs(p[:, 0]) - 0.125) - 0.035, np.abs(p[:, 1] - hip[1] - 0.09) - 0.045)
    c = _mix(c, base * 0.6, 0.9 * front * _line(pocket, 0.004))
    stripe = _line(p[:, 2] - shoulder[2] - 0.01, 0.022) * (np.abs(p[:, 0]) > shoulder[0] + 0.02)
    c = _mix(c, np.minimum(base * 1.4 + 0.25, 1), stripe * (p[:, 1] > shoulder[1]))
    yoke = _line(p[:, 1] - marks.y(9) - 0.12, 0.006) * ~front * (np.abs(p[:, 0]) < shoulder[0])
    return _mix(c, base * 0.55, yoke)


def paint_shoes(p: np.ndarray, marks: Marks, base: np.ndarray, seed: int) -> np.ndarray:
    """Colours (N, 3) at p (N, 3): coloured uppers, a pale sole, laces over the instep."""
    ankle = marks.joints[7]
    c = base[None] * (1 + 0.08 * noise(p, 0.008, seed))[:, None]
    across = np.abs(
        np.abs(p[:, 0]) - np.interp(p[:, 2], [ankle[2], ankle[2] + 0.14], [ankle[0], marks.joints[10, 0]])
    )
    laces = (across < 0.022) & (p[:, 2] > ankle[2] + 0.045) & (p[:, 2] < ankle[2] + 0.13)
    c = _mix(c, [0.95, 0.95, 0.93], laces * _line((p[:, 2] % 0.016) - 0.008, 0.006))
    stripe = _line(p[:, 2] - ankle[2] - 0.03 + 0.5 * (p[:, 1] - ankle[1]), 0.014) * (across > 0.015)
    c = _mix(c, [0.95, 0.95, 0.93], stripe)
    return _mix(c, [0.90, 0.89, 0.86], p[:, 1] < marks.floor + 0.014)


def paint_hair(p: np.ndarray, marks: Marks, base: np.ndarray, seed: int) -> np.ndarray:
    """Colours (N, 3) at p (N, 3): strands that run down from the crown."""
    ear = marks.points[17:19].mean(0)
    angle = np.arctan2(p[:, 0], p[:, 2] - ear[2]) * 0.09
    strand = np.stack([angle, p[:, 1] * 0.06, 0 * angle], 1)
    light = 0.30 * noise(strand, 0.0022, seed) + 0.18 * noise(strand, 0.008, seed + 1)
    return base[None] * (1 + light[:, None])


# -- baking ----------------------------------------------------------------------------------------


def bake(layer: ClothLayer, paint, tile: np.ndarray, drawn: np.ndarray) -> None:
    """Paint one layer into its ``tile`` (S, S, 3) float, and mark its texels in ``drawn`` (S, S).

    Args:
        paint: function of positions (N, 3) to colours (N, 3).
    """
    size = len(tile)
    uv = layer.uv.reshape(-1, 2)
    xy = np.stack([uv[:, 0], 1 - uv[:, 1]], 1) * size
    corners = np.arange(len(uv)).reshape(-1, 3)
    _, face, bary = rasterize_pixels(xy, np.ones(len(xy)), corners, size, size)
    hit = face >= 0
    positions, (rows, columns) = layer.positions.astype(np.float32), np.nonzero(hit)
    for start in range(0, len(rows), AT_ONCE):
        at = rows[start : start + AT_ONCE], columns[start : start + AT_ONCE]
        p = on_surface(positions, layer.faces, face[at], bary[at])
        tile[at] = np.clip(paint(p), 0, 1)
    drawn |= hit


def finish_tile(tile: np.ndarray, drawn: np.ndarray, size: int) -> np.ndarray:
    """Reduce a tile (S, S, 3) in 0..1 to (size, size, 3) uint8; empty texels take the nearest colour.

    Only painted texels, ``drawn`` (S, S), are averaged, so filters show no seams.
    """
    colour = cv2.resize(tile, (size, size), interpolation=cv2.INTER_AREA)
    share = cv2.resize(drawn.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    colour /= np.maximum(share, 1e-3)[..., None]
    row, col = ndimage.distance_transform_edt(share < 0.1, return_distances=False, return_indices=True)
    return np.round(255 * np.clip(colour, 0, 1)).astype(np.uint8)[row, col]


def join_tiles(tiles: list[np.ndarray]) -> np.ndarray:
    """Four tiles (S, S, 3) uint8 to the atlas (2 S, 2 S, 3)."""
    return np.concatenate([np.concatenate(tiles[:2], 1), np.concatenate(tiles[2:], 1)])
