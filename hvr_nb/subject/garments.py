"""The clothes of the synthetic person: sheets over the shaped rest body (docs/body.md, 8).

The outline of a garment is a scalar field over rest positions, in metres, positive inside. Its terms
use positions of joints and landmarks but no vertex numbers, so any body of the same kind can wear them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from hvr_nb.body.model import BodyModel
from hvr_nb.geometry.functions import smoothstep
from hvr_nb.subject.layers import ClothLayer, clip_layer, compact, inflate, layer_normals, smoother

ATR_HAIR, ATR_UPPER, ATR_SKIRT, ATR_PANTS = 2, 4, 5, 6
ATR_LEFT_SHOE, ATR_RIGHT_SHOE, ATR_FACE = 9, 10, 11
_LIMBS = {12: (1, 4, 7, 10), 13: (2, 5, 8, 11), 14: (16, 18, 20, 22), 15: (17, 19, 21, 23)}
SKIRT_AROUND, SKIRT_DOWN = 96, 28  # vertices of the skirt around and from waist to hem


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


def shirt_field(p: np.ndarray, marks: Marks, *, sleeve: str, hem: float) -> np.ndarray:
    """(N,) field of a shirt with "short" or "long" sleeves down to height ``hem``, at p (N, 3) metres."""
    reach = marks.joints[18, 0] - 0.05 if sleeve == "short" else marks.joints[20, 0] - 0.02
    neck = marks.joints[12]
    around_neck = np.hypot(p[:, 0], p[:, 2] - neck[2] - 0.005) - 0.078
    ahead = p[:, 2] - neck[2]
    around_neck = np.maximum(around_neck, neck[1] - 0.07 - 0.3 * ahead - p[:, 1])
    below_chin = neck[1] + 0.03 - 0.6 * np.maximum(ahead, 0) - p[:, 1]
    return np.minimum.reduce([p[:, 1] - hem, reach - np.abs(p[:, 0]), below_chin, around_neck])


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


def make_shirt(skin: ClothLayer, marks: Marks, *, sleeve: str, hem: float, tucked: bool) -> ClothLayer:
    """A shirt 12 mm off the body, wider towards the cuffs and, unless tucked in, towards the hem."""

    def offset(p):
        reach = marks.joints[18, 0] - 0.05 if sleeve == "short" else marks.joints[20, 0] - 0.02
        wide = 0.011 if sleeve == "short" else 0.003
        end = np.exp(-(reach - np.abs(p[:, 0])) / 0.07) * wide
        low = 0.0 if tucked else np.exp(-(p[:, 1] - hem) / 0.12) * 0.012
        close = np.exp(-(np.hypot(p[:, 0], p[:, 2] - marks.joints[12, 2]) - 0.078) / 0.02) * 0.006
        return 0.012 + end + low - np.where(p[:, 1] > marks.y(9) + 0.1, close, 0)

    return _sheet(
        skin, lambda p: shirt_field(p, marks, sleeve=sleeve, hem=hem), offset, "shirt", 1, ATR_UPPER, steps=10
    )


def make_trousers(skin: ClothLayer, marks: Marks, *, end: float) -> ClothLayer:
    """Trousers or shorts, 8 mm off the hips and up to 20 mm at the hem ``end``."""

    def offset(p):
        return 0.008 + 0.012 * smoothstep(-p[:, 1], -marks.y(1), -end)

    return _sheet(
        skin, lambda p: trouser_field(p, marks, end=end), offset, "trousers", 2, ATR_PANTS, steps=10
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


def make_skirt(skin: ClothLayer, marks: Marks, *, hem: float) -> ClothLayer:
    """A flared skirt: rings around the hips from the waist to height ``hem``, with weights of the hips."""
    arms = skin.weights[:, [13, 14, 16, 17, 18, 19, 20, 21, 22, 23]].sum(1) > 0.3
    p = skin.positions[~arms]
    top = marks.y(3) + 0.012
    heights = np.linspace(top, hem, SKIRT_DOWN)
    angle = np.linspace(0, 2 * np.pi, SKIRT_AROUND, endpoint=False)
    ray = np.stack([np.sin(angle), np.cos(angle)], 1)
    centre = np.array([0.0, marks.joints[[1, 2], 2].mean()])
    flat = p[:, [0, 2]] - centre
    radius = np.stack([(flat[np.abs(p[:, 1] - y) < 0.02] @ ray.T).max(0) for y in heights])
    radius = np.maximum.accumulate(radius, 0)
    radius = ndimage.gaussian_filter(radius, (1.5, 2), mode=("nearest", "wrap"))
    down = ((top - heights) / (top - hem))[:, None]
    radius += 0.020 + 0.055 * down + 0.012 * smoothstep(down, 0.15, 1) * np.cos(9 * angle)
    x = np.empty((SKIRT_DOWN, SKIRT_AROUND, 3))
    x[..., [0, 2]] = radius[..., None] * ray + centre
    x[..., 1] = heights[:, None]
    weights = np.zeros((*x.shape[:2], 24))
    swing = 0.8 * smoothstep(down, 0.1, 1.0)
    left = smoothstep(x[..., 0], -0.12, 0.12)
    weights[..., 0], weights[..., 1], weights[..., 2] = 1 - swing, swing * left, swing * (1 - left)
    # the waistband has the weights of the waist under it, as the shirt does
    band = (1 - smoothstep(down, 0.05, 0.35))[..., None]
    _, near = cKDTree(p).query(x)
    weights += band * (skin.weights[~arms][near] - weights)
    faces, uv = _grid(SKIRT_DOWN, SKIRT_AROUND)
    return ClothLayer(
        name="skirt",
        positions=x.reshape(-1, 3),
        faces=faces,
        uv=uv,
        weights=weights.reshape(-1, 24),
        labels=np.full(len(faces), ATR_SKIRT, np.uint8),
        tile=2,
        carry=sparse.csr_array((SKIRT_DOWN * SKIRT_AROUND, len(skin.positions))),
    )


def _grid(down: int, around: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces (F, 3) and corner uv (F, 3, 2) of a tube of ``down`` rings of ``around`` vertices."""
    i, j = np.meshgrid(np.arange(down - 1), np.arange(around), indexing="ij")
    i, j = i.ravel(), j.ravel()
    corner = np.stack([i, i + 1, i + 1, i, i + 1, i], 1), np.stack([j, j, j + 1, j, j + 1, j + 1], 1)
    faces = (corner[0] * around + corner[1] % around).reshape(-1, 3)
    uv = np.stack([0.01 + 0.98 * corner[1] / around, 0.99 - 0.6 * corner[0] / (down - 1)], -1)
    return faces, uv.reshape(-1, 3, 2)


