"""Whom to follow: a click on a person in the picture, or on a number below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvr_nb.drawing import pictures, shading
from hvr_nb.types import Tracks
from hvr_nb.viewing.display import is_live

CELLS = 64  # of the grid over the picture in which the buttons lie, along each side
SHOWN = 640  # pixels, the larger side of the picture


@dataclass
class PersonPick:
    """Who was picked; ``widget`` is there where there was something to pick."""

    person: int
    widget: object | None = None


def choose_person(tracks: Tracks, frames: np.ndarray, person: int = 0) -> PersonPick:
    """Show who there is and let one be clicked on; ``person`` of what is returned follows the clicks.

    In a batch, in a notebook without live widgets and where there is one person, nothing is shown.

    Args:
        frames: (T, H, W, 3) uint8 of the tracks. person: who is picked at first.
    """
    pick = PersonPick(person)
    if is_live() and len(tracks.boxes) > 1 and 0 <= person < len(tracks.boxes):
        from IPython.display import display

        pick.widget = picker_box(tracks, frames, pick)
        display(pick.widget)
    return pick


def picker_box(tracks: Tracks, frames: np.ndarray, pick: PersonPick):
    """The picture with a button over every person, a row of all people, and a line that says what is next.

    Args:
        frames: (T, H, W, 3) uint8 of the tracks. pick: follows the clicks.
    """
    import ipywidgets as widgets

    frame = int(tracks.seen.sum(0).argmax())
    image = pictures.resized(frames[frame], max_side=SHOWN)
    height, width = image.shape[:2]
    colours = (0.75 * shading.distinct_colours(len(tracks.boxes))).astype(np.uint8)
    fill = widgets.Layout(
        width="auto", height="auto", margin="0", grid_area=f"1 / 1 / {CELLS + 1} / {CELLS + 1}"
    )
    film = widgets.Image(value=pictures.encode_jpeg(image), format="jpeg", layout=fill)
    row = widgets.ToggleButtons(
        options=[(f"{k}: {int(seen.sum())} frames", k) for k, seen in enumerate(tracks.seen)],
        value=pick.person,
    )
    said, buttons = widgets.HTML(), {}
    ratio = [width / frames.shape[2], height / frames.shape[1]] * 2
    for k in np.flatnonzero(tracks.seen[:, frame]).tolist():
        buttons[k] = _over(k, tracks.boxes[k, frame] * ratio, (width, height), colours[k], widgets)
        buttons[k].on_click(lambda button: setattr(row, "value", int(button.description)))

    def picked(_change=None) -> None:
        pick.person = row.value
        for k, button in buttons.items():
            wide = 5 if k == pick.person else 2
            button.layout.border = f"{wide}px solid #{bytes(colours[k].tolist()).hex()}"
        said.value = f"<b>person {pick.person}</b> is followed; run the cells below, again if they have run"

    row.observe(picked, "value")
    picked()
    tracked = f"repeat({CELLS}, minmax(0, 1fr))"
    whole = widgets.Layout(
        width=f"{width}px",
        height=f"{height}px",
        grid_template_columns=tracked,
        grid_template_rows=tracked,
        grid_gap="0",
        overflow="hidden",
    )
    grid = widgets.GridBox([film, *buttons.values()], layout=whole)
    return widgets.VBox([grid, row, said])


def _over(k: int, box: np.ndarray, size: tuple[int, int], colour: np.ndarray, widgets):
    """A see-through button with a number over a box (4,), pixels of a picture of ``size`` (width, height)."""
    lo = np.floor(CELLS * box[:2] / size).astype(int).clip(0, CELLS - 1)
    hi = np.ceil(CELLS * box[2:] / size).astype(int).clip(lo + 1, CELLS)
    place = f"{lo[1] + 1} / {lo[0] + 1} / {hi[1] + 1} / {hi[0] + 1}"
    layout = widgets.Layout(width="auto", height="auto", margin="0", padding="0", grid_area=place)
    style = {"button_color": "transparent", "font_size": "22px", "font_weight": "bold", "text_color": "white"}
    return widgets.Button(description=str(k), tooltip=f"follow person {k}", layout=layout, style=style)
