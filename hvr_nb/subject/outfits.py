"""The outfits of the synthetic person: which garments, over one another, and what each hides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hvr_nb.body.model import BodyModel
from hvr_nb.subject.garments import (
    NECK,
    Marks,
    hair_field,
    jacket_field,
    make_hair,
    make_jacket,
    make_shirt,
    make_shoes,
    make_trousers,
    make_tube_top,
    shirt_field,
    shoe_field,
    skin_layer,
    trouser_field,
    tube_field,
)
from hvr_nb.subject.layers import ClothLayer, compact
from hvr_nb.subject.skirts import make_skirt, with_skirt

Outfit = Literal[
    "trousers", "shorts", "skirt", "long_sleeves", "top", "dress", "tube", "long_skirt", "jacket"
]
UNDER = 0.06  # metres above the hem of a skirt where the skin beneath begins to be hidden
HIDDEN = 0.035  # metres from the edge of the garment above where cloth beneath it is left out


@dataclass(frozen=True)
class Worn:
    """A garment as it is worn: the whole of it, also what another garment hides."""

    layer: ClothLayer
    covers: Callable[
        [np.ndarray], np.ndarray
    ]  # points of the rest body (N, 3) to their depth under it, metres
    under: tuple[str, ...] = ()  # names of the garments above it that hide what is beneath


@dataclass(frozen=True)
class Dressed:
    """A person's layers and, whole, the garments among them."""

    layers: tuple[ClothLayer, ...]  # skin, garments, shoes, hair, without hidden parts
    worn: tuple[Worn, ...]


def dress(
    model: BodyModel,
    vertices: np.ndarray,
    marks: Marks,
    outfit: str,
    *,
    sleeve: str,
    nape: float,
    volume: float,
) -> Dressed:
    """All layers of an outfit.

    Args:
        vertices: (V, 3) shaped rest body. outfit: one of ``OUTFITS``.
        sleeve: "short" or "long", of the outfits whose name does not say.
        nape, volume: see ``make_hair``; metres.
    """
    skin = skin_layer(model, vertices)
    shoes, hair = make_shoes(skin, marks), make_hair(skin, marks, nape=nape, volume=volume)
    worn = _GARMENTS[outfit](skin, marks, sleeve)
    fields = [w.covers for w in worn]
    fields += [lambda p: shoe_field(p, marks), lambda p: hair_field(p, marks, nape=nape) - 0.005]
    hidden = np.maximum.reduce([field(vertices) for field in fields]) > 0.02
    shown = [_without_hidden(w, worn, vertices) for w in worn]
    bare = compact(skin, ~hidden[skin.faces].all(1))
    return Dressed((bare, *shown, shoes, hair), tuple(worn))


def _without_hidden(garment: Worn, worn: list[Worn], vertices: np.ndarray) -> ClothLayer:
    """The layer of a garment without the faces that others hide; ``vertices`` (V, 3) of the rest body."""
    layer = garment.layer
    above = [w.covers(layer.carry @ vertices) for w in worn if w.layer.name in garment.under]
    if not above:
        return layer
    under = np.maximum.reduce(above) > HIDDEN
    return compact(layer, ~under[layer.faces].all(1))


# -- recipes: skin, marks and sleeve to the garments, upper ones first ---------------------------------


def _shirt(skin: ClothLayer, marks: Marks, sleeve: str, hem: float, *, under=(), **shape) -> Worn:
    layer = make_shirt(skin, marks, sleeve=sleeve, hem=hem, **shape)
    collar = shape.get("collar", NECK)
    return Worn(layer, lambda p: shirt_field(p, marks, sleeve=sleeve, hem=hem, collar=collar), under)


def _trousers(skin: ClothLayer, marks: Marks, end: float, *, under=("shirt",), tile: int = 2) -> Worn:
    layer = make_trousers(skin, marks, end=end, tile=tile)
    return Worn(layer, lambda p: trouser_field(p, marks, end=end), under)