# -- outfits -------------------------------------------------------------------------------------


def dress(
    model: BodyModel,
    vertices: np.ndarray,
    marks: Marks,
    outfit: str,
    *,
    sleeve: str,
    nape: float,
    volume: float,
) -> list[ClothLayer]:
    """All layers of an outfit, without the parts that are hidden under another layer.

    Args:
        vertices: (V, 3) shaped rest body. outfit: "trousers", "shorts" or "skirt".
        sleeve: "short" or "long". nape, volume: see ``make_hair``; metres.
    """
    skin = skin_layer(model, vertices)
    tucked = outfit == "skirt"
    hem = marks.y(3) - 0.05 if tucked else marks.y(1) + 0.02
    end = {"trousers": marks.y(7) + 0.055, "shorts": marks.y(4) + 0.07, "skirt": marks.y(4) + 0.05}[outfit]
    shirt = make_shirt(skin, marks, sleeve=sleeve, hem=hem, tucked=tucked)
    shoes, hair = make_shoes(skin, marks), make_hair(skin, marks, nape=nape, volume=volume)
    lower = make_skirt(skin, marks, hem=end) if tucked else make_trousers(skin, marks, end=end)

    def covered(p):
        """Depth of points of the body under clothes and hair; metres."""
        leg = trouser_field(p, marks, end=end + (0.06 if tucked else 0.0))
        fields = [
            shirt_field(p, marks, sleeve=sleeve, hem=hem),
            leg,
            shoe_field(p, marks),
            hair_field(p, marks, nape=nape) - 0.005,
        ]
        return np.maximum.reduce(fields)

    hidden = covered(vertices) > 0.02
    skin = compact(skin, ~hidden[skin.faces].all(1))
    if not tucked:
        under = shirt_field(lower.carry @ vertices, marks, sleeve=sleeve, hem=hem) > 0.035
        lower = compact(lower, ~under[lower.faces].all(1))
    return [skin, shirt, lower, shoes, hair]
