"""2D joints to 3D skeletons: the project's own lifter, and loaders for VideoPose3D and P-STMO."""

from hvr_nb.lift.apply import Lifted as Lifted
from hvr_nb.lift.apply import can_lift as can_lift
from hvr_nb.lift.apply import lift_keypoints as lift_keypoints
from hvr_nb.lift.apply import to_world as to_world
from hvr_nb.lift.checkpoints import load_checkpoint as load_checkpoint
