"""Weights of PaMIR's networks: the project's own, and the published checkpoints (docs/pamir.md, 5).

Sizes are read from the tensors and bounded by them. Nothing in a file is executed.
"""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hvr_nb.learning.tensor_files import (
    fill_network,
    plain_state,
    read_tensors,
    read_torch,
    write_tensors,
)
from hvr_nb.methods.pamir.body_network import GraphCmr, SmplRegressor
from hvr_nb.methods.pamir.network import PLACE, PamirNet
from hvr_nb.methods.pamir.sizes import ORIGINAL, PamirSizes
from hvr_nb.methods.pamir.texture_network import TexturePamirNet
from hvr_nb.store.places import ASSETS
from hvr_nb.store.safe_pickle import read_npz_values
from hvr_nb.types import HvrError

PAMIR_FILE = ASSETS / "pamir.npz"
GEOMETRY = "wanted is PaMIR's pamir_geometry checkpoint (latest.pt), or a .npz that `make train-pamir` wrote"
TEXTURE = "wanted is PaMIR's pamir_texture checkpoint (latest.pt)"
BODY = "wanted is PaMIR's gcmr_2020_12_10-21_03_12.pt"
GRAPH = "wanted is PaMIR's mesh_downsampling.npz"
_KIND = "hvr-pamir-1"
_OWNERS = {
    "pamir_net": "PaMIR's geometry network",
    "pamir_tex_net": "PaMIR's texture network",
    "graph_cnn": "PaMIR's body estimator (GraphCMR)",
    "model_pos": "a pose lifter (VideoPose3D)",
}


def save_pamir(path: str | Path, network: PamirNet, **facts) -> Path:
    """Write a network that ``load_pamir`` reads, with facts about its training that JSON can hold."""
    return write_tensors(path, network, kind=_KIND, sizes=asdict(network.sizes), **facts)


def load_pamir(path: str | Path | None = None) -> PamirNet:
    """The geometry network of a file, ready to use; None takes the weights that ship with the project.

    Args:
        path: .npz of ``save_pamir``, or PaMIR's own .pt.

    Raises:
        HvrError: the file is missing, damaged, holds code or another network; it says which is wanted.
    """
    path = PAMIR_FILE if path is None else Path(path)
    if path.suffix == ".npz":
        state, facts = read_tensors(path, kind=_KIND, wanted=GEOMETRY)
        sizes = _known_sizes(facts.get("sizes"), path)
        return fill_network(PamirNet(_sizes(state, path, sizes)), state, path, GEOMETRY)
    state = _part(path, "pamir_net", GEOMETRY)
    return fill_network(PamirNet(_sizes(state, path, ORIGINAL)), state, path, GEOMETRY)


def load_pamir_texture(path: str | Path) -> TexturePamirNet:
    """The texture network of PaMIR's own checkpoint, ready to use.

    Raises:
        HvrError: as ``load_pamir``.
    """
    path = Path(path)
    state = _part(path, "pamir_tex_net", TEXTURE)
    try:
        sizes = replace(
            ORIGINAL,
            maps=len(state["cg.conv3.weight"]),
            volume_first=len(state["ve.conv1.weight"]),
            volumes=len(state["ve.conv2.weight"]),
            hidden=_hidden(state),
        )
    except KeyError as error:
        raise HvrError(f"{path} holds no texture network (no {error}); {TEXTURE}") from error
    return fill_network(TexturePamirNet(sizes), state, path, TEXTURE)


def load_body_networks(
    path: str | Path, downsampling: str | Path, template: np.ndarray
) -> tuple[GraphCmr, SmplRegressor]:
    """PaMIR's body estimator, ready to use: the graph network and the regressor of SMPL parameters.

    Args:
        path: its checkpoint. downsampling: ``mesh_downsampling.npz`` of the user. template: (6890, 3) rest
            vertices of the licensed SMPL.

    Raises:
        HvrError: as ``load_pamir``.
    """
    adjacency, reference = read_graph(downsampling, template)
    content = read_torch(path, BODY)
    for part in ("graph_cnn", "smpl_param_regressor"):
        if part not in content:
            raise HvrError(f"{path} is {_whose(content)}, without {part}; {BODY}")
    graph = plain_state(content["graph_cnn"], path, BODY)
    regressor = plain_state(content["smpl_param_regressor"], path, BODY)
    return (
        fill_network(GraphCmr(adjacency, reference), graph, Path(path), BODY),
        fill_network(SmplRegressor(len(reference)), regressor, Path(path), BODY),
    )


