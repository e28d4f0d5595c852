"""The SMPL-format body: model, skinning, kinematics, landmarks, joint sets, pose prior (docs/body.md).

- ``BodyModel``: an SMPL-format model: template, blend shapes, joint regressor, blend weights.
- ``load_body_model``: reads a model file; without one the open body of the package.
- ``posed``: vertices and joints of every frame of a body.
- ``turn_shown``: how many degrees of a full turn a person shows to the camera.
- ``place_landmarks``: a detector's landmarks on posed bodies, with their derivatives.
- ``load_pose_prior``: the pose prior of the package, learned from motion capture.
- ``resample``: a motion at other points in time.
- ``unwrap_rotations``: rotation vectors that are continuous in time.
- ``turned``: a body and its camera in a rotated world.
- ``on_model``: a body with the shape and pelvis of another model file.
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
