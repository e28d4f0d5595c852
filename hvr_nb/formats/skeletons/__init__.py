"""3D skeletons over time: npz, CSV, TRC, BVH, GLB.

- ``SkeletonTrack``: J joints over T frames.
- ``write_skeleton_npz``: Write everything of a track as npz (joints, names, parents, fps, valid).
- ``write_skeleton_csv``: Write a line for each joint (T, J, 3) of each frame: metres to the tenth
  of a micrometre.
- ``write_skeleton_trc``: Write joints (T, J, 3) as markers in metres, Y up, times in seconds.
- ``write_skeleton_bvh``: Write joints (T, J, 3) with bones of constant (median) length over a
  T-pose.
- ``write_skeleton_glb``: Write joints (T, J, 3) with bones of constant (median) length as an
  animated skeleton.
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
