"""Motions of other programs: AMASS archives and BVH (docs/formats.md, 9).

- ``read_motion``: a motion from an AMASS archive.
- ``read_bvh``: a motion from a BVH file, on the skeleton of the body model.
- ``write_bvh``: the motion of a body as a BVH file.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "amass": ["read_motion"],
        "bvh": ["read_bvh", "write_bvh"],
    },
)
