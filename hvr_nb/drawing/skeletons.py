"""The bones of a skeleton, by the names of its joints, and pictures of 3D skeletons.

Names decide, so SMPL's 24, Human3.6M's 17, COCO's 17 and BODY_25 joints are all drawn the same way.
"""

from __future__ import annotations

import numpy as np

from hvr_nb.drawing import pictures, shading
from hvr_nb.geometry.camera import project, to_camera
from hvr_nb.types import Camera, Joints3D

# joint -> possible parents; the first one that the skeleton has is taken
_PARENTS = {
    "spine1": ("pelvis",), "spine2": ("spine1",), "spine3": ("spine2",), "spine": ("pelvis", "mid_hip"),
    "thorax": ("spine", "pelvis"), "neck": ("spine3", "thorax", "spine", "mid_hip", "pelvis"),
    "nose": ("neck", "thorax", "left_eye"), "head": ("nose", "neck", "thorax"),
    "head_top": ("head", "nose", "neck"),
    "collar": ("spine3", "neck"), "shoulder": ("collar", "neck", "thorax"), "elbow": ("shoulder",),
    "wrist": ("elbow",), "hand": ("wrist",), "hip": ("pelvis", "mid_hip"), "knee": ("hip",),
    "ankle": ("knee",), "foot": ("ankle",), "eye": ("nose",), "ear": ("eye", "nose"),
    "big_toe": ("ankle",), "small_toe": ("big_toe", "ankle"), "heel": ("ankle",),
}  # fmt: skip


def bones(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """(parent, child) joint indices of a skeleton; joints of unknown names stay single points."""
    place = {name: i for i, name in enumerate(names)}
    found = []
    for name, i in place.items():
        side, plain = _split(name)
        for parent in _PARENTS.get(plain, ()):
            j = place.get(side + parent, place.get(parent))
            if j is not None:
                found.append((j, i))
                break
    return found


def sides(names: tuple[str, ...]) -> np.ndarray:
    """(J,) -1 for the person's left, 1 for the right, 0 for the middle."""
    return np.array([{"left_": -1, "right_": 1}.get(_split(name)[0], 0) for name in names])


def _split(name: str) -> tuple[str, str]:
    for side in ("left_", "right_"):
        if name.startswith(side):
            return side, name[len(side) :]
    return "", name


def draw_joints(joints: Joints3D, frame: int, *, height: int = 420) -> np.ndarray:
    """A picture (height, W, 3) uint8 of the skeleton of one frame, on white, framed for the whole clip."""
    seen = joints.points[joints.valid] if joints.valid.any() else joints.points
    lo, hi = np.nanmin(seen, (0, 1)).astype(float) - 0.1, np.nanmax(seen, (0, 1)).astype(float) + 0.1
    camera = shading.viewpoint(lo, hi, angle=0.4, height=height)
    canvas = np.full((camera.height, camera.width, 3), 255, np.uint8)
    draw_posed(canvas, joints, frame, camera)
    if not joints.valid[frame]:
        return pictures.write_text(canvas, "not observed", (6, 6), colour=(200, 40, 40))
    return canvas


def draw_posed(canvas: np.ndarray, joints: Joints3D, frame: int, camera: Camera) -> None:
    """Draw the skeleton of one frame onto ``canvas`` (H, W, 3) uint8, as ``camera`` sees it, far first."""
    points = joints.points[frame]
    pixels, depth = project(points, camera), to_camera(points, camera)[:, 2]
    known = np.isfinite(pixels).all(1)
    pairs = [(a, b) for a, b in bones(joints.names) if known[a] and known[b]]
    for a, b in sorted(pairs, key=lambda pair: -depth[list(pair)].mean()):
        pictures.draw_bone(canvas, pixels[a], pixels[b], pictures.side_colour(joints.names[b]))
    for i in sorted(np.flatnonzero(known), key=lambda i: -depth[i]):
        pictures.draw_joint(canvas, pixels[i], pictures.side_colour(joints.names[i]))
