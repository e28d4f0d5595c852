"""Reconstruction methods, one module each, with no base class.

A method module has ``NEEDS`` (artefacts it reads), ``GIVES`` (what its avatar can do) and
``reconstruct(clip, *, device="auto", ...) -> Avatar``; and ``load(folder) -> Avatar``.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from hvr_nb.types import HvrError


def method(name: str) -> ModuleType:
    """The method module called ``name``, e.g. "nvr".

    Raises:
        HvrError: there is no such module; the message lists those there are.
    """
    known = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    if name not in known:
        raise HvrError(f"there is no method {name!r}; known methods: {', '.join(known)}")
    return importlib.import_module(f"{__name__}.{name}")
