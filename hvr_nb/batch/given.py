"""The values of a notebook that runs by hand or by plain papermill, checked before anything is made.

papermill only warns about a name that a notebook does not have and runs on with its defaults, which would
overwrite the default clip. The notebook asks here, after its parameters cell.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence
from pathlib import Path

from hvr_nb.batch.parameters import declared, fitting, known
from hvr_nb.store.places import CLIPS
from hvr_nb.types import HvrError

_INJECTED = "# Parameters\n"  # papermill's cell begins so


def check_values() -> None:
    """Check the values of the notebook that calls it: names, types and words, and which clip they go to.

    Raises:
        HvrError: a name or a value is wrong, papermill was given values but no clip, or the default clip is
            not this clone's because the kernel runs in another folder.
    """
    if os.environ.get("HVR_NB_BATCH") == "1":  # checked by the chain already
        return
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        check_cells(shell.user_ns.get("In", []), Path.cwd())


def check_cells(cells: Sequence[str], folder: Path) -> None:
    """``check_values`` of the source of the cells that were run, in order, by a kernel in ``folder``."""
    begins = [k for k, cell in enumerate(cells) if cell.startswith(("clip: str =", "video: str ="))]
    if not begins:  # its parameters cell was changed into something else
        return
    values = declared("this notebook", cells[begins[-1]])
    values = {name: (one, fitting("this notebook", one, one.default)) for name, one in values.items()}
    after = cells[begins[-1] + 1] if begins[-1] + 1 < len(cells) else ""
    given = _literals(after) if after.startswith(_INJECTED) else {}
    for name, value in given.items():
        one = known(name, values, "this notebook has no parameter")[0]
        values[name] = one, fitting("this notebook", one, value)
    if given and "clip" not in given:
        raise HvrError(
            f"papermill was given {', '.join(given)} but no clip, and {values['clip'][1]} would be written; "
            "say which: -p clip data/clips/NAME"
        )
    clip = Path(str(values["clip"][1]))
    if not given and not clip.is_absolute() and (folder / clip).resolve().parent != CLIPS:
        if clip.parts[:1] == ("..",):
            raise HvrError(
                f"this kernel runs in {folder}, from where {clip} is not in {CLIPS}; run the notebook in its "
                f"own folder, or give the clip: -p clip {CLIPS / clip.name}"
            )


def _literals(source: str) -> dict[str, object]:
    """name -> value of the plain assignments of a cell."""
    return {
        line.targets[0].id: ast.literal_eval(line.value)
        for line in ast.parse(source).body
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
    }
