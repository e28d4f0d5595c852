"""The SMPL-format body: model, skinning, kinematics, landmarks, joint sets, pose prior, motions, other worlds.

- ``BodyModel``: An SMPL-format model as float32 torch tensors (V vertices, 24 joints).
- ``load_body_model``: Read an SMPL-format model (.npz, or .pkl through the restricted reader).
- ``posed``: Vertices (T, V, 3) and joints (T, 24, 3) of every frame of ``body``, world metres,
  float32.
- ``turn_shown``: Degrees of themselves that a person shows to the camera: 360 less the widest gap
  between headings.
- ``place_landmarks``: Landmarks of N posed bodies of shape ``betas`` (10,), and their derivatives.
- ``load_pose_prior``: The prior shipped with the package.
- ``resample``: A body known at times ``at`` (N,) brought to times ``wanted`` (M,): slerp, held at
  both ends.
- ``unwrap_rotations``: Rotation vectors (T, 3) with each the one, of its equals by full turns,
  nearest to the last.
- ``turned``: Body and camera in the world ``turn @ x``.
- ``on_model``: ``body`` with another shape (10,), its pelvis where it was.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "model": ["BodyModel", "load_body_model", "posed"],
        "headings": ["turn_shown"],
        "landmarks": ["place_landmarks"],
        "pose_prior": ["load_pose_prior"],
        "motion": ["resample", "unwrap_rotations"],
        "worlds": ["turned", "on_model"],
    },
)
