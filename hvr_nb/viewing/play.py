"""A body to play with: shape and joints by sliders; a click on the skin shows what moves it."""

from __future__ import annotations

import numpy as np

from hvr_nb.drawing import pictures, shading
from hvr_nb.geometry.camera import project
from hvr_nb.types import SMPL_JOINT_NAMES, Body, Canonical, Mesh
from hvr_nb.viewing.display import is_live
from hvr_nb.viewing.saved import show_saved
from hvr_nb.viewing.skin_points import LEAST, POSES, SkinPoint, changed_vertices, point_of_vertex
from hvr_nb.viewing.views import View

SHOULDER = 16  # the joint at which the vertex lies that is looked at first
BENT = {18: (0.0, -90.0, 0.0), 4: (60.0, 0.0, 0.0)}  # degrees: what the stills show, left elbow and knee
SIDE = 320  # pixels, height of a still


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
