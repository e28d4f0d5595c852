"""Weights of the lifters: the project's own, and files of VideoPose3D and P-STMO (docs/perception.md, 9).

Sizes are read from the tensors. Nothing in a file is executed: tensors are read by torch's restricted
loader, and the random states in old files are discarded unread.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from hvr_nb.learning.tensor_files import fill_network, plain_state, read_torch
from hvr_nb.lift.network import Lifter
from hvr_nb.lift.stmo import Stmo
from hvr_nb.lift.temporal import TemporalModel
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.places import ASSETS
from hvr_nb.types import DAMAGE, HvrError

LIFTER_FILE = ASSETS / "lifter.npz"
WANTED = (
    "wanted is VideoPose3D's pretrained_h36m_detectron_coco.bin, P-STMO's "
    "PSTMOS_no_refine_48_5137_in_the_wild.pth (both take COCO joints), or a lifter .npz of this project"
)
_FORMAT = "hvr-lifter-2"
_HALVED = 1024  # tensors with more values are stored as float16
_STRIDES = {243: (3, 3, 3, 3, 3), 81: (3, 3, 3, 3), 27: (3, 3, 3), 9: (1, 3, 3), 351: (3, 9, 13)}
_OTHER_INPUT = re.compile(r"cpn-ft|h36m_cpn|h36m_gt|3dhp|humaneva", re.I)  # names of files for other joints


def save_lifter(path: str | Path, model: Lifter) -> Path:
    """Write a network as npz: large tensors as float16, statistics as float32."""
    arrays = {
        key: value.detach().cpu().numpy()
        for key, value in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    arrays = {k: v.astype(np.float16 if v.size > _HALVED else np.float32) for k, v in arrays.items()}
    path = Path(path)
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, format=np.array(_FORMAT), dilations=np.array(model.dilations), **arrays)
    return path


def load_lifter(path: str | Path = LIFTER_FILE) -> Lifter:
    """The project's own network, ready to use.

    Raises:
        HvrError: the file is missing, damaged or not written by ``save_lifter``.
    """
    path = Path(path)
    if not path.is_file():
        raise HvrError(f"{path} is missing; run `make train-lifter`, or give the path of a checkpoint")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except DAMAGE as error:
        raise HvrError(f"{path} cannot be read as a lifter ({error}); {WANTED}") from error
    if str(arrays.pop("format", "")) != _FORMAT or "dilations" not in arrays:
        raise HvrError(f"{path} is an npz, but no lifter of this version of hvr_nb; {WANTED}")
    dilations = tuple(int(d) for d in arrays.pop("dilations"))
    try:
        model = Lifter(
            channels=len(arrays["expand.weight"]), dilations=dilations, context=len(arrays["say.weight"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise HvrError(f"{path} is an npz, but no lifter ({error}); {WANTED}") from error
    state = {key: torch.from_numpy(value.astype(np.float32)) for key, value in arrays.items()}
    return fill_network(model, state, path, WANTED)


def load_lifter_checkpoint(
    path: str | Path, *, part: Literal["pose", "trajectory"] = "pose", causal: bool = False
) -> Lifter | TemporalModel | Stmo:
    """A lifting network from a file: VideoPose3D, P-STMO or the project's own.

    Its sizes are read from the tensors.

    Args:
        path: .bin (a dictionary with ``model_pos``), .pth (tensors, perhaps prefixed ``module.``) or .npz.
        part: "trajectory" takes the trajectory network of a semi-supervised VideoPose3D file.
        causal: whether the VideoPose3D network was trained as causal, which its tensors do not say.

    Raises:
        HvrError: the file is missing, holds code, or is another network; the message names the right file.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return load_lifter(path)
    if _OTHER_INPUT.search(path.name):
        raise HvrError(f"{path.name} takes other joints than COCO's 17 (its name says so); {WANTED}")
    content = read_torch(path, WANTED)
    if "model_pos" in content or "model_traj" in content:
        state = content.get("model_pos" if part == "pose" else "model_traj")
        if not isinstance(state, dict):
            raise HvrError(f"{path} has no {part} network; {WANTED}")
        return _temporal(plain_state(state, path, WANTED), path, causal=causal)
    state = plain_state(content, path, WANTED)
    if "expand_conv.weight" in state:
        return _temporal(state, path, causal=causal)
    if part == "trajectory":
        raise HvrError(f"{path} has no trajectory network; a semi-supervised VideoPose3D file has one")
    return _stmo(state, path)


def _temporal(state: dict, path: Path, *, causal: bool) -> TemporalModel:
    blocks = sum(bool(re.fullmatch(r"layers_conv\.\d+\.weight", key)) for key in state) // 2
    try:
        channels, values, first = state["expand_conv.weight"].shape
        widths = (first, *(state[f"layers_conv.{2 * i}.weight"].shape[2] for i in range(blocks)))
        joints_out = state["shrink.weight"].shape[0] // 3
    except (KeyError, ValueError, IndexError) as error:
        raise HvrError(f"{path} is not a temporal convolution network ({error}); {WANTED}") from error
    if values == 51:
        raise HvrError(f"{path} takes three values a joint (an old d-pt-243.bin does); {WANTED}")
    if values != 34:
        raise HvrError(f"{path} takes {values} values a frame, not those of 17 COCO joints; {WANTED}")
    model = TemporalModel(17, 2, joints_out, widths=widths, channels=channels, causal=causal)
    return fill_network(model, state, path, WANTED)


def _stmo(state: dict, path: Path) -> Stmo:
    if "mask_token" in state:
        raise HvrError(f"{path} is P-STMO's pre-training stage, which gives no 3D; {WANTED}")
    try:
        _, frames, channels = state["Transformer.pos_embedding"].shape
        hidden, values, _ = state["encoder.fc_1.weight"].shape
        joints_out = state["fcn.1.weight"].shape[0] // 3
    except (KeyError, ValueError) as error:
        raise HvrError(f"{path} is neither VideoPose3D nor P-STMO (no {error}); {WANTED}") from error
    layers = len({key.split(".")[3] for key in state if key.startswith("Transformer.model.layers.")})
    if frames not in _STRIDES or values != 34 or channels % 8:
        raise HvrError(
            f"{path}: no known network has {frames} frames, {values} values and {channels} channels; {WANTED}"
        )
    model = Stmo(
        frames, layers, channels=channels, hidden=hidden, strides=_STRIDES[frames], joints_out=joints_out
    )
    return fill_network(model, state, path, WANTED)
