"""Files of meshes and models: PLY, OBJ, GLB, skinned GLB and SMPL pickles (docs/formats.md, 11).

- ``save_mesh``: a mesh as .ply, .obj or .glb.
- ``read_skinned_glb``: reads a file of ``write_skinned_glb`` as any viewer would.
- ``write_skinned_glb``: writes a skinned, animated person.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "mesh_file": ["save_mesh"],
        "skinned_glb": ["read_skinned_glb", "write_skinned_glb"],
    },
)
