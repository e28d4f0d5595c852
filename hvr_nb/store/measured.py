"""``metrics/<stage>.json``: the numbers a stage measured, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hvr_nb.store.files import read_json, results, write_json
from hvr_nb.types import HvrError


def write_numbers(path: Path, numbers: Mapping[str, object]) -> dict[str, object]:
    """Write numbers, texts and arrays (...) of them; return them as plain numbers and lists."""
    plain = {name: np.asarray(value).tolist() for name, value in numbers.items()}
    write_json(path, plain)
    return plain


def read_numbers(path: Path) -> dict[str, object]:
    """Read what ``write_numbers`` wrote.

    Raises:
        HvrError: it is damaged, or holds anything but numbers, texts and lists of them.
    """
    remedy = f"run {path.stem} again"
    numbers = read_json(path, remedy=remedy)
    for name, value in numbers.items():
        if not _is_plain_value(value):
            raise HvrError(f"{path} is damaged ({name} is neither a number nor a list of numbers); {remedy}")
    return numbers


def read_doubts(folder: Path) -> dict[str, list[str]]:
    """What the stages of the clip in ``folder`` doubt, by stage; stages without a doubt are left out."""
    numbers = {f.stem: read_numbers(f) for f in results(folder / "metrics", "*.json")}
    doubts = {stage: row.get("doubts") for stage, row in numbers.items()}
    return {k: [str(text) for text in v] for k, v in doubts.items() if v and isinstance(v, list)}


def _is_plain_value(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain_value(item) for item in value)
    if isinstance(value, int):
        return value.bit_length() <= 1000  # a longer one is no float
    return value is None or isinstance(value, float | str)
