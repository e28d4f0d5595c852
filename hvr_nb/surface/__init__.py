"""Meshes of clothed people: carve, rim, displace, remesh, albedo, normals, light; textures in `texture/`.

- ``first_template``: body and carved loose clothes as one closed mesh.
- ``find_rim``: the vertices on the outline of a posed mesh, and their distances from the mask.
- ``consensus``: one displacement of a template that fits the outlines of all frames.
- ``remeshed``: a surface with new, even triangles.
- ``albedo_and_light``: colours of the vertices, free of light, and the light.
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
