"""03: 2D joints to 3D skeletons in one world (docs/perception.md, 8 to 10).

- ``Lifted``: a 3D skeleton for each frame, relative to the hips.
- ``can_lift``: which frames show enough 2D joints to be lifted.
- ``lift_keypoints``: the 3D skeletons of one person's 2D joints.
- ``to_world``: lifted skeletons in world axes, hips at the origin.
- ``load_lifter_checkpoint``: a lifting network from a file: VideoPose3D, P-STMO or the project's own.
- ``lift_people``: the 3D skeletons of several people of one clip, on one floor.
- ``lift_skeleton``: the 3D skeleton of one person, placed where the camera sees it.
- ``place_in_world``: root-relative joints in metres, placed in a level world, feet on the floor.
- ``place_people``: the same for several people on one floor.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "apply": ["Lifted", "can_lift", "lift_keypoints", "to_world"],
        "checkpoints": ["load_lifter_checkpoint"],
        "people": ["lift_people", "lift_skeleton"],
        "placing": ["place_in_world", "place_people"],
    },
)
