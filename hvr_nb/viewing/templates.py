"""HTML from the templates in ``assets/``, with jinja2: every value is escaped where it is put in."""

from __future__ import annotations

import functools

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hvr_nb.store.places import ASSETS


def fill_template(name: str, **values) -> str:
    """The template ``name`` of ``assets/`` with ``values``; one that is missing is an error."""
    return _templates().get_template(name).render(**values)


@functools.cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
