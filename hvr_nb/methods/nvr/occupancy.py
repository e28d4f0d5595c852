"""Where in the big pose there is anything: a grid that spares the fields empty samples.

Mueller et al., "Instant Neural Graphics Primitives", 2022, appendix C, in canonical space.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import maximum_filter

from hvr_nb.canonical import Canonical
from hvr_nb.methods.nvr.network import AvatarField
from hvr_nb.nearest import nearest_surface

DENSITY = 2.0  # per metre: below this a centimetre hides 2 % of what is behind it
DECAY = 0.8  # of a cell's remembered density from one update to the next


@dataclass(frozen=True)
class LiveGrid:
    """Which cells of the big pose may hold anything."""

    low: np.ndarray  # (3,) float32 lower corner, metres
    cell: float  # side of a cell, metres
    live: np.ndarray  # (X, Y, Z) bool

    def lookup(self, points: np.ndarray) -> np.ndarray:
        """Whether big-pose points (..., 3) may hold anything: (...,) bool."""
        shape = self.live.shape
        index = np.clip(((points - self.low) / self.cell).astype(np.int32), 0, np.array(shape) - 1)
        return self.live.ravel()[(index[..., 0] * shape[1] + index[..., 1]) * shape[2] + index[..., 2]]


class Occupancy:
    """Remembered density of cells near the body; ``grid`` has those with some, and their neighbours.

    Args:
        margin: how far from the skin anything may be, metres. cell: side of a cell, metres.
    """

    def __init__(self, canonical: Canonical, *, margin: float, cell: float = 0.0125):
        low = canonical.bounds[0].astype(np.float32)
        shape = np.ceil((canonical.bounds[1] - canonical.bounds[0]) / cell).astype(int)
        index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
        centres = (low + cell * (index.reshape(-1, 3) + 0.5)).astype(np.float32)
        coarse = np.abs(_coarse_distance(canonical, centres)) < margin + 2 * canonical.spacing
        near = np.flatnonzero(coarse)
        _, _, distance = nearest_surface(centres[near], canonical.vertices, canonical.faces)
        keep = np.abs(distance) < margin + cell
        self.ids, self.centres, self.distance = near[keep], centres[near[keep]], distance[keep]
        self.remembered = np.full(len(self.ids), np.inf, np.float32)
        self.grid = LiveGrid(low, cell, np.zeros(shape, bool))
        self._mark()

    def _mark(self) -> None:
        live = np.zeros(self.grid.live.size, np.uint8)
        live[self.ids[self.remembered > DENSITY]] = 1
        grown = maximum_filter(live.reshape(self.grid.live.shape), size=3) > 0
        self.grid = replace(self.grid, live=grown)

    def update(self, field: AvatarField, *, batch: int = 65536) -> None:
        """Look at every cell's centre again."""
        now = np.empty(len(self.ids), np.float32)
        with torch.no_grad():
            for start in range(0, len(now), batch):
                part = slice(start, start + batch)
                x = torch.as_tensor(self.centres[part], device=field.low.device)
                d = torch.as_tensor(self.distance[part], device=field.low.device)
                features = field.grid((x - field.low) / field.side)
                now[part] = field.density(features, d).cpu().numpy()
        old = np.where(np.isinf(self.remembered), 0, self.remembered)
        self.remembered = np.maximum(DECAY * old, now).astype(np.float32)
        self._mark()

    def state_dict(self) -> dict:
        """What an update changes."""
        return {"remembered": torch.from_numpy(self.remembered.copy())}

    def load_state_dict(self, state: dict) -> None:
        """Put back what ``state_dict`` gave."""
        self.remembered = state["remembered"].numpy().copy()
        self._mark()


def _coarse_distance(canonical: Canonical, points: np.ndarray) -> np.ndarray:
    index = np.rint((points - canonical.origin) / canonical.spacing).astype(int)
    index = np.clip(index, 0, np.array(canonical.field_distance.shape) - 1)
    return canonical.field_distance[index[:, 0], index[:, 1], index[:, 2]]
