"""Showing things: the only home of k3d and ipywidgets (docs/viewing.md).

- ``show``: Show a value of the workbook.
- ``choose_person``: Choose whom to follow by a click into the picture.
- ``playground``: A body to change: shape and joint sliders, and what a vertex hangs on.
- ``show_example``: Display what a lesson shows of the demo's person.
- ``show_page``: Display a page that was written, with a link to open it alone.
- ``start_panel``: The first screen: pick a film, look at it, run all notebooks.
- ``slider``: Several clips of the same length in step, with a frame slider.
- ``Scene``: What a 3D view shows: layers that can be switched, over the floor, before the film's camera.
- ``person_scene``: The person of a clip over time: skeleton, SMPL body, and the avatar with its garments.
- ``TrainingView``: What a method does while it works: a held-out frame, the avatar so far, the curve.
- ``Timeline``: Values over the frames of a view.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "display": ["show", "slider"],
        "examples": ["show_example"],
        "page": ["show_page"],
        "picker": ["choose_person"],
        "play": ["playground"],
        "scene": ["Scene", "person_scene"],
        "start": ["start_panel"],
        "training": ["TrainingView"],
        "views": ["Timeline"],
    },
)