def _over(marks: Marks) -> float:
    """Height where a shirt ends that hangs over trousers."""
    return marks.y(1) + 0.02


def _with_trousers(skin: ClothLayer, marks: Marks, sleeve: str) -> list[Worn]:
    return [
        _shirt(skin, marks, sleeve, _over(marks), flare=True),
        _trousers(skin, marks, marks.y(7) + 0.055),
    ]


def _with_shorts(skin: ClothLayer, marks: Marks, sleeve: str) -> list[Worn]:
    return [
        _shirt(skin, marks, sleeve, _over(marks), flare=True),
        _trousers(skin, marks, marks.y(4) + 0.07),
    ]


def _with_skirt(skin: ClothLayer, marks: Marks, sleeve: str, *, end: float | None = None, **shape) -> list:
    end = marks.y(4) + 0.05 if end is None else end
    skirt = make_skirt(skin, marks, hem=end, **shape)
    return [
        _shirt(skin, marks, sleeve, marks.y(3) - 0.05, flare=False),
        Worn(skirt, lambda p: trouser_field(p, marks, end=end + UNDER)),
    ]


def _with_long_skirt(skin: ClothLayer, marks: Marks, sleeve: str) -> list[Worn]:
    return _with_skirt(skin, marks, sleeve, end=marks.y(7) + 0.14, down=44, flare=0.13)


def _with_long_sleeves(skin: ClothLayer, marks: Marks, sleeve: str) -> list[Worn]:
    return _with_trousers(skin, marks, "long")


def _with_top(skin: ClothLayer, marks: Marks, sleeve: str) -> list[Worn]:
    return [
        _shirt(skin, marks, "none", _over(marks), flare=True, collar=0.1),
        _trousers(skin, marks, marks.y(4) + 0.07),
    ]


def _with_dress(skin: ClothLayer, marks: Marks, sleeve: str) -> list[Worn]:
    """A dress, short-sleeved or, where the seed draws long sleeves, without any."""
    sleeve = "none" if sleeve == "long" else sleeve
    shape = dict(sleeve=sleeve, collar=0.092)
    end = marks.y(4) + 0.04
    bodice = make_shirt(skin, marks, hem=marks.y(6), flare=False, **shape)
    layer = with_skirt(bodice, skin, marks, hem=end, down=36, flare=0.07, name="dress")
    return [Worn(layer, lambda p: shirt_field(p, marks, hem=end + UNDER, **shape))]


def _with_tube(skin: ClothLayer, marks: Marks, sleeve: str) -> list[Worn]:
    end = marks.y(4) + 0.09
    bodice = make_tube_top(skin, marks, hem=marks.y(6))
    layer = with_skirt(bodice, skin, marks, hem=end, down=34, flare=0.05, name="tube")
    return [Worn(layer, lambda p: tube_field(p, marks, hem=end + UNDER))]


def _with_jacket(skin: ClothLayer, marks: Marks, sleeve: str) -> list[Worn]:
    hem = marks.y(1) - 0.03
    jacket = Worn(make_jacket(skin, marks, hem=hem), lambda p: jacket_field(p, marks, hem=hem))
    shirt = _shirt(skin, marks, "short", _over(marks), flare=False, cuff=0.002, under=("jacket",))
    # the tile of the lower garment is the jacket's, and shoes and hair leave the legs of theirs free
    trousers = _trousers(skin, marks, marks.y(7) + 0.055, under=("shirt", "jacket"), tile=3)
    return [shirt, jacket, trousers]


_GARMENTS = {
    "trousers": _with_trousers,
    "shorts": _with_shorts,
    "skirt": _with_skirt,
    "long_sleeves": _with_long_sleeves,
    "top": _with_top,
    "dress": _with_dress,
    "tube": _with_tube,
    "long_skirt": _with_long_skirt,
    "jacket": _with_jacket,
}
OUTFITS = tuple(_GARMENTS)  # new ones go to the end: the place of an outfit is part of its seed
