"""What every method's avatar keeps on disk beside its own arrays: options and the body."""

from __future__ import annotations

from pathlib import Path

from hvr_nb.body.model import BodyModel, check_same_model, load_body_model
from hvr_nb.store.arrays import read_npz
from hvr_nb.store.files import read_json
from hvr_nb.types import Body, HvrError


def read_avatar(folder: Path, method: str, *, schema: int, remedy: str) -> tuple[dict, BodyModel, Body]:
    """The content of ``options.json``, the model it names and ``body.npz`` of an avatar's folder.

    Args:
        method: whose avatar it must be. schema: of its layout. remedy: what to do where it is not.

    Raises:
        HvrError: a file is missing or damaged, or the body model at hand is not the avatar's.
    """
    options = read_json(folder / "options.json", remedy=remedy)
    if options.get("schema") != schema or options.get("method") != method:
        raise HvrError(f"{folder} holds no {method} avatar of this version; {remedy}")
    names_model = isinstance(options.get("model_file"), str) and isinstance(options.get("model_hash"), str)
    if not names_model or not options["model_hash"]:
        raise HvrError(f"{folder / 'options.json'} does not name its body model; {remedy}")
    model = load_body_model(options["model_file"] or None)
    put_back = f"put that model back, or {remedy}"
    check_same_model(str(folder), options["model_hash"], model.hash, put_back, name=model.name)
    body, _ = read_npz(folder / "body.npz", Body, remedy=remedy)
    return options, model, body
