"""04: the big pose and what hangs on it.

- ``make_canonical``: Shape the body, put it into the big pose and sample its fields.
- ``round_trip_error``: How well the maps invert each other: points about the posed body to the big
  pose and back.
- ``bind_mesh``: Hang a big-pose mesh (V, 3), (F, 3) on the skin.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "big_pose": ["make_canonical", "round_trip_error"],
        "binding": ["bind_mesh"],
    },
)
