"""Weights of the lifters: the project's own, and files of VideoPose3D and P-STMO that a user owns.

Sizes are read from the tensors (`specs/pose3d_pamir.md` A8, A11). Nothing of a file is run: tensors come
through torch's restricted loader, and the random states that old files carry are read as inert records.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hvr_nb.body_model import ASSETS
from hvr_nb.clip import atomic
from hvr_nb.lift.stmo import MaskedStmo, Stmo
from hvr_nb.lift.temporal import TemporalModel
from hvr_nb.types import HvrError

LIFTER_FILE = ASSETS / "lifter.npz"
_FORMAT = "hvr-lifter-1"
_HALVED = 1024  # tensors with more values are stored as float16


def save_lifter(path: str | Path, model: TemporalModel) -> Path:
    """Write a network as npz: large tensors float16, the statistics float32."""
    arrays = {key: value.detach().cpu().numpy() for key, value in model.state_dict().items()
              if not key.endswith("num_batches_tracked")}  # fmt: skip
    arrays = {k: v.astype(np.float16 if v.size > _HALVED else np.float32) for k, v in arrays.items()}
    path = Path(path)
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, format=np.array(_FORMAT), causal=np.array(model.causal), **arrays)
    return path
