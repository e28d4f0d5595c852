"""Pictures with numpy: sheets, plots, shaded meshes, skeletons.

- ``contact_sheet``: Images (H, W, 3) of any size side by side on white, each ``tile`` pixels high,
  captions below.
- ``to_uint8``: Float 0..1 pictures as uint8 (uint8 passes through).
- ``over``: Pictures over black (..., H, W, 3) with alpha (..., H, W) uint8, set on another
  background.
- ``shade``: A shaded picture of a mesh on a transparent ground.
- ``body_overlay``: The body drawn over every frame.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pictures": ["contact_sheet", "to_uint8", "over"],
        "shading": ["shade", "body_overlay"],
    },
)
