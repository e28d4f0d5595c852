"""03: 2D joints to 3D skeletons in one world.

- ``Lifted``: A skeleton a frame, without its place in the room.
- ``can_lift``: (T,) bool, frames of 2D joints (as of ``lift_keypoints``) that show enough of a
  person to be lifted.
- ``lift_keypoints``: The 3D skeletons of one person's 2D joints.
- ``to_world``: The same skeletons in world axes, hips at the origin.
- ``load_lifter_checkpoint``: A network from a file: VideoPose3D, P-STMO or the project's own, its
  sizes read from its tensors.
- ``lift_people``: The 3D skeletons of several people of one clip, on one floor.
- ``lift_skeleton``: The lifted skeleton of one person in the clip's own world: where the camera
  sees its joints.
- ``place_in_world``: Put root-relative joints into the world.
- ``place_people``: Put several people of one clip into one world, on one floor: ``place_in_world``
  for each.
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
