"""Whether arrays from a file are what a value's fields declare: kind, shape, and finite numbers.

The declarations are those of ``hvr_nb.types.shaped``. Shapes are compared before an array is read, so that a
file cannot make the reader allocate what it only claims to hold.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from hvr_nb.types import Camera, Canonical, Joints3D

_LAYOUT = re.compile(r"(float or nan|index of (\w+)|\w+) \(([^)]*)\)")
_KINDS = {"float": "fiu", "float or nan": "fiu", "int": "iu", "bool": "b"}


def check_layout(
    field: dataclasses.Field, shape: tuple[int, ...], dtype: np.dtype, sizes: dict[str, int]
) -> None:
    """Refuse an array of the wrong kind or shape.

    Args:
        field: the field it is for; without a declared layout it takes numbers, bools and text of any shape.
        shape, dtype: what the array has, or states to have.
        sizes: lengths of the letters of the layout known so far; new ones are added.

    Raises:
        ValueError: saying what is wrong.
    """
    layout = field.metadata.get("layout")
    if layout is None:
        if dtype.kind not in "biufSU":
            raise ValueError(f"{field.name} holds neither numbers nor text")
        return
    kind, indexed, letters = _LAYOUT.fullmatch(layout).groups()
    kind = "int" if indexed else kind
    if dtype.kind not in _KINDS.get(kind, "") and dtype.name != kind:
        raise ValueError(f"{field.name} is of type {dtype.name}, not {kind}")
    wanted = [part.strip() for part in letters.split(",") if part.strip()]
    expected = [int(w) if w.isdecimal() else sizes.get(w) for w in wanted]
    if len(shape) != len(wanted) or any(e not in (None, n) for e, n in zip(expected, shape, strict=True)):
        known = {w: e for w, e in zip(wanted, expected, strict=True) if not w.isdecimal() and e is not None}
        of = f" with {', '.join(f'{w} {n}' for w, n in known.items())}" if known else ""
        raise ValueError(f"{field.name} has shape {tuple(shape)}, not ({letters}){of}")
    sizes.update((w, int(n)) for w, n in zip(wanted, shape, strict=True) if not w.isdecimal())


def check_value(value, sizes: Mapping[str, int] | None = None) -> None:
    """Refuse a value whose arrays do not fit its declarations, are not finite or contradict each other.

    Args:
        value: a dataclass of ``hvr_nb.types`` or of a method. sizes: known lengths, e.g. ``{"T": 60}``.

    Raises:
        ValueError: saying what is wrong.
    """
    lengths = dict(sizes or {})
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if dataclasses.is_dataclass(item):
            check_value(item, sizes)
        elif "layout" in field.metadata and item is not None:
            item = np.asarray(item)
            check_layout(field, item.shape, item.dtype, lengths)
            if field.metadata["layout"].startswith("float (") and not np.isfinite(item).all():
                raise ValueError(f"{field.name} holds numbers that are not finite")
        elif isinstance(item, float) and not np.isfinite(item):
            raise ValueError(f"{field.name} is {item}")
    _check_indices(value, lengths)
    agree = _AGREE.get(type(value))
    if agree is not None and (complaint := agree(value, lengths)):
        raise ValueError(complaint)


def _check_indices(value, lengths: Mapping[str, int]) -> None:
    for field in dataclasses.fields(value):
        item, found = getattr(value, field.name), _LAYOUT.fullmatch(field.metadata.get("layout", ""))
        if item is None or not (found and found[2]) or not np.size(item):
            continue
        if np.min(item) < 0 or np.max(item) >= lengths[found[2]]:
            raise ValueError(f"{field.name} points outside 0 to {lengths[found[2]] - 1}")


def _camera(camera: Camera, sizes: Mapping[str, int]) -> str:
    if min(camera.K[0, 0], camera.K[1, 1]) <= 0:
        return f"K has focal lengths {camera.K[0, 0]:.4g} and {camera.K[1, 1]:.4g}; they must be positive"
    width, height = sizes.get("W", camera.width), sizes.get("H", camera.height)
    if (camera.width, camera.height) != (width, height) or min(width, height) < 1:
        if min(camera.width, camera.height) < 1:
            return f"the camera's picture is {camera.width}x{camera.height} pixels"
        return (
            f"the camera's picture is {camera.width}x{camera.height}, the frames are {width}x{height}: "
            f"multiply fx, cx by {width / camera.width:.3g} and fy, cy by {height / camera.height:.3g}"
        )
    return ""


def _joints(joints: Joints3D, _sizes: Mapping[str, int]) -> str:
    if len(joints.names) != joints.points.shape[1]:
        return f"{len(joints.names)} names for {joints.points.shape[1]} joints"
    return "" if np.isfinite(joints.points[joints.valid]).all() else "points of valid frames are not finite"


def _canonical(canonical: Canonical, _sizes: Mapping[str, int]) -> str:
    if canonical.parts.max(initial=0) >= len(canonical.part_names):
        return "parts point at names that are not there"
    parents = canonical.parents
    if parents[0] != -1 or (parents[1:] < 0).any() or (parents[1:] >= np.arange(1, len(parents))).any():
        return "parents do not form a tree"
    return "" if canonical.spacing > 0 else f"spacing is {canonical.spacing}"


_AGREE = {Camera: _camera, Joints3D: _joints, Canonical: _canonical}
