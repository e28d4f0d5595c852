"""Interactive views for a live session: a frame slider with a play button beside a k3d scene."""

from __future__ import annotations

import html

import ipywidgets as widgets
import numpy as np

from hvr_nb.drawing import pictures
from hvr_nb.viewing.saved import strip
from hvr_nb.viewing.views import View


def show_live(view: View) -> None:
    """Display a view as widgets; still pictures as an image."""
    from IPython.display import display

    if view.moving and view.count > 1:
        display(player(view))
        return
    picture = _image(strip(view))
    if view.scene is None:
        display(picture)
    else:
        display(widgets.VBox([view.scene()[0], picture]))


def player(view: View) -> widgets.Widget:
    """Frame slider, play button, the frame's picture and, where there is one, the 3D scene in step."""
    height = "400px" if len(view.panels) < 3 else "320px"
    screens = {label: _image(draw(0), height=height) for label, draw in view.panels.items()}
    scene, times = view.scene() if view.scene else (None, np.zeros(0))
    frame = widgets.IntSlider(
        0,
        0,
        view.count - 1,
        description="frame",
        continuous_update=True,
        layout=widgets.Layout(width="420px"),
    )
    play = widgets.Play(
        min=0, max=view.count - 1, interval=max(50, round(1000 / view.fps)), repeat=True, show_repeat=False
    )
    caption = widgets.Label(view.caption(0) if view.captions else "")
    widgets.jslink((play, "value"), (frame, "value"))

    def turn(change) -> None:
        for label, draw in view.panels.items():
            screens[label].value = pictures.encode_jpeg(draw(change["new"]))
        caption.value = view.caption(change["new"]) if view.captions else ""
        if len(times):
            scene.time = float(change["new"] / view.fps)

    frame.observe(turn, "value")
    panels = [
        widgets.VBox([screen, widgets.Label(label)] if label else [screen])
        for label, screen in screens.items()
    ]
    if scene is not None:
        panels.append(widgets.VBox([scene], layout=widgets.Layout(flex="1 1 420px", min_width="360px")))
    rows = [widgets.HTML(f"<b>{html.escape(view.title)}</b>")] if view.title else []
    rows += [
        widgets.HBox([play, frame, caption]),
        widgets.HBox(panels, layout=widgets.Layout(flex_flow="row wrap")),
    ]
    return widgets.VBox([*rows, *(_image(note) for note in view.notes)])


def _image(picture: np.ndarray, *, height: str = "auto") -> widgets.Image:
    return widgets.Image(
        value=pictures.encode_jpeg(picture),
        format="jpeg",
        layout=widgets.Layout(max_width="100%", height=height, object_fit="contain"),
    )
