"""Places on a body's skin, what moves them, and the body in a pose of its own."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np

from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.types import SMPL_JOINT_NAMES, Canonical, HvrError

POSES = ("big pose", "rest pose")
LEAST = 0.005  # blend weights below this are not listed


@dataclass(frozen=True)
class SkinPoint:
    """A place on the skin."""

    face: int  # triangle
    bary: np.ndarray  # (3,) its barycentric coordinates there

    def vertex(self, faces: np.ndarray) -> int:
        """The nearest corner."""
        return int(faces[self.face, self.bary.argmax()])


def point_of_vertex(vertex: int, faces: np.ndarray) -> SkinPoint:
    """A vertex as a place on the skin: a triangle (of ``faces`` (F, 3)) that has it as a corner.

    Raises:
        HvrError: there is no such vertex.
    """
    at = np.argwhere(faces == vertex)
    if not len(at):
        raise HvrError(f"there is no vertex {vertex}; give 0 to {int(faces.max())}")
    return SkinPoint(int(at[0, 0]), np.eye(3)[at[0, 1]])


def changed_vertices(model, betas: np.ndarray, turns: np.ndarray, *, pose: str) -> np.ndarray:
    """(V, 3) metres of a body of shape ``betas`` (10,) with its joints turned further by ``turns``.

    Args:
        model: a ``BodyModel``. turns: (24, 3) degrees, rotation vectors. pose: one of ``POSES``.
    """
    import torch

    from hvr_nb.body.skinning import axis_angle_to_matrix, big_pose_rotations

    with torch.no_grad():
        own = axis_angle_to_matrix(torch.as_tensor(np.radians(turns), dtype=torch.float32)[None])
        whole = big_pose_rotations() @ own if pose == POSES[0] else own
        betas = torch.as_tensor(np.asarray(betas), dtype=torch.float32)
        return model.pose_matrices(betas, whole, torch.zeros(1, 3))[0][0].numpy()


def told_of(point: SkinPoint, canonical: Canonical) -> str:
    """What moves a place on the skin, as HTML: blend weights, surface coordinates, place in the big pose."""
    faces, face, bary = canonical.faces, np.array([point.face]), point.bary[None].astype(np.float32)
    weights = on_surface(canonical.weights, faces, face, bary)[0]
    x, y, z = on_surface(canonical.vertices, faces, face, bary)[0]
    rows = "".join(
        f"<tr><td>{html.escape(SMPL_JOINT_NAMES[j].replace('_', ' '))}</td>"
        f'<td style="padding-left: 14px">{weights[j]:.2f}</td></tr>'
        for j in weights.argsort()[::-1]
        if weights[j] >= LEAST
    )
    a, b, c = point.bary
    return (
        f'<div style="line-height: 1.4"><b>vertex {point.vertex(faces)}</b><br>'
        f"surface coordinates: triangle {point.face}, barycentric {a:.2f}, {b:.2f}, {c:.2f}<br>"
        f"in the big pose: x {x:.3f}, y {y:.3f}, z {z:.3f} m"
        f"<table><tr><th>joint</th><th>blend weight</th></tr>{rows}</table></div>"
    )


def clicked_point(place: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> SkinPoint:
    """The place on the skin (V, 3) that is nearest to a point (3,)."""
    face, bary, _ = nearest_surface(np.asarray(place, np.float32)[None], vertices, faces)
    return SkinPoint(int(face[0]), np.asarray(bary[0], float))
