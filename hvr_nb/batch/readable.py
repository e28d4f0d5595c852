"""An executed notebook as a page that any browser shows; it loads nothing from elsewhere."""

from __future__ import annotations

import html
import re
from pathlib import Path
from xml.etree import ElementTree

import nbformat
from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter

from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.places import ASSETS

CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.S)  # of markdown; a dollar in it is a dollar
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?!\s)([^$\n]+?)(?<!\s)\$(?![\w$])", re.S)
MATHML = "http://www.w3.org/1998/Math/MathML"
ELEMENTS = frozenset(
    "math mrow mi mo mn ms mtext mspace mstyle mpadded mphantom mfrac msqrt mroot msub msup msubsup "
    "munder mover munderover mmultiscripts mprescripts mtable mtr mtd menclose".split()
)
NO_LOOKS = ("href", "src", "style", "id", "class")  # attributes that do more than set a formula
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body><main>{body}</main></body>
</html>
"""


def write_readable(notebook: Path) -> Path:
    """Write ``<notebook>.html`` beside an executed notebook.

    Formulas become MathML, which browsers set on their own; what is no MathML stays as it was typed.

    Returns:
        its path.
    """
    book = nbformat.read(notebook, as_version=4)
    formulas = []
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = set_aside(cell.source, formulas)
    body, resources = HTMLExporter(template_name="basic").from_notebook_node(book)
    for number, formula in enumerate(formulas):
        body = body.replace(_place(number), formula)
    style = "\n".join([*resources["inlining"]["css"], (ASSETS / "notebook.css").read_text(encoding="utf-8")])
    path = notebook.with_suffix(".html")
    with atomic(path) as partial:
        page = _PAGE.format(title=html.escape(notebook.stem), style=style, body=body)
        partial.write_text(page, encoding="utf-8")
    return path


def set_aside(text: str, formulas: list[str]) -> str:
    """Markdown with a place for every formula, whose MathML is added to ``formulas``; code stays as it is.

    A converter of markdown would take stars and underscores in a formula for its own.
    """

    def place(match: re.Match) -> str:
        try:
            formula = _checked(to_mathml(match[1] or match[2], display="block" if match[1] else "inline"))
        except Exception:  # its parser raises many types for what it does not know
            return match[0]
        formulas.append(formula)
        return _place(len(formulas) - 1)

    parts = CODE.split(text)
    return "".join(part if k % 2 else FORMULA.sub(place, part) for k, part in enumerate(parts))


def _checked(mathml: str) -> str:
    """The formula once more: latex2mathml leaves tags in a text as tags.

    Raises:
        ValueError: it holds what no formula needs. ParseError: it is no XML.
    """
    root = ElementTree.fromstring(mathml)
    for element in root.iter():
        name, attributes = element.tag.removeprefix(f"{{{MATHML}}}"), element.attrib
        if name not in ELEMENTS or any(a.lower() in NO_LOOKS or a.lower()[:2] == "on" for a in attributes):
            raise ValueError(f"{name} in a formula")
    ElementTree.register_namespace("", MATHML)
    return ElementTree.tostring(root, encoding="unicode")


def _place(number: int) -> str:
    return f"\ue000{number}\ue001"  # characters for private use, which no notebook has
