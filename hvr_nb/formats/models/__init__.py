"""Files of models and meshes: SMPL npz and GLB.

- ``save_mesh``: Write a mesh as .ply, .obj or .glb.
- ``read_skinned_glb``: Read back what ``write_skinned_glb`` wrote, by what the file says alone.
- ``write_skinned_glb``: Write an animated, skinned person.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "mesh_file": ["save_mesh"],
        "skinned_glb": ["read_skinned_glb", "write_skinned_glb"],
    },
)
