"""Parameters as a person types them, on the command line or in a list of videos, by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hvr_nb.batch.chain import find_notebooks, stage_called
from hvr_nb.batch.parameters import fitting, from_text, known, read_parameters
from hvr_nb.methods import method_names
from hvr_nb.types import HvrError

PATH_ENDINGS = ("_from", "_file", "_checkpoint")  # of parameters that name a file of the user's


def overrides(
    pairs: Sequence[Sequence[object]], notebooks_dir: Path, *, base: Path | None = None
) -> dict[str, dict[str, object]]:
    """Parameters (name, value) by stage; "" holds those for every notebook.

    Args:
        pairs: names "iters", or "05_train.iters" for one notebook; a value that is text is read by the
            declared type.
        notebooks_dir: the notebooks that declare them. base: where files that they name are looked for.

    Raises:
        HvrError: a name is unknown, or a value is of the wrong type.
    """
    notebooks = find_notebooks(notebooks_dir) if pairs else {}
    first = {}  # parameter -> the first notebook that declares it
    for path in notebooks.values():
        for name in read_parameters(path):
            first.setdefault(name, path)
    found: dict[str, dict[str, object]] = {}
    for name, value in pairs:
        stage, key, path = _meant(str(name), notebooks, first)
        if key == "method" and value not in method_names():
            raise HvrError(f"there is no method {value!r}; known methods: {', '.join(method_names())}")
        if key.endswith(PATH_ENDINGS) and value and (there := (base or Path()) / str(value)).exists():
            value = str(there.absolute())  # notebooks run in another folder
        if isinstance(value, str):
            value = from_text(path, key, value)
        else:
            value = fitting(
                path.stem, known(key, read_parameters(path), f"{path.stem} has no parameter"), value
            )
        found.setdefault(stage, {})[key] = value
    return found


def _meant(name: str, notebooks: Mapping[str, Path], first: Mapping[str, Path]) -> tuple[str, str, Path]:
    """Stage ("": all), parameter and notebook that a name means."""
    stage, _, key = name.rpartition(".")
    stage = stage_called(stage, list(notebooks)) if stage else ""
    return stage, key, notebooks[stage] if stage else known(key, first, "no notebook has a parameter")
