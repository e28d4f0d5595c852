"""One ordinary video of a person becomes SMPL motion, an animatable avatar and pictures.

The public names below are loaded on first use, so that ``import hvr_nb`` stays fast and does
not import torch.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# public name -> module that defines it
_PUBLIC = {
    "Body": "types",
    "Camera": "types",
    "HvrError": "types",
    "Joints3D": "types",
    "Keypoints": "types",
    "Masks": "types",
    "Mesh": "types",
    "Clip": "clip",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hvr_nb' has no attribute {name!r}")
    return getattr(importlib.import_module(f"hvr_nb.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return __all__
