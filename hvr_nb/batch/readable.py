"""An executed notebook as a page that any browser shows; it loads nothing from elsewhere."""

from __future__ import annotations

import html
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.places import ASSETS

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

    Formulas stay as they were typed: setting them would need a program from the network.

    Returns:
        its path.
    """
    body, resources = HTMLExporter(template_name="basic").from_notebook_node(
        nbformat.read(notebook, as_version=4)
    )
    style = "\n".join([*resources["inlining"]["css"], (ASSETS / "notebook.css").read_text(encoding="utf-8")])
    path = notebook.with_suffix(".html")
    with atomic(path) as partial:
        page = _PAGE.format(title=html.escape(notebook.stem), style=style, body=body)
        partial.write_text(page, encoding="utf-8")
    return path
