"""A user's tetrahedra of SMPL, which give the original's semantic volume (docs/pamir.md, 3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from hvr_nb.body.model import BodyModel
from hvr_nb.store.safe_pickle import read_npz_values
from hvr_nb.types import HvrError

WANTED = "wanted is PaMIR's tetra_smpl.npz, made for the licensed SMPL"
_MOST = 100_000  # interior vertices, tetrahedra times ten


def with_tetrahedra(model: BodyModel, path: str | Path) -> tuple[BodyModel, np.ndarray]:
    """A body model with the interior vertices of ``tetra_smpl.npz`` after its own, and the tetrahedra.

    Posed like any model; its first V vertices are the surface. ``tetra_volume`` takes both.

    Returns:
        the model with V + W vertices; (T, 4) numbers of vertices.

    Raises:
        HvrError: the file is no such file, or belongs to a model of another size.
    """
    names = ("v_template_added", "shapedirs_added", "posedirs_added", "weights_added", "tetrahedrons")
    values = read_npz_values(path, only=names)
    try:
        v, s, p, w, t = (np.asarray(values[name]) for name in names)
        count = len(v)
        if v.shape != (count, 3) or not 0 < count <= _MOST or t.ndim != 2 or t.shape[1] != 4:
            raise ValueError(f"{v.shape} vertices, {t.shape} tetrahedra")
        s, p, w = s.reshape(count, 3, -1)[..., :10], p.reshape(count, 3, 207), w.reshape(count, 24)
        if not all(np.isfinite(a).all() for a in (v, s, p, w)) or len(t) > 10 * _MOST:
            raise ValueError("numbers out of range")
        total, t = model.v_count + count, t.astype(np.int64)
        t = t - int(t.min() == 1 and t.max() == total)  # the text file of the authors counts from one
        if t.min() < 0 or t.max() >= total:
            raise ValueError(f"vertex {t.max()} of {total}")
    except (KeyError, ValueError, TypeError) as error:
        raise HvrError(f"{path} does not fit {model.name} ({error}); {WANTED}") from error
    new = [torch.as_tensor(np.ascontiguousarray(a), dtype=torch.float32) for a in (v, s, w)]
    bend = torch.as_tensor(np.ascontiguousarray(p.transpose(2, 0, 1)).reshape(207, -1), dtype=torch.float32)
    nothing = torch.zeros(24, count), torch.zeros(25, count)
    return replace(
        model,
        v_template=torch.cat([model.v_template, new[0]]),
        shapedirs=torch.cat([model.shapedirs, new[1]]),
        posedirs=torch.cat([model.posedirs, bend], 1),
        weights=torch.cat([model.weights, new[2]]),
        J_regressor=torch.cat([model.J_regressor, nothing[0]], 1),
        body25=torch.cat([model.body25, nothing[1]], 1),
        engine=None,
    ), t
