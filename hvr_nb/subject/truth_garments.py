"""The garments of a synthetic person as open meshes with their feature curves (docs/body.md, 8)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from hvr_nb.body import skinning
from hvr_nb.geometry.open_mesh import boundary_loops
from hvr_nb.subject.layers import ClothLayer, clip_layer
from hvr_nb.subject.person import Subject
from hvr_nb.subject.texture import atlas_uv
from hvr_nb.types import Garment, HvrError, Mesh

HIDES = {("shirt", "trousers"), ("jacket", "trousers"), ("skirt", "shirt")}  # above, and beneath
CORNER = 0.006  # metres above the hem within which the outline of a jacket is its hem


def true_garments(
    subject: Subject, *, pose: Literal["rest", "big"] = "rest", seen: bool = False
) -> tuple[Garment, ...]:
    """The clothes of a subject, each an open textured mesh with the curves along which it ends.

    A shirt and a dress have neck, left_cuff, right_cuff and hem (sleeveless ones too: their armholes are the
    cuffs); a tube neck and hem; a skirt waist and hem; trousers waist, left_ankle and right_ankle. A jacket
    has three loops: the cuffs, and one outline which two open curves share, ``hem`` from its left end behind
    the body to its right end, and ``opening`` up the left front edge, round the neck and down the right one.
    Left is the person's left (+x). Shoes and hair are not among the garments.

    Args:
        pose: "rest" is the T-pose, "big" the big pose, without pose correctives.
        seen: cut off what a garment that is closed hides: trousers then begin at the hem of the shirt over
            them, and a shirt tucked in ends at the waist of the skirt. An open jacket hides only trousers.
    """
    if pose not in ("rest", "big"):
        raise HvrError(f'pose {pose!r} is unknown; use "rest" or "big"')
    out, rest = [], shaped_rest(subject)
    for worn in subject.worn:
        layer = _seen(subject, worn.layer, rest) if seen else worn.layer
        x = layer.positions if pose == "rest" else _to_big_pose(subject, layer)
        uv = atlas_uv(layer).reshape(-1, 2)
        mesh = Mesh(
            x, layer.faces, uv=uv, uv_faces=np.arange(len(uv)).reshape(-1, 3), texture=subject.texture
        )
        named = _named_loops(layer, (layer.carry @ rest)[:, 1])
        out.append(Garment(layer.name, mesh, {name: x[loop] for name, loop in named.items()}))
    return tuple(out)


def shaped_rest(subject: Subject) -> np.ndarray:
    """(B, 3) the bare body in the rest pose, metres."""
    betas = torch.as_tensor(subject.betas, dtype=torch.float32)
    return subject.model.shaped(betas)[0].numpy().astype(np.float64)


def _seen(subject: Subject, layer: ClothLayer, rest: np.ndarray) -> ClothLayer:
    """The part of a garment that is not under another one; ``rest`` (B, 3) is the bare body."""
    above = [w for w in subject.worn if (w.layer.name, layer.name) in HIDES]
    if not above:
        return layer
    on_body = layer.carry @ rest
    return clip_layer(layer, -np.maximum.reduce([w.covers(on_body) for w in above]), layer.name, layer.tile)


def _to_big_pose(subject: Subject, layer: ClothLayer) -> np.ndarray:
    """(V, 3) vertices of a layer in the big pose, metres, by linear blend skinning."""
    with torch.no_grad():
        _, joints = subject.model.shaped(torch.as_tensor(subject.betas, dtype=torch.float32))
        turned, placed = skinning.forward_kinematics(
            skinning.big_pose_rotations(), joints, subject.model.parents
        )
        joint_maps = skinning.rest_relative(turned, placed, joints)[0]
        maps = skinning.blend_transforms(joint_maps, torch.as_tensor(layer.weights, dtype=torch.float32))
        return skinning.transform_points(maps, torch.as_tensor(layer.positions).float()).double().numpy()


def _named_loops(layer: ClothLayer, height: np.ndarray) -> dict[str, np.ndarray]:
    """The feature curves of a layer as vertices in order, by name; ``height`` as in ``_outline``."""
    loops = boundary_loops(layer.faces)
    centres = [layer.positions[loop].mean(0) for loop in loops]
    up = sorted(range(len(loops)), key=lambda k: centres[k][1])
    if layer.name in ("skirt", "tube"):
        bottom, top = up
        return {"waist" if layer.name == "skirt" else "neck": loops[top], "hem": loops[bottom]}
    if layer.name == "trousers":
        *ankles, waist = up
        right, left = sorted(ankles, key=lambda k: centres[k][0])
        return {"waist": loops[waist], "left_ankle": loops[left], "right_ankle": loops[right]}
    right, *middle, left = sorted(range(len(loops)), key=lambda k: centres[k][0])
    cuffs = {"left_cuff": loops[left], "right_cuff": loops[right]}
    if layer.name == "jacket":
        (outline,) = middle
        return cuffs | _outline(layer, loops[outline], height)
    bottom, top = sorted(middle, key=lambda k: centres[k][1])
    return {"neck": loops[top]} | cuffs | {"hem": loops[bottom]}


def _outline(layer: ClothLayer, loop: np.ndarray, height: np.ndarray) -> dict[str, np.ndarray]:
    """Hem and opening of a jacket's outline, both from the left to the right; they share their ends.

    Args:
        height: (V,) of the places on the body, where the hem is level.
    """
    low = height[loop] < height[loop].min() + CORNER
    loop, low = (np.roll(a, -int(np.argmin(low))) for a in (loop, low))  # begins outside the hem
    change = np.flatnonzero(np.diff(np.concatenate([low, [False]]).astype(int)))
    first, last = max(change.reshape(-1, 2), key=np.ptp) + [1, 0]
    parts = {
        "hem": loop[first : last + 1],
        "opening": np.concatenate([loop[last:], loop[: first + 1]]),
    }
    x = layer.positions[:, 0]
    return {name: part if x[part[0]] > x[part[-1]] else part[::-1] for name, part in parts.items()}
