"""Files of networks: tensors with a few facts as npz, and torch files of others; nothing is executed."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import DAMAGE, HvrError

MAX_VALUES = 1 << 28  # numbers in the tensors of one file; a gigabyte of float32
_HALVED = 1024  # tensors with more values are stored as float16
_FACTS = "facts"
_INERT = [
    f"numpy.{name}"
    for name in (
        "random.__RandomState_ctor",
        "random._pickle.__randomstate_ctor",
        "random._pickle.__bit_generator_ctor",
        "random._pickle.__generator_ctor",
        "random.mtrand.__randomstate_ctor",
        "random._mt19937.MT19937",
        "ndarray",
        "dtype",
        "core.multiarray._reconstruct",
        "_core.multiarray._reconstruct",
        "core.multiarray.scalar",
        "_core.multiarray.scalar",
    )
] + ["_codecs.encode"]


class _Ignored:
    """Takes the place of anything in a file that is not a tensor."""

    def __init__(self, *_args, **_kwargs):
        pass

    def __setstate__(self, _state):
        pass


def read_torch(path: str | Path, wanted: str) -> dict:
    """The dictionary in a torch file; numpy's values in it, such as random states, are discarded unread.

    Args:
        wanted: what the right file is, for the messages.

    Raises:
        HvrError: the file is missing, holds anything but tensors and plain values, or is no dictionary.
    """
    path = Path(path)
    if not path.is_file():
        raise HvrError(f"{path} is missing; {wanted}")
    try:
        with torch.serialization.safe_globals([(_Ignored, name) for name in _INERT]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a wrong file
        raise HvrError(f"{path} is no checkpoint of tensors ({type(error).__name__}); {wanted}") from error
    if not isinstance(content, dict):
        raise HvrError(f"{path} holds a {type(content).__name__}, not a network; {wanted}")
    return content


def plain_state(state, path: str | Path, wanted: str) -> dict[str, Tensor]:
    """The tensors (...) of a state dict by name, without the prefix "module." and without counters.

    Raises:
        HvrError: it is no state dict, or its tensors claim more than ``MAX_VALUES`` numbers.
    """
    sound = isinstance(state, dict) and state
    if not sound or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise HvrError(f"{path} holds no state dict; {wanted}")
    if sum(math.prod(value.shape) for value in state.values()) > MAX_VALUES:
        raise HvrError(f"{path} claims more than {MAX_VALUES} numbers; {wanted}")
    return {k.removeprefix("module."): v for k, v in state.items() if not k.endswith("num_batches_tracked")}


def write_tensors(path: str | Path, model: torch.nn.Module, *, kind: str, **facts) -> Path:
    """Write a network as npz: large tensors as float16, the others as float32, and facts as JSON.

    Args:
        kind: the name and version of the format. facts: values that JSON can hold.
    """
    arrays = {
        key: value.detach().cpu().numpy().astype(np.float16 if value.numel() > _HALVED else np.float32)
        for key, value in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    path = Path(path)
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **{_FACTS: np.array(json.dumps({"kind": kind, **facts}))}, **arrays)
    return path


def read_tensors(path: str | Path, *, kind: str, wanted: str) -> tuple[dict[str, Tensor], dict]:
    """Tensors (...) by name as float32, and the facts, of a file by ``write_tensors``.

    Raises:
        HvrError: the file is missing, damaged, too big or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise HvrError(f"{path} is missing; {wanted}")
    try:
        with zipfile.ZipFile(path) as file:
            if sum(info.file_size for info in file.infolist()) > 4 * MAX_VALUES:
                raise HvrError(f"{path} claims more than {MAX_VALUES} numbers; {wanted}")
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        facts = json.loads(str(arrays.pop(_FACTS)))
        if facts.pop("kind") != kind:
            raise ValueError("another kind of network, or another version")
        return {key: torch.from_numpy(value.astype(np.float32)) for key, value in arrays.items()}, facts
    except DAMAGE as error:
        raise HvrError(f"{path} cannot be read as {kind} ({error}); {wanted}") from error


def fill_network(model: torch.nn.Module, state: dict[str, Tensor], path: str | Path, wanted: str):
    """Put a state dict of tensors (...) into a network, which is returned ready to use.

    Raises:
        HvrError: a tensor is missing, too much, or of another size.
    """
    counters = {k: v for k, v in model.state_dict().items() if k.endswith("num_batches_tracked")}
    try:
        model.load_state_dict(state | counters, strict=True)
    except RuntimeError as error:
        raise HvrError(
            f"{path}: its tensors do not fit together ({' '.join(str(error).split())[:300]}); {wanted}"
        ) from error
    return model.eval().requires_grad_(False)
