"""Pictures with numpy: sheets, plots, shaded meshes, skeletons.

- ``contact_sheet``: images side by side on white, with captions.
- ``to_uint8``: pictures with values 0..1 as uint8.
- ``over``: pictures with alpha composited over a background.
- ``shade``: a shaded picture of a mesh on a transparent background.
- ``body_overlay``: the body drawn over every frame.
- ``draw_curves``: feature curves of garments over a picture.
- ``body_from_sides``: the body in one frame from four sides.
- ``film_background``: the film with a smooth filling where the person was.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pictures": ["contact_sheet", "to_uint8", "over"],
        "curves": ["draw_curves"],
        "shading": ["shade", "body_overlay", "body_from_sides"],
        "background": ["film_background"],
    },
)
