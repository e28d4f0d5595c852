"""Motions of other programs: AMASS archives and BVH.

- ``read_motion``: Read a motion, resampled to ``fps`` by slerp if given.
- ``read_bvh``: Read a motion as a Body, in metres: the file's skeleton is scaled to the model's
  size.
- ``write_bvh``: Write a body's motion over the model's skeleton of its shape, in centimetres.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "amass": ["read_motion"],
        "bvh": ["read_bvh", "write_bvh"],
    },
)
