"""The synthetic person: a shape, clothes and a texture drawn from a seed (docs/body.md, 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import torch
from scipy import sparse

from hvr_nb.body import skinning
from hvr_nb.body.model import OPEN_BODY, BodyModel, check_same_model, load_body_model
from hvr_nb.subject.garments import Marks, make_marks
from hvr_nb.subject.layers import ClothLayer
from hvr_nb.subject.outfits import OUTFITS, Dressed, Outfit, Worn, dress
from hvr_nb.subject.texture import (
    atlas_uv,
    bake,
    finish_tile,
    join_tiles,
    paint_dress,
    paint_hair,
    paint_jacket,
    paint_shirt,
    paint_shoes,
    paint_skin,
    paint_skirt,
    paint_trousers,
)
from hvr_nb.threads import over_frames
from hvr_nb.types import Body, HvrError, Mesh

TILE = 1024  # texels along a tile of the atlas
FINER = 2  # textures are painted at this multiple of the resolution, so that edges are smooth

_TONES = np.array([[0.86, 0.66, 0.55], [0.76, 0.56, 0.44], [0.58, 0.40, 0.30], [0.91, 0.74, 0.64]])
_HAIRS = np.array([[0.20, 0.13, 0.09], [0.10, 0.08, 0.07], [0.42, 0.27, 0.14], [0.52, 0.40, 0.22]])
_IRISES = np.array([[0.28, 0.18, 0.10], [0.25, 0.38, 0.48], [0.30, 0.36, 0.20]])
_SHIRTS = np.array(
    [  # base and accent
        [[0.90, 0.89, 0.84], [0.16, 0.24, 0.46]],
        [[0.72, 0.22, 0.18], [0.14, 0.16, 0.30]],
        [[0.24, 0.52, 0.46], [0.93, 0.80, 0.36]],
        [[0.88, 0.80, 0.62], [0.20, 0.42, 0.30]],
    ]
)
_LOWERS = np.array(
    [
        [[0.24, 0.32, 0.50], [0.90, 0.90, 0.90]],
        [[0.50, 0.44, 0.32], [0.90, 0.86, 0.70]],
        [[0.32, 0.20, 0.42], [0.95, 0.78, 0.35]],
        [[0.26, 0.30, 0.28], [0.85, 0.40, 0.30]],
    ]
)
_JACKETS = np.array([[0.34, 0.36, 0.22], [0.20, 0.24, 0.34], [0.46, 0.26, 0.18], [0.72, 0.66, 0.54]])
_SHOES = np.array([[0.60, 0.16, 0.14], [0.16, 0.18, 0.22], [0.18, 0.36, 0.56]])


@dataclass(frozen=True)
class Subject:
    """A clothed person in the rest pose: V vertices and F faces in one mesh, layer by layer."""

    outfit: str
    seed: int
    model: BodyModel = field(repr=False)
    betas: np.ndarray = field(repr=False)  # (10,) shape of the body under the clothes
    layers: tuple[ClothLayer, ...] = field(repr=False)  # skin, garments, shoes, hair
    worn: tuple[Worn, ...] = field(repr=False)  # the garments, whole
    positions: np.ndarray = field(repr=False)  # (V, 3) metres, rest pose
    faces: np.ndarray = field(repr=False)  # (F, 3)
    weights: np.ndarray = field(repr=False)  # (V, 24)
    carry: sparse.csr_array = field(repr=False)  # (V, B) body vertices whose pose correctives a vertex takes
    labels: np.ndarray = field(repr=False)  # (F,) uint8 ATR label of each face
    uv: np.ndarray = field(repr=False)  # (F, 3, 2) atlas coordinates of each corner, origin lower left
    paint: Callable[[], np.ndarray] = field(repr=False)  # makes the texture, the longest part of the work

    @cached_property
    def texture(self) -> np.ndarray:
        """The atlas (2 TILE, 2 TILE, 3), uint8 RGB; painted when it is first asked for."""
        return self.paint()

    def __repr__(self) -> str:
        return (
            f"Subject({self.outfit}, seed {self.seed}, {len(self.positions)} vertices, "
            f"{len(self.faces)} faces)"
        )


def make_subject(
    outfit: Outfit = "trousers",
    *,
    seed: int = 0,
    model: BodyModel | None = None,
    betas: np.ndarray | None = None,
) -> Subject:
    """Dress a body in clothes, hair and texture drawn from a seed.

    Args:
        outfit: one of ``OUTFITS``, each with shoes and hair: a shirt with "trousers", "shorts", "skirt" or
            "long_skirt"; "long_sleeves", a shirt with trousers; "top", one without sleeves, with shorts;
            "dress"; "tube", a strapless dress; "jacket", open over a shirt, with trousers.
        seed: draws shape, colours, patterns and haircut.
        model: a body model with texture coordinates; None takes the open body.
        betas: (10,) shape; None draws one.

    Raises:
        HvrError: unknown outfit, or the model has no texture coordinates.
    """
    if outfit not in OUTFITS:
        raise HvrError(f"outfit {outfit!r} is unknown; choose one of {', '.join(OUTFITS)}")
    model = model or load_body_model(OPEN_BODY)
    if model.uv is None:
        raise HvrError(f"{model.name} has no texture coordinates; dress the open body (model=None)")
    rng = np.random.default_rng([seed, OUTFITS.index(outfit)])
    shape = subject_betas(seed) if betas is None else np.asarray(betas, np.float64)
    vertices, joints = (a.numpy().astype(np.float64) for a in model.shaped(torch.as_tensor(shape).float()))
    marks = make_marks(model, vertices, joints)
    sleeve = "long" if (seed + OUTFITS.index(outfit)) % 3 == 2 else "short"
    dressed = dress(
        model,
        vertices,
        marks,
        outfit,
        sleeve=sleeve,
        nape=float(rng.uniform(0.05, 0.09)),
        volume=float(rng.uniform(0.014, 0.024)),
    )
    return _merge(dressed, model, shape, outfit, seed, partial(_paint, dressed.layers, marks, outfit, seed))


def subject_betas(seed: int) -> np.ndarray:
    """(10,) betas of a moderate shape, drawn from a seed."""
    return np.clip(np.random.default_rng([seed, 77]).normal(0, 0.6, 10), -1.2, 1.2)


def _merge(dressed: Dressed, model, betas, outfit, seed, paint) -> Subject:
    layers = dressed.layers
    starts = np.cumsum([0, *(len(layer.positions) for layer in layers)])
    return Subject(
        outfit=outfit,
        seed=seed,
        model=model,
        betas=betas,
        layers=layers,
        worn=dressed.worn,
        paint=paint,
        positions=np.concatenate([layer.positions for layer in layers]),
        faces=np.concatenate([layer.faces + s for layer, s in zip(layers, starts[:-1], strict=True)]),
        weights=np.concatenate([layer.weights for layer in layers]),
        carry=sparse.csr_array(sparse.vstack([layer.carry for layer in layers])),
        labels=np.concatenate([layer.labels for layer in layers]),
        uv=np.concatenate([atlas_uv(layer) for layer in layers]),
    )


def _paint(layers: tuple[ClothLayer, ...], marks: Marks, outfit: str, seed: int) -> np.ndarray:
    """The texture atlas of an outfit, with colours drawn from the seed."""
    rng = np.random.default_rng([seed, OUTFITS.index(outfit), 5])

    def draw(table):
        return table[rng.integers(len(table))]

    tone, hair, iris, shoe = draw(_TONES), draw(_HAIRS), draw(_IRISES), draw(_SHOES)
    shirt, lower = draw(_SHIRTS), draw(_LOWERS)
    pattern = (seed + OUTFITS.index(outfit)) % 3
    grain = 1000 * seed
    jacket = draw(_JACKETS)
    lowest = min(layers[1:-2], key=lambda layer: layer.positions[:, 1].min())  # of the garments
    low = float(lowest.positions[:, 1].min())
    painters = {
        "skin": lambda p: paint_skin(p, marks, tone, iris, grain),
        "shirt": lambda p: paint_shirt(p, marks, shirt[0], shirt[1], pattern, grain + 10),
        "trousers": lambda p: paint_trousers(p, marks, lower[0], low, grain + 20),
        "skirt": lambda p: paint_skirt(p, marks, lower[0], lower[1], low, grain + 30),
        "dress": lambda p: paint_dress(p, marks, lower[0], lower[1], pattern, low, grain + 30),
        "tube": lambda p: paint_dress(p, marks, lower[0], lower[1], pattern, low, grain + 30),
        "jacket": lambda p: paint_jacket(p, marks, jacket, grain + 60),
        "shoes": lambda p: paint_shoes(p, marks, shoe, grain + 40),
        "hair": lambda p: paint_hair(p, marks, hair, grain + 50),
    }
    tiles = [np.zeros((TILE, TILE, 3), np.uint8)] * 4

    def fill(number: int) -> None:
        tile, drawn = (
            np.zeros((FINER * TILE, FINER * TILE, 3), np.float32),
            np.zeros((FINER * TILE,) * 2, bool),
        )
        for layer in layers:
            if layer.tile == number:
                bake(layer, painters[layer.name], tile, drawn)
        tiles[number] = finish_tile(tile, drawn, TILE)

    list(over_frames(fill, range(len(tiles))))
    return join_tiles(tiles)


def pose_subject(subject: Subject, body: Body) -> np.ndarray:
    """Clothed vertices (T, V, 3) float32 of every frame of ``body``, world metres.

    Clothes are skinned with the body's pose correctives and blend weights, at the subject's shape
    (``body.betas`` must be equal).

    Raises:
        HvrError: ``body`` has another shape or belongs to another model.
    """
    check_body(subject, body)
    model = subject.model
    rest = torch.as_tensor(subject.positions, dtype=torch.float32)
    weights = torch.as_tensor(subject.weights, dtype=torch.float32)
    _, joints = model.shaped(torch.as_tensor(subject.betas, dtype=torch.float32))
    out = np.empty((len(body), len(rest), 3), np.float32)
    with torch.no_grad():
        for start in range(0, len(body), 16):
            part = body.frame(slice(start, start + 16))
            poses = torch.as_tensor(part.poses, dtype=torch.float32).reshape(len(part), 24, 3)
            rotations = skinning.axis_angle_to_matrix(poses)
            world, placed = skinning.forward_kinematics(rotations, joints, model.parents)
            transforms = skinning.rest_relative(world, placed, joints)
            feature = (rotations[:, 1:] - torch.eye(3)).reshape(len(part), 207)
            bend = (feature @ model.posedirs).numpy().reshape(len(part), -1, 3)
            offset = np.stack([subject.carry @ b for b in bend]).astype(np.float32)
            x = skinning.transform_points(
                skinning.blend_transforms(transforms, weights), rest + torch.as_tensor(offset)
            )
            out[start : start + len(part)] = x.numpy() + part.transl[:, None].astype(np.float32)
    return out


def check_body(subject: Subject, body: Body) -> None:
    """Raise HvrError where the subject cannot perform ``body``: another model or another shape."""
    theirs = subject.model
    check_same_model(
        "this motion", body.model_hash, theirs.hash, "convert it with clip_motion", name=theirs.name
    )
    if not np.allclose(body.betas[:10], subject.betas, atol=1e-5):
        raise HvrError(
            "this motion has another shape than the subject; use clip_motion(body, "
            "betas=subject.betas) or make_subject(..., betas=body.betas)"
        )


def clothed_mesh(subject: Subject, body: Body, frame: int = 0) -> Mesh:
    """The textured clothed mesh of one frame, world metres."""
    return Mesh(
        vertices=pose_subject(subject, body.frame(frame))[0],
        faces=subject.faces,
        uv=subject.uv.reshape(-1, 2),
        uv_faces=np.arange(subject.faces.size).reshape(-1, 3),
        texture=subject.texture,
    )
