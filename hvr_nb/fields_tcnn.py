"""tiny-cuda-nn behind the ``HashGrid`` interface; CUDA only and untested where none is available.

The table keeps the layout of ``hvr_nb.fields``; tiny-cuda-nn's own grid differs in where its nodes
lie, so a table trained with one backend is not read by another: an avatar stores the backend's name.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def available() -> bool:
    """Whether tiny-cuda-nn's torch binding imports."""
    try:
        import tinycudann  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


class TcnnGrid(nn.Module):
    """A tiny-cuda-nn HashGrid with the geometry of ``HashGrid``."""

    def __init__(self, cells: list[int], rows: list[int], features: int):
        super().__init__()
        import tinycudann

        growth = (cells[-1] / cells[0]) ** (1 / max(len(cells) - 1, 1))
        self.grid = tinycudann.Encoding(3, {
            "otype": "HashGrid", "n_levels": len(cells), "n_features_per_level": features,
            "log2_hashmap_size": int(np.log2(max(rows))), "base_resolution": cells[0],
            "per_level_scale": growth,
        })  # fmt: skip

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        """Features (N, levels * features), float32; ``table`` is kept for the interface only."""
        return self.grid(x.clamp(0, 1)).to(torch.float32)
