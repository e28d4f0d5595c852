"""The occupancy grid: which cells of the big pose may hold surface, so that the fields skip the others.

Mueller et al., "Instant Neural Graphics Primitives", 2022, appendix C, in canonical space.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import maximum_filter, minimum_filter

from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.methods.nvr.network import AvatarField
from hvr_nb.types import Canonical

INSIDE = 0.03  # metres under the skin from which on all is solid
EMPTY, LIVE, SOLID = 0, 1, 2  # states of a cell
REACH = 0.012  # metres: cells farther than this from the surface are empty or solid
FORGET = 0.004  # metres that a remembered extreme moves back at each update


@dataclass(frozen=True)
class LiveGrid:
    """Cells of the big pose: where the surface may be, what is empty and what is solid."""

    low: np.ndarray  # (3,) float32 lower corner, metres
    cell: float  # side of a cell, metres
    state: np.ndarray  # (X, Y, Z) uint8, EMPTY, LIVE or SOLID

    def lookup(self, points: np.ndarray) -> np.ndarray:
        """(...,) uint8 state of the cells of big-pose points (..., 3)."""
        shape = self.state.shape
        index = np.clip(((points - self.low) / self.cell).astype(np.int32), 0, np.array(shape) - 1)
        return self.state.ravel()[(index[..., 0] * shape[1] + index[..., 1]) * shape[2] + index[..., 2]]


class Occupancy:
    """Least and greatest height over the surface in cells near the body, and the grid made of them.

    Args:
        margin: how far from the skin the surface may be, metres. cell: side of a cell, metres.
    """

    def __init__(self, canonical: Canonical, *, margin: float, cell: float = 0.0125):
        low = canonical.bounds[0].astype(np.float32)
        shape = np.ceil((canonical.bounds[1] - canonical.bounds[0]) / cell).astype(int)
        index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
        centres = (low + cell * (index.reshape(-1, 3) + 0.5)).astype(np.float32)
        coarse = _coarse_distance(canonical, centres)
        blur = 2 * canonical.spacing
        near = np.flatnonzero((coarse < margin + blur) & (coarse > -INSIDE - blur))
        _, _, distance = nearest_surface(centres[near], canonical.vertices, canonical.faces)
        keep = (distance < margin + cell) & (distance > -INSIDE - cell)
        self.ids, self.centres, self.distance = near[keep], centres[near[keep]], distance[keep]
        self.base = np.where(coarse < 0, SOLID, EMPTY).astype(np.uint8)
        self.base[near[distance > 0]] = EMPTY
        self.lowest = np.full(len(self.ids), -np.inf, np.float32)  # nothing is known yet: all cells are live
        self.highest = np.full(len(self.ids), np.inf, np.float32)
        self.grid = LiveGrid(low, cell, self.base.reshape(shape))
        self._mark()

    def _mark(self) -> None:
        shape = self.grid.state.shape
        maybe, solid = np.zeros(self.base.size, np.uint8), self.base == SOLID
        maybe[self.ids[self.lowest < REACH]] = 1
        solid[self.ids] = self.highest < -REACH
        maybe = maximum_filter(maybe.reshape(shape), size=3) > 0
        solid = minimum_filter(solid.astype(np.uint8).reshape(shape), size=3) > 0
        state = np.where(maybe, LIVE, self.base.reshape(shape))
        self.grid = replace(self.grid, state=np.where(solid, SOLID, state).astype(np.uint8))

    def update(self, field: AvatarField, *, batch: int = 65536) -> None:
        """Evaluate the field at every cell's centre again; ``batch`` points at once."""
        now = np.empty(len(self.ids), np.float32)
        with torch.no_grad():
            for start in range(0, len(now), batch):
                part = slice(start, start + batch)
                x = torch.as_tensor(self.centres[part], device=field.low.device)
                d = torch.as_tensor(self.distance[part], device=field.low.device)
                now[part] = field.height_over(field.features(x), d).cpu().numpy()
        first = np.isinf(self.lowest)
        self.lowest = np.where(first, now, np.minimum(self.lowest + FORGET, now)).astype(np.float32)
        self.highest = np.where(first, now, np.maximum(self.highest - FORGET, now)).astype(np.float32)
        self._mark()

    def state_dict(self) -> dict:
        """What an update changes."""
        return {name: torch.from_numpy(getattr(self, name).copy()) for name in ("lowest", "highest")}

    def load_state_dict(self, state: dict) -> None:
        """Put back what ``state_dict`` gave."""
        self.lowest, self.highest = (state[name].numpy().copy() for name in ("lowest", "highest"))
        self._mark()


def _coarse_distance(canonical: Canonical, points: np.ndarray) -> np.ndarray:
    index = np.rint((points - canonical.origin) / canonical.spacing).astype(int)
    index = np.clip(index, 0, np.array(canonical.field_distance.shape) - 1)
    return canonical.field_distance[index[:, 0], index[:, 1], index[:, 2]]
