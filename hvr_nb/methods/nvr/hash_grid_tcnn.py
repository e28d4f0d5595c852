"""tiny-cuda-nn's hash grid over a table that ``HashGrid`` owns; CUDA only.

Tested on the CPU only, with a stand-in for the library. Its nodes lie elsewhere than those of
``hvr_nb.methods.nvr.hash_grid`` (one node fewer along an axis, half a cell off), so a table trained with one
backend means nothing to the other: see ``hash_grid.reading_backend``. It sums gradients in changing order,
so two equal trainings differ in the last bits.
"""

from __future__ import annotations

import torch
from torch import Tensor


def available() -> bool:
    """Whether tiny-cuda-nn's torch binding imports."""
    try:
        import tinycudann  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


class TcnnGrid:
    """A tiny-cuda-nn HashGrid with the sizes of ``HashGrid``, without parameters of its own.

    Args:
        cells: cells along an axis of each level, in geometric growth. features: numbers per row.
        log2_table: a level has at most 2**log2_table rows.
    """

    def __init__(self, cells: list[int], log2_table: int, features: int):
        import tinycudann

        growth = (cells[-1] / cells[0]) ** (1 / max(len(cells) - 1, 1))
        self.encoding = tinycudann.Encoding(
            3,
            {
                "otype": "HashGrid",
                "n_levels": len(cells),
                "n_features_per_level": features,
                "log2_hashmap_size": log2_table,
                "base_resolution": cells[0],
                "per_level_scale": growth,
            },
            dtype=torch.float32,
        )
        self.rows = self.encoding.params.numel() // features
        self.encoding.params.data = self.encoding.params.new_empty(0)  # every call brings a table

    def __call__(self, x: Tensor, table: Tensor) -> Tensor:
        """Features (N, levels * features) of points (N, 3) from table (rows, features), float32."""
        return torch.func.functional_call(self.encoding, {"params": table.flatten()}, (x.clamp(0, 1),))
