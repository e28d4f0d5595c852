"""3D skeletons over time: npz, CSV, TRC, BVH, GLB (docs/formats.md, 10).

- ``SkeletonTrack``: the joints of a skeleton in all frames.
- ``write_skeleton_npz``: a track as npz, with all its fields.
- ``write_skeleton_csv``: a track as a table with one line for each joint and frame.
- ``write_skeleton_trc``: a track as markers for OpenSim and similar programs.
- ``write_skeleton_bvh``: a track as a BVH motion with bones of constant length.
- ``write_skeleton_glb``: a track as an animated skeleton for glTF viewers.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "track": ["SkeletonTrack", "write_skeleton_npz"],
        "tables": ["write_skeleton_csv", "write_skeleton_trc"],
        "bvh": ["write_skeleton_bvh"],
        "glb": ["write_skeleton_glb"],
    },
)
