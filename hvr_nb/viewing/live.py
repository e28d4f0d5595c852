"""A 3D scene as a k3d widget, for a session with a kernel, over the same output that needs none."""

from __future__ import annotations

import html

import ipywidgets as widgets

from hvr_nb.viewing.player_page import page_text, player_data
from hvr_nb.viewing.saved import HEIGHT, saved_forms
from hvr_nb.viewing.saving import WIDGET
from hvr_nb.viewing.templates import fill_template
from hvr_nb.viewing.views import View


def show_live(view: View) -> None:
    """Display a view: the widget where it lives, else what ``saved_forms`` keeps."""
    show_widget(view, scene_box(view))


def show_widget(view: View, box: widgets.Widget) -> None:
    """Display a widget; what the notebook keeps of it is the view."""
    from IPython.display import display

    data, metadata = saved_forms(view)
    live = {WIDGET: {"version_major": 2, "version_minor": 0, "model_id": box.model_id}}
    display(data | live, metadata=metadata, raw=True)


def scene_box(view: View) -> widgets.Widget:
    """The k3d plot with a player of its frames, which the browser drives, below the view's pictures."""
    from hvr_nb.viewing.scenes import scene_plot

    plot, keys = scene_plot(view.scene())
    rows = [widgets.HTML(f"<b>{html.escape(view.title)}</b>")] if view.title else []
    if view.panels and not view.still_panels:
        page = page_text(player_data(view.without_scene()))
        frame = fill_template("frame.html", page=page, poster="", words=view.title, height=HEIGHT)
        rows.append(widgets.HTML(frame, layout=widgets.Layout(width="100%")))
    rows.append(plot)
    if len(keys) > 1:
        rows.append(_frames(plot, keys, view.fps))
    return widgets.VBox(rows)


def _frames(plot, keys: range, fps: float) -> widgets.Widget:
    """A play button and a slider of the frames that are keys; the browser moves the plot, not the kernel."""
    ends = {"min": 0, "max": keys[-1], "step": keys.step}
    play = widgets.Play(interval=max(15, round(1000 * keys.step / fps)), show_repeat=False, **ends)
    frame = widgets.IntSlider(0, description="frame", **ends)
    seconds = widgets.Label("0.00 s")
    widgets.jslink((play, "value"), (frame, "value"))
    widgets.jslink((frame, "value"), (plot, "time"))

    def write(change) -> None:
        seconds.value = f"{change['new'] / fps:.2f} s"

    frame.observe(write, "value")
    return widgets.HBox([play, frame, seconds])
