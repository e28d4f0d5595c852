"""A body model as the pickle that smplx and other SMPL programs read (docs/body.md, 1)."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from hvr_nb.body.model import BodyModel
from hvr_nb.store.atomic_files import atomic


def export_smpl_pickle(model: BodyModel, path: str | Path) -> Path:
    """Write ``model`` in the layout of SMPL_NEUTRAL.pkl: plain float64 arrays, protocol 2.

    ``smplx.SMPL(path)`` reads the file; ``smplx.create(root, "smpl")`` looks for it as
    ``root/smpl/SMPL_NEUTRAL.pkl``.
    """
    path, v = Path(path), model.v_count
    parents = np.array([[2**32 - 1, *model.parents[1:]], range(24)], np.int64)
    content = {
        "v_template": _double(model.v_template),
        "f": model.faces.astype(np.uint32),
        "shapedirs": _double(model.shapedirs),
        "posedirs": _double(model.posedirs.T.reshape(v, 3, 207)),
        "J_regressor": _double(model.J_regressor),
        "weights": _double(model.weights),
        "kintree_table": parents,
        "J": _double(model.J_regressor @ model.v_template),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }
    if model.uv is not None and model.uv_faces is not None:
        content.update(vt=model.uv, ft=model.uv_faces.astype(np.int32))
    with atomic(path) as partial:
        partial.write_bytes(pickle.dumps(content, protocol=2))
    return path


def _double(tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.numpy(), np.float64)
