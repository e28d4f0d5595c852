"""What of the neural avatar is kept on disk: its arrays, and how the field's tensors go into them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hvr_nb.methods.nvr.network import AvatarField
from hvr_nb.methods.nvr.occupancy import LiveGrid
from hvr_nb.types import HvrError, shaped


@dataclass(frozen=True)
class SavedField:
    """What is on disk: the field's tensors and its live cells."""

    tables: np.ndarray = shaped("float16 (N, 2)")  # the hash tables end to end
    rest: np.ndarray = shaped("float (M,)")  # the field's other tensors by name, end to end
    codes: np.ndarray = shaped("float (T, K)")
    low: np.ndarray = shaped("float (3,)")  # lower corner of the live cells, metres
    cell: float  # their side, metres
    state: np.ndarray = shaped("uint8 (X, Y, Z)")


@dataclass(frozen=True)
class Cloth:
    """Body and loose clothes as one big-pose surface (``dress.py``), as kept on disk."""

    vertices: np.ndarray = shaped("float (V, 3)")  # metres
    faces: np.ndarray = shaped("index of V (F, 3)")


def packed(field: AvatarField, codes: np.ndarray, grid: LiveGrid) -> SavedField:
    """The field's tensors, codes (T, K) and live cells as arrays; tables in half precision."""
    tables, rest = _tensors(field)
    return SavedField(
        tables=np.concatenate([t.cpu().numpy() for t in tables]).astype(np.float16),
        rest=np.concatenate([t.cpu().numpy().ravel() for t in rest]),
        codes=codes.astype(np.float32),
        low=grid.low,
        cell=grid.cell,
        state=grid.state,
    )


def unpack_into(field: AvatarField, weights: SavedField, path: Path) -> None:
    """Put the arrays of ``weights``, read from ``path``, into the field's tensors.

    Raises:
        HvrError: their sizes differ.
    """
    tables, rest = _tensors(field)
    sizes = sum(len(t) for t in tables), sum(t.numel() for t in rest)
    if sizes != (len(weights.tables), len(weights.rest)) or weights.codes.shape != tuple(field.codes.shape):
        raise HvrError(f"{path} does not fit options.json; run 05_train again")
    with torch.no_grad():
        for tensors, values in ((tables, weights.tables), (rest, weights.rest)):
            flat = torch.from_numpy(values.astype(np.float32).ravel())
            for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
                tensor.copy_(part.view(tensor.shape))
        field.codes.copy_(torch.from_numpy(weights.codes))


def half_precision(field: AvatarField) -> None:
    """Round the tables to what ``save`` keeps, so that a loaded avatar renders the same."""
    with torch.no_grad():
        for table in _tensors(field)[0]:
            table.copy_(table.half().float())


def _tensors(field: AvatarField) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The field's hash tables, and all its other tensors but the codes, by name."""
    state = field.state_dict()
    names = sorted(name for name in state if name != "codes")
    return (
        [state[n] for n in names if n.endswith("table")],
        [state[n] for n in names if not n.endswith("table")],
    )
