"""05: reconstruction methods, one folder each, without a base class; ``contract.py`` says what each offers.

- ``method``: The module of a method, checked against the contract.
- ``method_names``: The methods there are: the folders of this wing.
- ``method_options``: The ``Options`` of a method from a notebook's parameters.
- ``require_gives``: Refuse an avatar whose ``GIVES`` lacks what a verb needs.
- ``Avatar``: What an avatar answers.
- ``Method``: What a method's module offers.
- ``WORDS``: The words of ``GIVES``, with what each means.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from hvr_nb.methods.contract import WORDS, Avatar, Method, check_method, method_options, require_gives
from hvr_nb.types import HvrError

__all__ = ["WORDS", "Avatar", "Method", "method", "method_names", "method_options", "require_gives"]


def method_names() -> list[str]:
    """The methods there are, by name: every folder of this wing that holds a module."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.ispkg)


def method(name: str) -> ModuleType:
    """The module of the method called ``name``, e.g. "nvr"; it offers what ``Method`` lists.

    Raises:
        HvrError: there is no such method (the message lists those there are), or it breaks the contract.
    """
    known = method_names()
    if name not in known:
        raise HvrError(f"there is no method {name!r}; known methods: {', '.join(known)}")
    module = importlib.import_module(f"{__name__}.{name}")
    check_method(name, module)
    return module
