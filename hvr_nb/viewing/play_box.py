"""The playground's widgets: sliders, the body in k3d, and what is told of a clicked place."""

from __future__ import annotations

import ipywidgets as widgets
import k3d
import numpy as np

from hvr_nb.drawing import shading
from hvr_nb.geometry.nearest import on_surface
from hvr_nb.types import SMPL_JOINT_NAMES, Canonical, Mesh
from hvr_nb.viewing.scene import Scene, Solid
from hvr_nb.viewing.scenes import scene_plot
from hvr_nb.viewing.skin_points import (
    POSES,
    SkinPoint,
    changed_vertices,
    clicked_point,
    point_of_vertex,
    told_of,
)

MOST = 3.0  # of a beta: standard deviations of the people whom the model was learned from
TURN = 150  # degrees


class PlayBox:
    """``widget`` is what is shown; the sliders' values are its state."""

    def __init__(self, betas: np.ndarray, canonical: Canonical, model, point: SkinPoint):
        self._canonical, self._model, self._point = canonical, model, point
        self._first, self._turns = betas, np.zeros((24, 3))
        self.pose = widgets.ToggleButtons(options=POSES, style={"button_width": "90px"})
        self.betas = [_slider(f"beta {k}", MOST, 0.1, value) for k, value in enumerate(betas)]
        names = [(name.replace("_", " "), k) for k, name in enumerate(SMPL_JOINT_NAMES)]
        self.joint = widgets.Dropdown(options=names, value=18, description="joint")
        self.turns = [_slider(f"about {axis}", TURN, 1, 0, unit="\N{DEGREE SIGN}") for axis in "xyz"]
        self.reset = widgets.Button(description="as it was", icon="undo")
        last = len(canonical.vertices) - 1
        self.vertex = widgets.BoundedIntText(
            point.vertex(canonical.faces), min=0, max=last, description="vertex"
        )
        self.told = widgets.HTML()
        vertices = self._vertices()
        mesh = Mesh(vertices, canonical.faces, shading.weight_colours(canonical.weights))
        self.plot, _ = scene_plot(Scene((Solid("body", mesh),)))
        self.plot.mode = "callback"
        self._body = next(o for o in self.plot.objects if o.type == "Mesh")
        self._body.click_callback = self._clicked
        self._dot = k3d.points(np.zeros((1, 3), np.float32), point_size=0.03, color=0x101010, shader="mesh")
        self.plot += self._dot
        self._look_at(point)
        for widget in (self.pose, *self.betas):
            widget.observe(self._changed, "value")
        for widget in self.turns:
            widget.observe(self._turned, "value")
        self.joint.observe(self._joint_chosen, "value")
        self.vertex.observe(self._numbered, "value")
        self.reset.on_click(self._as_it_was)
        self.widget = self._box()

    def _box(self) -> widgets.Widget:
        shape = widgets.Accordion([widgets.VBox(self.betas)], titles=["shape: betas"])
        left = widgets.VBox([self.pose, self.joint, *self.turns, shape, self.reset, self.vertex, self.told])
        left.layout = widgets.Layout(width="300px")
        right = widgets.VBox([self.plot, widgets.HTML("click on the body to see what moves that place")])
        right.layout = widgets.Layout(width="min(100%, 520px)")
        return widgets.HBox([left, right], layout=widgets.Layout(flex_flow="row wrap"))

    def _vertices(self) -> np.ndarray:
        betas = np.array([slider.value for slider in self.betas])
        return changed_vertices(self._model, betas, self._turns, pose=self.pose.value).astype(np.float32)

    def _changed(self, _change=None) -> None:
        self._body.vertices = self._vertices()
        self._body.click_callback = None  # so that the browser builds what it clicks at again
        self._body.click_callback = self._clicked
        self._place_dot()

    def _turned(self, _change) -> None:
        self._turns[self.joint.value] = [slider.value for slider in self.turns]
        self._changed()

    def _joint_chosen(self, change) -> None:
        values = self._turns[change["new"]].copy()
        for slider, value in zip(self.turns, values, strict=True):
            slider.unobserve(self._turned, "value")
            slider.value = value
            slider.observe(self._turned, "value")

    def _as_it_was(self, _button) -> None:
        self._turns[:] = 0
        for slider, value in zip([*self.betas, *self.turns], [*self._first, 0, 0, 0], strict=True):
            slider.value = value
        self._changed()

    def _clicked(self, content) -> None:
        place = np.asarray(content["position"], float)
        self._look_at(clicked_point(place, self._body.vertices, self._canonical.faces))

    def _numbered(self, change) -> None:
        if change["new"] != self._point.vertex(self._canonical.faces):
            self._look_at(point_of_vertex(change["new"], self._canonical.faces))

    def _look_at(self, point: SkinPoint) -> None:
        self._point = point
        self.vertex.value = point.vertex(self._canonical.faces)
        self.told.value = told_of(point, self._canonical)
        self._place_dot()

    def _place_dot(self) -> None:
        at = np.array([self._point.face]), self._point.bary[None].astype(np.float32)
        self._dot.positions = on_surface(self._body.vertices, self._canonical.faces, *at).astype(np.float32)


def _slider(name: str, most: float, step: float, value: float, *, unit: str = "") -> widgets.FloatSlider:
    return widgets.FloatSlider(
        float(value),
        min=-max(most, abs(value)),
        max=max(most, abs(value)),
        step=step,
        description=name,
        readout_format=".0f" if unit else ".1f",
        continuous_update=True,
        layout=widgets.Layout(width="280px"),
        style={"description_width": "60px"},
    )
