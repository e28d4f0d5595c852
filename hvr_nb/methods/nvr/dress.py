"""Body and loose clothes as one surface that carries the radiance field, where the bare body does not serve.

Under a skirt the nearest place of the bare skin jumps from leg to leg, so a field bound to it tears. The
carved surface of ``hvr_nb.surface.carving`` spans both legs and moves by smooth blend weights, so its nearest
place does not jump (docs/field.md, 9 and docs/surface.md, 3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hvr_nb.body.model import BodyModel
from hvr_nb.canonical.big_pose import surface_fields, vertex_parts
from hvr_nb.canonical.binding import Binding, Skin, bind_mesh, carried, pose_skin, skin_weights
from hvr_nb.canonical.loose_weights import blend_joints, carry_back
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.outline_distance import signed_distance
from hvr_nb.surface.carving import first_template, loose_volume
from hvr_nb.surface.unexplained import hem_of_skirt, views_of
from hvr_nb.types import Body, Camera, Canonical

CELL = 0.011  # metres, side of its triangles
MARGIN = 0.1  # metres between it and the box of its fields
LOOKED_AT = 24  # frames it is carved from, at most


@dataclass(frozen=True)
class Dress:
    """A closed big-pose surface about body and loose clothes, bound to the bare body."""

    binding: Binding  # of its V vertices
    skin_faces: np.ndarray  # (F, 3) of the bare body
    canonical: Canonical  # with this surface, its weights and the fields about it; joints are the body's

    def posed(self, skin: np.ndarray, transforms: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """(V, 3) float32 world metres.

        Args:
            skin: (V0, 3) the posed bare body, world metres. transforms: (24, 3, 4) of its joints, before
                the shift ``transl`` (3,), metres.
        """
        world = transforms.copy()
        world[..., 3] += transl
        return carried(self.binding, self.skin_faces, skin, world).astype(np.float32)


def make_dress(vertices: np.ndarray, faces: np.ndarray, canonical: Canonical) -> Dress:
    """Bind a big-pose surface, vertices (V, 3) in metres and faces (F, 3), to the body of ``canonical``."""
    vertices = vertices.astype(np.float32)
    binding = bind_mesh(vertices, faces, canonical)
    weights = skin_weights(binding)
    rest = carry_back(blend_joints(weights, canonical.A_big), vertices)
    low, high = canonical.bounds
    bounds = np.stack([np.minimum(low, vertices.min(0) - MARGIN), np.maximum(high, vertices.max(0) + MARGIN)])
    fields = surface_fields(vertices, faces, weights, bounds, canonical.spacing)
    worn = replace(
        canonical,
        rest_vertices=rest.astype(np.float32),
        vertices=vertices,
        faces=faces,
        weights=weights,
        bounds=bounds,
        origin=bounds[0],
        parts=vertex_parts(weights),
        **fields,
    )
    return Dress(binding, canonical.faces, worn)


@dataclass(frozen=True)
class Silhouettes:
    """The bare body and the masks of the frames that a dress is looked for in."""

    skin: Skin
    distances: list[np.ndarray]  # N ``signed_distance`` pictures
    camera: Camera
    cloth: np.ndarray | None  # (N, H, W) bool, pixels that labels call clothes; None without labels


def silhouettes(
    model: BodyModel,
    body: Body,
    alpha: np.ndarray,
    camera: Camera,
    which: np.ndarray,
    cloth: np.ndarray | None = None,
) -> Silhouettes:
    """At most ``LOOKED_AT`` of the frames ``which`` (N,).

    Args:
        body: T frames. alpha: (T, H, W) uint8. camera: for these pictures. cloth: (T, H, W) bool or None.
    """
    some = which[spread_indices(len(which), LOOKED_AT)]
    skin = pose_skin(model, body.betas, body.poses[some], body.transl[some])
    worn = None if cloth is None else cloth[some]
    return Silhouettes(skin, [signed_distance(alpha[k]) for k in some], camera, worn)


def is_skirt(canonical: Canonical, seen: Silhouettes) -> bool:
    """Whether cloth spans the legs, however near to them it is."""
    views = views_of(seen.skin.vertices, canonical, seen.camera, seen.distances, seen.cloth)
    return hem_of_skirt(views, labels=seen.cloth is not None) is not None


def carve_dress(canonical: Canonical, seen: Silhouettes) -> Dress | None:
    """The dress that silhouettes show; None where no clothes are loose."""
    volume = loose_volume(canonical, seen.skin, seen.distances, seen.camera, seen.cloth)
    if volume is None:
        return None
    return make_dress(*first_template(canonical, volume, CELL, grown=0.0), canonical)
