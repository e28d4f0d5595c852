"""The parameters cell of a notebook: what it declares, and whether given values fit.

papermill only warns about an unknown name and hands "false" over as a string; here both are errors.
"""

from __future__ import annotations

import ast
import difflib
import json
import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hvr_nb.types import HvrError

# Python 3.11 counts the depth of ast.parse for all threads together: two at once may end in SystemError
# (python/cpython issue 106905).
_PARSING = threading.Lock()


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell."""

    name: str
    kind: str  # "int", "float", "str", "bool", "list" or "dict"
    default: object
    choices: tuple[str, ...] = ()  # the words it may be; none: any text
    least: float = -math.inf  # of a number
    most: float = math.inf


# a comment that names all words: "quick" or "best"; "cpu", "cuda" or "auto"
_CHOICES = re.compile(r'#.*?((?:"[\w-]+", )*"[\w-]+" or "[\w-]+")')
# a comment that ends with the numbers it may be: (1 to 64) or (0 or more)
_RANGE = re.compile(r"#.*\((-?[\d.]+) (?:to (-?[\d.]+)|or more)\)\s*$")


def read_parameters(notebook: str | Path) -> dict[str, Parameter]:
    """What the cell tagged ``parameters`` declares, by name, in order.

    Raises:
        HvrError: the file is no notebook, has no such cell, or the cell is not plain literals.
    """
    try:
        cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
        tagged = [c for c in cells if "parameters" in c.get("metadata", {}).get("tags", [])]
        sources = ["".join(cell["source"]) for cell in tagged]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HvrError(f"{notebook} cannot be read as a notebook ({error})") from error
    if len(tagged) != 1:
        raise HvrError(f"{notebook} has {len(tagged)} cells tagged 'parameters'; it needs exactly one")
    return declared(str(notebook), sources[0])


def declared(notebook: str, source: str) -> dict[str, Parameter]:
    """What the text of a parameters cell declares; ``notebook`` names it in errors.

    A comment that lists words (``# "quick" or "best"``) says that the value is one of them; one that ends
    with ``(1 to 64)`` or ``(0 or more)`` says between which numbers it lies.

    Raises:
        HvrError: the cell is not plain literals.
    """
    try:
        with _PARSING:
            lines = ast.parse(source).body
        found = [_parameter(line, source) for line in lines]
    except (SyntaxError, ValueError) as error:
        raise HvrError(f"{notebook}: the parameters cell must be plain literals ({error})") from error
    return {parameter.name: parameter for parameter in found}


def _parameter(line: ast.stmt, source: str) -> Parameter:
    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
        name, hint = line.target.id, ast.unparse(line.annotation)
    elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
        name, hint = line.targets[0].id, ""
    else:
        raise ValueError(f"line {line.lineno} is no assignment")
    default = ast.literal_eval(line.value)
    comment = source.splitlines()[line.end_lineno - 1][line.end_col_offset :]
    listed, limits = _CHOICES.search(comment), _RANGE.search(comment)
    choices = tuple(re.findall(r'"([\w-]+)"', listed.group(1))) if listed else ()
    least, most = (limits[1], limits[2] or math.inf) if limits else (-math.inf, math.inf)
    kind = hint.split("[")[0] or type(default).__name__
    return Parameter(name, kind, default, choices, float(least), float(most))


def check_parameters(notebook: str | Path, params: Mapping[str, object]) -> dict[str, object]:
    """The values of ``params`` as the notebook's types; nothing is run.

    Raises:
        HvrError: a name is unknown (with the nearest one) or a value has the wrong type.
    """
    names = read_parameters(notebook)
    name = Path(notebook).stem
    return {
        key: fitting(name, known(key, names, f"{name} has no parameter"), value)
        for key, value in params.items()
    }


def known(key: str, valid: Mapping[str, object], complaint: str):
    """``valid[key]``, or an HvrError that begins with ``complaint`` and suggests the nearest name."""
    if key in valid:
        return valid[key]
    near = difflib.get_close_matches(key, valid, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise HvrError(f"{complaint} {key!r}{hint} (valid: {', '.join(valid)})")


def fitting(notebook: str, parameter: Parameter, value: object) -> object:
    """The value as a parameter's type; what does not fit, or a word that is not listed, is an HvrError."""
    kind = parameter.kind
    if kind == "str" and isinstance(value, Path):
        return str(value)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "list" and isinstance(value, tuple):
        return list(value)
    expected = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict}.get(kind)
    wrong = expected is not None and not isinstance(value, expected)
    if wrong or (kind == "int" and isinstance(value, bool)):
        raise HvrError(
            f"{notebook}: parameter {parameter.name!r} is {kind}, but got {value!r} "
            f"({type(value).__name__}); for example {parameter.default!r}"
        )
    if parameter.choices and value not in parameter.choices:
        near = difflib.get_close_matches(str(value), parameter.choices, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise HvrError(
            f"{notebook}: parameter {parameter.name!r} cannot be {value!r}{hint} "
            f"(valid: {', '.join(parameter.choices)})"
        )
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, float) and not math.isfinite(number):
            raise HvrError(
                f"{notebook}: parameter {parameter.name!r} is {number}; it must be a finite number"
            )
        if isinstance(number, int | float) and not parameter.least <= number <= parameter.most:
            words = (
                f"{parameter.least:g} or more"
                if parameter.most == math.inf
                else (f"{parameter.least:g} to {parameter.most:.10g}")
            )
            raise HvrError(f"{notebook}: parameter {parameter.name!r} is {number}; it must be {words}")
    return value


def from_text(notebook: str | Path, key: str, text: str) -> object:
    """The value a command line means for a parameter: ``text`` read by the declared type.

    Raises:
        HvrError: the name is unknown or the text does not read as that type.
    """
    name = Path(notebook).stem
    parameter = known(key, read_parameters(notebook), f"{name} has no parameter")
    if parameter.kind == "str":
        return text
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if parameter.kind == "bool" and text.lower() in words:
        return words[text.lower()]
    try:
        with _PARSING:
            value = ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        value = text
    return fitting(name, parameter, value)