def read_graph(path: str | Path, template: np.ndarray) -> tuple[Tensor, Tensor]:
    """Adjacency (V, V), sparse with rows that sum to one, and reference (V, 3) of the coarse body.

    Args:
        path: ``mesh_downsampling.npz``. template: (6890, 3) rest vertices, metres.

    Raises:
        HvrError: the file is no such file, or belongs to another template.
    """
    values = read_npz_values(path, only=("A", "D"))
    try:
        near, down = np.asarray(values["A"][1], np.float32), np.asarray(values["D"][0], np.float32)
        coarse = down @ np.asarray(template, np.float32)
        if near.shape != (len(coarse), len(coarse)):
            raise ValueError(f"{near.shape} neighbours of {len(coarse)} vertices")
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise HvrError(
            f"{path} does not fit the template of {len(template)} vertices ({error}); {GRAPH}"
        ) from error
    near = (near > 0) | np.eye(len(near), dtype=bool)
    rows = near / near.sum(1, keepdims=True)
    coarse = coarse - (coarse.max(0) + coarse.min(0)) / 2
    reference = torch.from_numpy(coarse / np.abs(coarse).max()).float()
    return torch.from_numpy(rows).float().to_sparse(), reference


def _part(path: Path, name: str, wanted: str) -> dict[str, Tensor]:
    content = read_torch(path, wanted)
    if name not in content:
        raise HvrError(f"{path} is {_whose(content)}; {wanted}")
    return plain_state(content[name], path, wanted)


def _whose(content: dict) -> str:
    return next((owner for key, owner in _OWNERS.items() if key in content), "another program's checkpoint")


def _hidden(state: dict[str, Tensor]) -> tuple[int, ...]:
    count = sum(bool(re.fullmatch(r"mlp\.conv\d+\.0\.weight", key)) for key in state) - 1
    return tuple(len(state[f"mlp.conv{k}.0.weight"]) for k in range(count))


def _known_sizes(values, path: Path) -> PamirSizes:
    """The sizes that tensors do not tell, of a file's facts; the others are read from the tensors."""
    values = values if isinstance(values, dict) else {}
    kinds = {"picture": int, "volume": int, "pooled": bool, "stages": int}
    known = {key: values.get(key) for key in kinds}
    if any(type(known[key]) is not kind for key, kind in kinds.items()) or not (
        16 <= known["picture"] <= 2048 and 8 <= known["volume"] <= 512 and 1 <= known["stages"] <= 3
    ):
        raise HvrError(f"{path} does not tell the sizes of its network; {GEOMETRY}")
    return replace(ORIGINAL, **known)


def _sizes(state: dict[str, Tensor], path: Path, known: PamirSizes) -> PamirSizes:
    def count(pattern: str) -> int:
        return sum(bool(re.fullmatch(pattern, key)) for key in state)

    try:
        sizes = replace(
            known,
            stacks=count(r"hg\.tmpOut\.\d+\.weight"),
            modules=count(r"hg\.hourglass\.0\.up1_\.\d+\.bn\.weight"),
            depth=count(r"hg\.hourglass\.0\.(low2\.)*up1_\.0\.bn\.weight"),
            width=len(state["hg.lin_.0.0.weight"]),
            maps=len(state["hg.tmpOut.0.weight"]),
            first=len(state["hg.conv1_.weight"]),
            volume_first=len(state["ve.conv1.weight"]),
            volumes=len(state["ve.conv2.weight"]),
            hidden=_hidden(state),
        )
        inputs = state["mlp.conv0.0.weight"].shape[1] - sizes.maps - sizes.volumes
    except (KeyError, IndexError, TypeError) as error:
        raise HvrError(f"{path} holds no geometry network of PaMIR's (no {error}); {GEOMETRY}") from error
    if inputs not in (0, PLACE) or sizes.stacks < sizes.stages:
        raise HvrError(f"{path}: its layers do not fit together; {GEOMETRY}")
    return replace(sizes, body=inputs == PLACE)
