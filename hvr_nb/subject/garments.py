"""The clothes of the synthetic person: sheets over the shaped rest body (docs/body.md, 8).

The outline of a garment is a scalar field over rest positions, in metres, positive inside. Its terms
use positions of joints and landmarks but no vertex numbers, so any body of the same kind can wear them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from hvr_nb.body.model import BodyModel
from hvr_nb.geometry.functions import smoothstep
from hvr_nb.subject.layers import ClothLayer, clip_layer, inflate, layer_normals, smoother

ATR_HAIR, ATR_UPPER, ATR_SKIRT, ATR_PANTS, ATR_DRESS = 2, 4, 5, 6, 7
ATR_LEFT_SHOE, ATR_RIGHT_SHOE, ATR_FACE = 9, 10, 11
_LIMBS = {12: (1, 4, 7, 10), 13: (2, 5, 8, 11), 14: (16, 18, 20, 22), 15: (17, 19, 21, 23)}
NECK = 0.078  # metres, radius of the neck hole of a shirt
ARMHOLE = 0.35  # how far the armhole of a sleeveless top leans outwards, metres a metre downwards


@dataclass(frozen=True)
class Marks:
    """Joints, landmarks and floor of the shaped rest body; metres."""

    joints: np.ndarray  # (24, 3) SMPL joints
    points: np.ndarray  # (25, 3) BODY_25 landmarks
    floor: float  # height of the soles

    def y(self, joint: int) -> float:
        """Height of a joint."""
        return float(self.joints[joint, 1])


def make_marks(model: BodyModel, vertices: np.ndarray, joints: np.ndarray) -> Marks:
    """Landmarks of the shaped rest body (V, 3), (24, 3)."""
    return Marks(joints=joints, points=model.body25.numpy() @ vertices, floor=float(vertices[:, 1].min()))


def skin_layer(model: BodyModel, vertices: np.ndarray) -> ClothLayer:
    """The bare body (V, 3) as a layer, each face labelled by the limb it belongs to."""
    weights = model.weights.numpy().astype(np.float64)
    part = weights[model.faces].sum(1).argmax(1)
    labels = np.full(len(part), ATR_FACE, np.uint8)
    for label, joints in _LIMBS.items():
        labels[np.isin(part, joints)] = label
    return ClothLayer(
        name="skin",
        positions=vertices.astype(np.float64),
        faces=model.faces,
        uv=model.uv[model.uv_faces].astype(np.float64),
        weights=weights,
        labels=labels,
        tile=0,
        carry=sparse.eye_array(len(vertices), format="csr"),
    )


# -- outlines ------------------------------------------------------------------------------------


def _reach(p: np.ndarray, marks: Marks, sleeve: str) -> np.ndarray | float:
    """How far from the middle sleeves end, metres; (N,) at p (N, 3) where there are none."""
    if sleeve == "none":
        return marks.joints[16, 0] - 0.012 + ARMHOLE * (marks.joints[16, 1] - p[:, 1])
    return marks.joints[18, 0] - 0.05 if sleeve == "short" else marks.joints[20, 0] - 0.02


def shirt_field(p: np.ndarray, marks: Marks, *, sleeve: str, hem: float, collar: float = NECK) -> np.ndarray:
    """(N,) field of a shirt down to height ``hem``, at p (N, 3) metres.

    Args:
        sleeve: "short", "long" or "none". collar: radius of the neck hole, metres; a wider one is deeper too.
    """
    neck = marks.joints[12]
    around_neck = np.hypot(p[:, 0], p[:, 2] - neck[2] - 0.005) - collar
    ahead = p[:, 2] - neck[2]
    around_neck = np.maximum(around_neck, neck[1] - 0.07 - (collar - NECK) - 0.3 * ahead - p[:, 1])
    below_chin = neck[1] + 0.03 - 0.6 * np.maximum(ahead, 0) - p[:, 1]
    return np.minimum.reduce(
        [p[:, 1] - hem, _reach(p, marks, sleeve) - np.abs(p[:, 0]), below_chin, around_neck]
    )


def jacket_field(p: np.ndarray, marks: Marks, *, hem: float) -> np.ndarray:
    """(N,) field of a jacket with long sleeves, open in front: wider below than at the collar."""
    wide = np.interp(p[:, 1], [hem, marks.y(16)], [0.075, 0.045])
    beside = np.maximum(np.abs(p[:, 0]) - wide, marks.joints[16, 2] - p[:, 2])
    return np.minimum(shirt_field(p, marks, sleeve="long", hem=hem, collar=0.1), beside)


def tube_field(p: np.ndarray, marks: Marks, *, hem: float) -> np.ndarray:
    """(N,) field of a strapless bodice from below the armpits down to height ``hem``."""
    return np.minimum(marks.y(16) - 0.15 - p[:, 1], p[:, 1] - hem)


def trouser_field(p: np.ndarray, marks: Marks, *, end: float) -> np.ndarray:
    """(N,) field of trousers from the waist down to height ``end``, at p (N, 3) metres."""
    return np.minimum(marks.y(3) + 0.015 - p[:, 1], p[:, 1] - end)


def shoe_field(p: np.ndarray, marks: Marks) -> np.ndarray:
    """(N,) field of low shoes, a little higher at the heel than over the instep, at p (N, 3) metres."""
    ankle = marks.joints[7]
    return ankle[1] + 0.022 - 0.12 * (p[:, 2] - ankle[2]) - p[:, 1]


def hair_field(p: np.ndarray, marks: Marks, *, nape: float) -> np.ndarray:
    """(N,) field of short hair down to ``nape`` metres below the eyes, at p (N, 3) metres."""
    eye, ear = marks.points[15:17].mean(0), marks.points[18]
    line = np.interp(
        p[:, 2] - ear[2],
        [-0.045, -0.015, 0.012, 0.026, 0.040, 0.060, 0.075],
        [-nape, 0.0, -0.018, -0.018, 0.030, 0.046, 0.058],
    )
    d = (np.stack([np.abs(p[:, 0]), p[:, 1], p[:, 2]], 1) - ear) / [0.020, 0.038, 0.026]
    return np.minimum(p[:, 1] - eye[1] - line, (np.linalg.norm(d, axis=1) - 1) * 0.028)


# -- sheets --------------------------------------------------------------------------------------


def _sheet(skin: ClothLayer, field, offset, name: str, tile: int, label: int | None, **relax) -> ClothLayer:
    """Cut ``field(p)`` out of the skin, move it ``offset(p)`` off the body and relax it."""
    normals = layer_normals(skin)
    sheet = clip_layer(skin, field(skin.positions), name, tile)
    along = sheet.carry @ normals
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    labels = sheet.labels if label is None else np.full(len(sheet.faces), label, np.uint8)
    return inflate(replace(sheet, labels=labels), offset(sheet.positions), along, **relax)


def make_shirt(
    skin: ClothLayer,
    marks: Marks,
    *,
    sleeve: str,
    hem: float,
    flare: bool,
    collar: float = NECK,
    cuff: float | None = None,
    name: str = "shirt",
) -> ClothLayer:
    """A shirt 12 mm off the body, wider towards the cuffs and, with ``flare``, towards the hem.

    Args:
        collar: see ``shirt_field``. cuff: how much wider at the cuffs, metres; None: as is usual.
    """
    wide = {"short": 0.011, "long": 0.003, "none": 0.0}[sleeve] if cuff is None else cuff

    def offset(p):
        end = np.exp(-(_reach(p, marks, sleeve) - np.abs(p[:, 0])) / 0.07) * wide
        low = np.exp(-(p[:, 1] - hem) / 0.12) * 0.012 if flare else 0.0
        close = np.exp(-(np.hypot(p[:, 0], p[:, 2] - marks.joints[12, 2]) - collar) / 0.02) * 0.006
        return 0.012 + end + low - np.where(p[:, 1] > marks.y(9) + 0.1, close, 0)

    def field(p):
        return shirt_field(p, marks, sleeve=sleeve, hem=hem, collar=collar)

    return _sheet(skin, field, offset, name, 1, ATR_UPPER, steps=10)


def make_jacket(skin: ClothLayer, marks: Marks, *, hem: float) -> ClothLayer:
    """An open jacket, 27 mm off the body: over a shirt without ``flare``."""
    return _sheet(
        skin,
        lambda p: jacket_field(p, marks, hem=hem),
        lambda p: np.full(len(p), 0.027),
        "jacket",
        2,
        ATR_UPPER,
        steps=10,
        floor=lambda p: 0.85,
    )


def make_tube_top(skin: ClothLayer, marks: Marks, *, hem: float) -> ClothLayer:
    """The bodice of a strapless dress, 9 mm off the body."""
    return _sheet(
        skin,
        lambda p: tube_field(p, marks, hem=hem),
        lambda p: np.full(len(p), 0.009),
        "tube",
        1,
        ATR_DRESS,
        steps=10,
    )


def make_trousers(skin: ClothLayer, marks: Marks, *, end: float, tile: int = 2) -> ClothLayer:
    """Trousers or shorts, 8 mm off the hips and up to 20 mm at the hem ``end``."""

    def offset(p):
        return 0.008 + 0.012 * smoothstep(-p[:, 1], -marks.y(1), -end)

    return _sheet(
        skin, lambda p: trouser_field(p, marks, end=end), offset, "trousers", tile, ATR_PANTS, steps=10
    )


def make_shoes(skin: ClothLayer, marks: Marks) -> ClothLayer:
    """Low shoes: the feet smoothed until the toes are gone, with a flat sole 10 mm below them."""
    shoes = _sheet(
        skin,
        lambda p: shoe_field(p, marks),
        lambda p: np.full(len(p), 0.009),
        "shoes",
        3,
        None,
        steps=12,
        floor=lambda p: 0.8,
    )
    x = _toe_cap(shoes.positions, marks)
    mean = smoother(shoes.faces, len(x))
    cap = smoothstep(x[:, 2:], marks.joints[10, 2] - 0.05, marks.joints[10, 2])
    for _ in range(6):
        x = x + 0.5 * cap * (mean @ x - x)
    sole = smoothstep(-(x[:, 1] - marks.floor), -0.02, -0.006)
    x[:, 1] += sole * (marks.floor - 0.010 - x[:, 1])
    left = x[shoes.faces].mean(1)[:, 0] > 0
    return replace(shoes, positions=x, labels=np.where(left, ATR_LEFT_SHOE, ATR_RIGHT_SHOE).astype(np.uint8))


def _toe_cap(x: np.ndarray, marks: Marks) -> np.ndarray:
    """Vertices (V, 3) with the toes moved onto a smooth cap: the support function of the foot's front."""
    out = x.copy()
    for foot in (10, 11):
        ball = marks.joints[foot]
        near = np.sign(x[:, 0]) == np.sign(ball[0])
        centre = np.array([ball[0], marks.floor + 0.022, ball[2] - 0.015])
        front = x[near & (x[:, 2] > centre[2] - 0.01)] - centre
        moved = near & (x[:, 2] > centre[2])
        ray = x[moved] - centre
        reach = np.linalg.norm(ray, axis=1, keepdims=True)
        ray /= reach
        far = (ray @ front.T).max(1, keepdims=True)
        blend = smoothstep(x[moved, 2:], centre[2], centre[2] + 0.04)
        out[moved] = centre + ray * (reach + blend * (far - reach))
    return out


def make_hair(skin: ClothLayer, marks: Marks, *, nape: float, volume: float) -> ClothLayer:
    """Hair: a cap over the skull, thin at the hairline and ``volume`` metres thick at the crown."""
    eye = marks.points[15:17].mean(0)

    def offset(p):
        inner = hair_field(p, marks, nape=nape)
        return 0.004 + (volume - 0.004) * smoothstep(inner, 0, 0.05) + 0.004 * (p[:, 1] > eye[1] + 0.08)

    return _sheet(
        skin,
        lambda p: hair_field(p, marks, nape=nape),
        offset,
        "hair",
        3,
        ATR_HAIR,
        steps=12,
        floor=lambda p: 0.5,
    )
