"""A body to play with: shape and joints by sliders; a click on the skin shows what moves it."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np

from hvr_nb.drawing import pictures, shading
from hvr_nb.geometry.camera import project
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.types import SMPL_JOINT_NAMES, Body, Canonical, HvrError, Mesh
from hvr_nb.viewing.display import is_live
from hvr_nb.viewing.saved import show_saved
from hvr_nb.viewing.views import View

POSES = ("big pose", "rest pose")
SHOULDER = 16  # the joint at which the vertex lies that is looked at first
BENT = {18: (0.0, -90.0, 0.0), 4: (60.0, 0.0, 0.0)}  # degrees: what the stills show, left elbow and knee
SIDE = 320  # pixels, height of a still
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
        f"<tr><td>{html.escape(SMPL_JOINT_NAMES[j].replace('_', ' '))}</td><td>{weights[j]:.2f}</td></tr>"
        for j in weights.argsort()[::-1]
        if weights[j] >= LEAST
    )
    a, b, c = point.bary
    return (
        f"<b>vertex {point.vertex(faces)}</b><br>surface coordinates: triangle {point.face}, "
        f"barycentric {a:.2f}, {b:.2f}, {c:.2f}<br>in the big pose: x {x:.3f}, y {y:.3f}, z {z:.3f} m"
        f"<table><tr><th>joint</th><th>blend weight</th></tr>{rows}</table>"
    )


def playground(body: Body, canonical: Canonical, model, *, vertex: int | None = None) -> None:
    """Show a body whose shape and joints can be changed, and what one place on its skin hangs on.

    Without live widgets, and in the saved notebook, four still pictures stand for it.

    Args:
        body: its betas are the shape at first. model: the ``BodyModel`` of both.
        vertex: looked at first; None takes one at the left shoulder.

    Raises:
        HvrError: there is no such vertex.
    """
    faces = canonical.faces
    if vertex is None:
        vertex = int(np.linalg.norm(canonical.vertices - canonical.joints[SHOULDER], axis=1).argmin())
    point = point_of_vertex(vertex, faces)
    view = _stills(np.asarray(body.betas), canonical, model, point)
    if is_live():
        from hvr_nb.viewing.live import show_widget
        from hvr_nb.viewing.play_box import PlayBox

        show_widget(view, PlayBox(np.asarray(body.betas), canonical, model, point).widget)
    else:
        show_saved(view)


def clicked_point(place: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> SkinPoint:
    """The place on the skin (V, 3) that is nearest to a point (3,)."""
    face, bary, _ = nearest_surface(np.asarray(place, np.float32)[None], vertices, faces)
    return SkinPoint(int(face[0]), np.asarray(bary[0], float))


def _stills(betas: np.ndarray, canonical: Canonical, model, point: SkinPoint) -> View:
    """Both poses, another shape, bent joints; the looked-at vertex is marked in all."""
    colours = shading.weight_colours(canonical.weights)
    other, none, bent = betas.copy(), np.zeros((24, 3)), np.zeros((24, 3))
    other[1] += 2
    bent[list(BENT)] = list(BENT.values())
    shown = (
        (POSES[0], betas, none, POSES[0]),
        (POSES[1], betas, none, POSES[1]),
        ("second beta + 2", other, none, POSES[0]),
        ("left elbow and knee bent", betas, bent, POSES[0]),
    )
    captions = tuple(caption for caption, *_ in shown)
    vertex = point.vertex(canonical.faces)

    def draw(i: int) -> np.ndarray:
        _, shape, turns, pose = shown[i]
        vertices = changed_vertices(model, shape, turns, pose=pose).astype(np.float64)
        mesh = Mesh(vertices, canonical.faces, colours)
        camera = shading.viewpoint(vertices.min(0), vertices.max(0), angle=0.3, height=SIDE)
        white = np.full((SIDE, camera.width, 3), 255, np.uint8)
        image = shading.draw_mesh(white, mesh, camera, opacity=1.0)
        pictures.draw_joint(image, project(vertices[vertex : vertex + 1], camera)[0], (20, 20, 20))
        return image

    told = canonical.weights[vertex].argsort()[::-1][:3]
    weights = ", ".join(
        f"{SMPL_JOINT_NAMES[j].replace('_', ' ')} {canonical.weights[vertex, j]:.2f}"
        for j in told
        if canonical.weights[vertex, j] >= LEAST
    )
    return View(
        f"coloured by blend weights; the dot is vertex {vertex}: {weights}",
        len(shown),
        {"": draw},
        captions,
        moving=False,
    )
