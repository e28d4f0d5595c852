"""The arrays of an SMPL model file, pickle or npz, read without running anything in it."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np

from hvr_nb.store.safe_pickle import dense
from hvr_nb.store.unpickler import MAX_FILE, read_member, unpickle
from hvr_nb.types import DAMAGE, HvrError


def read_smpl_pickle(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an SMPL pickle (protocols 0-5, with or without chumpy and scipy objects in it).

    Args:
        path: the .pkl file.

    Returns:
        name -> array (...), sparse matrices dense; entries that are no numbers or text are left out.

    Raises:
        HvrError: the file is too big, damaged, or asks for anything a body model has no use for.
    """
    path = Path(path)
    size = path.stat().st_size if path.exists() else 0
    if not 0 < size <= MAX_FILE:
        raise HvrError(f"{path} has {size} bytes; a body model has between 1 and {MAX_FILE}")
    try:
        content = unpickle(path.read_bytes())
    except HvrError as error:
        raise HvrError(f"{path} was refused: {error}; fetch the model again from its makers") from None
    except Exception as error:  # noqa: BLE001  a hostile or damaged file can fail in any way
        raise HvrError(f"{path} cannot be read as a body model ({error!r}); fetch it again") from error
    if not isinstance(content, dict):
        raise HvrError(f"{path} holds a {type(content).__name__}, not the arrays of a body model")
    return _arrays(content, path)


def read_smpl_npz(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an SMPL npz (v_template (V, 3), ...); pickled members are read by the same closed table.

    Raises:
        HvrError: as ``read_smpl_pickle``.
    """
    path, out = Path(path), {}
    try:
        with zipfile.ZipFile(path) as file:
            if sum(info.file_size for info in file.infolist()) > MAX_FILE:
                raise HvrError(f"its arrays have more than {MAX_FILE} bytes")
            for name in file.namelist():
                out[name.removesuffix(".npy")] = read_member(file.read(name))
    except HvrError as error:
        raise HvrError(f"{path} was refused: {error}; fetch the model again from its makers") from None
    except (*DAMAGE, pickle.UnpicklingError) as error:
        raise HvrError(f"{path} cannot be read as a body model ({error!r}); fetch it again") from error
    return _arrays(out, path)


def _arrays(content: dict, path: Path) -> dict[str, np.ndarray]:
    out, done = {}, {}
    for key, value in content.items():
        try:
            out[str(key)] = dense(value, done)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, MemoryError) as error:
            if key in ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table"):
                raise HvrError(f"{path}: {key} cannot be read ({error})") from error
    return out
