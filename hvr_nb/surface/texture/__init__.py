"""The texture of a surface: unwrap, views, align, bake (docs/surface.md, 11).

- ``Texture``: the colours of a surface and its texture coordinates.
- ``bake_texture``: the texture of a surface from the frames of a clip.
- ``unwrap_mesh``: texture coordinates for a mesh.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bake": ["Texture", "bake_texture"],
        "unwrap": ["unwrap_mesh"],
    },
)
