"""Meshes of clothed people: carve, rim, displace, remesh, albedo, normals, light; textures in `texture/`.

- ``first_template``: The body inflated by ``grown`` metres, joined with the loose clothes of
  ``loose_volume``.
- ``find_rim``: The vertices that form the outline of a posed mesh, and how far outside the mask each
  lies.
- ``consensus``: (V,) metres to move the template's vertices along their normals.
- ``remeshed``: The same surface (V, 3), (F, 3) with even triangles of side ``cell``, metres.
- ``albedo_and_light``: Albedo (V, 3), 0..1 under the mean light, NaN where nothing was seen, and
  the light (LAMPS,).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "carving": ["first_template"],
        "rim": ["find_rim"],
        "displace": ["consensus"],
        "remesh": ["remeshed"],
        "albedo": ["albedo_and_light"],
    },
)
