"""A picture of a surface: unwrap, views, align, bake.

- ``Texture``: Colours of a surface and how it is laid out.
- ``bake_texture``: Colour a surface with what a clip shows of it.
- ``unwrap_mesh``: Lay a mesh out flat.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bake": ["Texture", "bake_texture"],
        "unwrap": ["unwrap_mesh"],
    },
)
