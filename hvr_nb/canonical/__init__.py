"""04: the big pose (the canonical space) and points bound to the body (docs/body.md, 9 and 10).

- ``make_canonical``: the shaped body in the big pose, with blend weights and distances on a grid.
- ``round_trip_error``: how far points are off after a warp to the big pose and back.
- ``bind_mesh``: binds a mesh in the big pose to the body, so that poses can move it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "big_pose": ["make_canonical", "round_trip_error"],
        "binding": ["bind_mesh"],
    },
)
