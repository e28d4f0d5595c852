"""Files of meshes and models: PLY, OBJ, GLB, skinned GLB and SMPL pickles (docs/formats.md, 11).

- ``save_mesh``: a mesh as .ply, .obj or .glb.
- ``read_skinned_glb``: reads a file of ``write_skinned_glb`` as any viewer would.
- ``write_skinned_glb``: writes a skinned, animated person.
- ``read_layered_glb``: reads a file of ``write_layered_glb``, its meshes by name.
- ``write_layered_glb``: the same with a mesh for the body and one for each garment.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "mesh_file": ["save_mesh"],
        "skinned_glb": ["write_layered_glb", "write_skinned_glb"],
        "skinned_mesh": ["read_layered_glb", "read_skinned_glb"],
    },
)
