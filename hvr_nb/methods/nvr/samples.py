"""The samples of rays that may show something: big-pose points, distance and nearest place of the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvr_nb.methods.nvr.occupancy import EMPTY, LIVE, SOLID, LiveGrid
from hvr_nb.methods.nvr.warp import PoseBank, at_samples, warp_rays
from hvr_nb.types import Canonical

PAD = 4096  # sample counts are rounded up to this, so that matrix kernels are reused


@dataclass(frozen=True)
class Samples:
    """N samples (padded to M by copies) out of R rays x S positions; float32."""

    index: np.ndarray  # (N,) flat positions in (R, S), ascending
    solid: np.ndarray  # (R, S) bool, samples known to lie inside
    frame: np.ndarray  # (M,) frame in the bank
    big: np.ndarray  # (M, 3) big-pose points, metres
    distance: np.ndarray  # (M,) signed distance to the skin, metres
    normal: np.ndarray  # (M, 3) world normal of the nearest skin
    big_normal: np.ndarray  # (M, 3) its big-pose normal
    face: np.ndarray  # (M,) nearest face
    bary: np.ndarray  # (M, 3) barycentric coordinates in it

    @property
    def count(self) -> int:
        """N, without padding."""
        return len(self.index)


def live_samples(
    points: np.ndarray,
    frame: np.ndarray,
    bank: PoseBank,
    canonical: Canonical,
    big_normals: np.ndarray,
    grid: LiveGrid,
    *,
    margin: float,
) -> Samples | None:
    """Carry samples (R, S, 3) of rays in frames (R,) to the big pose and keep those in live cells.

    Args:
        big_normals: (V, 3) normals of the big pose. margin: metres over the skin that samples may be.

    Returns:
        None where nothing is left.
    """
    big, distance, face, bary = warp_rays(points, frame, bank, canonical)
    state = np.where(distance < margin, grid.lookup(big), EMPTY)
    index = np.flatnonzero(state == LIVE)
    if len(index) == 0:
        return None
    padded = np.concatenate([index, np.full(-len(index) % PAD, index[0])])
    f = frame[padded // points.shape[1]]
    face, bary = face.ravel()[padded], bary.reshape(-1, 3)[padded]
    return Samples(
        index=index,
        solid=state == SOLID,
        frame=f,
        big=big.reshape(-1, 3)[padded],
        distance=distance.ravel()[padded],
        normal=at_samples(bank.normals, f, face, bary, canonical.faces),
        big_normal=at_samples(big_normals[None], np.zeros_like(f), face, bary, canonical.faces),
        face=face,
        bary=bary,
    )


def positions(bounds: np.ndarray, count: int, jitter: np.ndarray | float):
    """Stratified depths along the two stretches of rays, as ``rays.shell`` gives them.

    Args:
        bounds: (R, 4) near and far of both stretches, metres. jitter: (R, count) or one, 0..1.

    Returns:
        depths (R, count), ascending, and their spacing (R, 1), float32 metres.
    """
    first = bounds[:, 1:2] - bounds[:, :1]
    step = (first + bounds[:, 3:] - bounds[:, 2:3]) / count
    along = step * (np.arange(count) + jitter)
    depth = np.where(along < first, bounds[:, :1] + along, bounds[:, 2:3] + (along - first))
    return depth.astype(np.float32), step.astype(np.float32)
