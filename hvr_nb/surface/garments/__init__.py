"""Garments: open sheets over a body (docs/surface.md, 13).

- ``pushed_out``: cloth moved out of the body.
- ``penetration``: the share of cloth inside the body.
- ``put_on``: a garment put on another body.
- ``fixed_topology``: a garment by triangles that are the same on everybody.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "outside": ["pushed_out", "penetration"],
        "wearer": ["put_on"],
        "fixed": ["fixed_topology"],
    },
)
